"""What is kept of a chat completion made with `store: true`."""

from collections.abc import Sequence

from inhouse.agent.chat.encode import Keep
from inhouse.engines.text import Json
from inhouse.scope import Scope
from inhouse.stores.chats import ChatStore

_KEPT = ("name", "refusal", "tool_calls", "tool_call_id", "function_call")


def keeper(chats: ChatStore, scope: Scope, body: Json) -> Keep:
    """Stores the finished completion with the request's metadata, and the request's messages.

    A turn that the client leaves before its end is not stored.
    """

    async def keep(completion: Json) -> None:
        kept = {**completion, "metadata": body.get("metadata") or {}}
        await chats.create(scope, kept, body, stored_messages(body["messages"]))

    return keep


def stored_messages(messages: Sequence[Json]) -> Sequence[Json]:
    """Messages in the form in which a stored completion's are listed; the store adds the ids."""
    return [_stored(message) for message in messages]


def _stored(message: Json) -> Json:
    content = message.get("content")
    kept: Json = {
        "role": message["role"],
        "content": content if isinstance(content, str) else None,
        "content_parts": content if isinstance(content, list) else None,
        "name": None,
        "refusal": None,
    }
    kept.update({name: message[name] for name in _KEPT if message.get(name) is not None})
    return kept
