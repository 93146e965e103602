"""Stored chat completions: what came out, what it was made from, and the input messages in
order.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from inhouse import errors
from inhouse.scope import Scope
from inhouse.stores import bodies
from inhouse.stores.database import Database, Statement
from inhouse.stores.objects import Collection
from inhouse.stores.page import Listing, Page, listing, window

Json = dict[str, Any]

_INSERT_REQUEST = "INSERT INTO chat_requests (completion, body) VALUES (?, ?)"
_INSERT_MESSAGE = "INSERT INTO chat_messages (completion, position, body) VALUES (?, ?, ?)"
_DELETE_REQUEST = "DELETE FROM chat_requests WHERE completion = ?"
_DELETE_MESSAGES = "DELETE FROM chat_messages WHERE completion = ?"
_REQUEST = "SELECT body FROM chat_requests WHERE completion = ?"


class ChatStore:
    """Chat completions made with `store: true`, per project."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._completions = Collection(
            database, "chat.completion", "chat completion", keys=("model",)
        )

    async def create(
        self, scope: Scope, completion: Json, request: Json, messages: Sequence[Json]
    ) -> None:
        """Store a completion (as it will be retrieved), its request, and the request's messages.

        The request's own `messages` are left out: `messages` holds them, in the form that
        `messages()` shall give back.
        """
        completion_id = completion["id"]
        rest = {name: value for name, value in request.items() if name != "messages"}
        also = [Statement(_INSERT_REQUEST, (completion_id, bodies.dump(rest)))]
        for position, message in enumerate(messages):
            also.append(Statement(_INSERT_MESSAGE, (completion_id, position, bodies.dump(message))))
        await self._completions.create(scope, completion, also=also)

    async def get(self, scope: Scope, completion_id: str) -> Json:
        """The completion. NotFound."""
        return await self._completions.get(scope, completion_id)

    async def request(self, scope: Scope, completion_id: str) -> Json:
        """The request it was made from, without messages. NotFound."""
        await self._completions.get(scope, completion_id)
        rows = await self._database.read(_REQUEST, (completion_id,))
        return bodies.load(rows[0][0]) if rows else {}

    async def list(
        self,
        scope: Scope,
        page: Page,
        *,
        model: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Listing:
        """One page of completions; of one model, and with all pairs of `metadata`, if given."""
        where = {"model": model} if model is not None else {}
        return await self._completions.list(scope, page, where=where, metadata=metadata)

    async def update(self, scope: Scope, completion_id: str, metadata: Json | None) -> Json:
        """Replace the metadata. The completion as it is now. NotFound."""
        return await self._completions.update(
            scope, completion_id, lambda body: {**body, "metadata": metadata}
        )

    async def delete(self, scope: Scope, completion_id: str) -> None:
        """Delete the completion and all that belongs to it. NotFound."""
        also = [
            Statement(_DELETE_REQUEST, (completion_id,)),
            Statement(_DELETE_MESSAGES, (completion_id,)),
        ]
        await self._completions.delete(scope, completion_id, also=also)

    async def messages(self, scope: Scope, completion_id: str, page: Page) -> Listing:
        """One page of the input messages, each with the id `<completion>-<position>`.

        NotFound if there is no such completion; BadRequest if `after` or `before` is not one of its
        messages.
        """
        await self._completions.get(scope, completion_id)
        bounds, values, tail = window("position", page)
        positions = [_position(completion_id, str(value)) for value in values]
        sql = f"SELECT position, body FROM chat_messages WHERE completion = ?{bounds}{tail}"  # noqa: S608
        rows = await self._database.read(sql, [completion_id, *positions])
        entries = [
            {**bodies.load(body), "id": f"{completion_id}-{position}"} for position, body in rows
        ]
        return listing(entries, page)


def _position(completion: str, message: str) -> int:
    digits = message.removeprefix(f"{completion}-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise errors.BadRequest(f"No such message: {message}", param="after")
    return int(digits)
