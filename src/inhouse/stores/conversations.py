"""Conversations: objects whose items (`stores.items`) grow, and which one response at a time uses.

Whoever changes the items of a conversation touches its row first, so that changes of one
conversation come one after the other and none meets a conversation that is being deleted. A
response that uses a conversation holds its lock from start to end; until then nothing else
changes the items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inhouse import errors
from inhouse.scope import Scope
from inhouse.stores import items
from inhouse.stores.database import Database, Statement
from inhouse.stores.errors import Duplicate, Stale
from inhouse.stores.items import ItemStore
from inhouse.stores.objects import Collection
from inhouse.stores.page import Listing, Page

Json = dict[str, Any]

_TRIES = 50

_TOUCH = "UPDATE objects SET version = version WHERE kind = 'conversation' AND id = ?"
_LOCK = "INSERT INTO conversation_locks (conversation, response) VALUES (?, ?)"
_UNLOCK = "DELETE FROM conversation_locks WHERE conversation = ? AND response = ''"
_FREE = "DELETE FROM conversation_locks WHERE response = ?"
_HOLDER = "SELECT response FROM conversation_locks WHERE conversation = ?"


class ConversationLocked(errors.BadRequest):
    """A response is being made with the conversation."""

    code = "conversation_locked"

    def __init__(self) -> None:
        super().__init__(
            "Another process is currently operating on this conversation. Please retry in a few"
            " seconds.",
            param="conversation",
        )


def locking(conversation_id: str, response_id: str) -> list[Statement]:
    """The statements that reserve a conversation for a response.

    The unit is Duplicate if it is reserved already (answer `ConversationLocked`), Stale if the
    conversation is gone.
    """
    return [_touching(conversation_id), Statement(_LOCK, (conversation_id, response_id))]


def unlocking(response_id: str) -> Statement:
    """The statement that frees the conversation that the response holds, if it holds one."""
    return Statement(_FREE, (response_id,))


def missing(conversation_id: str) -> errors.NotFound:
    """The 404 for a conversation that is not there, or not for this scope."""
    return errors.NotFound(f"Conversation with id '{conversation_id}' not found.")


@dataclass(frozen=True, slots=True)
class _Conversations(Collection):
    def missing(self, object_id: str) -> errors.NotFound:
        return missing(object_id)


class ConversationStore:
    """Conversations and their items, per project."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._conversations = _Conversations(database, "conversation", "conversation")
        self._items = ItemStore(database)

    async def create(self, scope: Scope, conversation: Json, first: Sequence[Json] = ()) -> None:
        """Store a conversation and its first items. BadRequest if two of them have one id."""
        self._check_distinct(first)
        also = items.adding(scope, conversation["id"], first)
        await self._conversations.create(scope, conversation, also=also)

    async def get(self, scope: Scope, conversation_id: str) -> Json:
        """The conversation. NotFound."""
        return await self._conversations.get(scope, conversation_id)

    async def update(self, scope: Scope, conversation_id: str, metadata: Json) -> Json:
        """Replace the metadata. The conversation as it is now. NotFound."""
        return await self._conversations.update(
            scope, conversation_id, lambda body: {**body, "metadata": metadata}
        )

    async def delete(self, scope: Scope, conversation_id: str) -> None:
        """Delete the conversation with its items. NotFound; ConversationLocked."""
        held = _holding(conversation_id, items.deleting(conversation_id))
        try:
            await self._conversations.delete(scope, conversation_id, also=held)
        except Duplicate:
            raise ConversationLocked from None

    async def items(self, scope: Scope, conversation_id: str, page: Page) -> Listing:
        """One page of its items by position. NotFound; BadRequest if `after` is none of them."""
        await self.get(scope, conversation_id)
        return await self._items.page(scope, conversation_id, page)

    async def item(self, scope: Scope, conversation_id: str, item_id: str) -> Json:
        """One of its items. NotFound."""
        await self.get(scope, conversation_id)
        return await self._items.get(scope, conversation_id, item_id)

    async def find(self, scope: Scope, item_id: str) -> Json | None:
        """The item with this id, of any conversation or response of the project."""
        return await self._items.find(scope, item_id)

    async def append(self, scope: Scope, conversation_id: str, added: Sequence[Json]) -> None:
        """Add items, each with an `id`, at its end: all or none.

        NotFound; ConversationLocked; BadRequest if it has one of the ids already.
        """
        self._check_distinct(added)
        for _ in range(_TRIES):
            await self.get(scope, conversation_id)
            try:
                await self._change(conversation_id, *items.appending(scope, conversation_id, added))
            except Stale:  # deleted meanwhile
                raise self._conversations.missing(conversation_id) from None
            except Duplicate:
                await self._explain(scope, conversation_id, added)
                continue
            return
        raise Stale

    async def remove(self, scope: Scope, conversation_id: str, item_id: str) -> Json:
        """Delete one of its items. The conversation. NotFound; ConversationLocked."""
        for _ in range(_TRIES):
            conversation = await self.get(scope, conversation_id)
            try:
                await self._change(conversation_id, items.removing(scope, conversation_id, item_id))
            except Stale:
                await self.get(scope, conversation_id)
                raise items.missing(item_id) from None
            except Duplicate:
                await self._explain(scope, conversation_id, ())
                continue
            return conversation
        raise Stale

    async def end(self, conversation_id: str) -> int:
        """The position behind its last item. Ask `get` before whether the scope may see it."""
        return await self._items.count(conversation_id)

    async def locked(self, conversation_id: str) -> bool:
        """Whether a response holds it."""
        return bool(await self._database.read(_HOLDER, (conversation_id,)))

    async def _change(self, conversation_id: str, *statements: Statement) -> None:
        """Do `statements` while nobody else changes the items."""
        await self._database.write(
            _touching(conversation_id), *_holding(conversation_id, *statements), quiet=True
        )

    async def _explain(self, scope: Scope, conversation_id: str, added: Sequence[Json]) -> None:
        """Raise why a change was Duplicate; return if the reason has passed meanwhile."""
        if await self.locked(conversation_id):
            raise ConversationLocked
        for item in added:
            if await self._items.position(scope, conversation_id, item["id"]) is not None:
                raise items.repeated(item["id"], "items")

    def _check_distinct(self, added: Sequence[Json]) -> None:
        seen = set[str]()
        for item in added:
            if item["id"] in seen:
                raise items.repeated(item["id"], "items")
            seen.add(item["id"])


def _touching(conversation_id: str) -> Statement:
    return Statement(_TOUCH, (conversation_id,), rows=1)


def _holding(conversation_id: str, *statements: Statement) -> list[Statement]:
    """`statements` with the conversation's lock taken before and let go after them."""
    return [
        Statement(_LOCK, (conversation_id, "")),
        *statements,
        Statement(_UNLOCK, (conversation_id,)),
    ]
