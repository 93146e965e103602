"""Responses: the object, what it was made from and what it goes on from.

A response's row has the object without its output; input and output are items (`stores.items`).
What a model reads for a response is its chain: the items of the responses before it, or of its
conversation, and then its own input.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inhouse import errors
from inhouse.scope import Scope
from inhouse.stores import bodies, items, run_log
from inhouse.stores.conversations import unlocking
from inhouse.stores.database import Database, Row, Statement
from inhouse.stores.items import ItemStore

Json = dict[str, Any]

_STATES_UNDER_WAY = ("queued", "in_progress")
_UNDER_WAY = f"status IN {_STATES_UNDER_WAY}"

_INSERT = (
    "INSERT INTO responses (id, organization, project, created, status, previous, conversation,"
    " conversation_end, server, job, logged, ended, request, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ONE = "id = ? AND organization = ? AND project = ?"
_COLUMNS = "body, status, previous, conversation, conversation_end, server, job, request"
_GET = f"SELECT {_COLUMNS} FROM responses WHERE {_ONE}"  # noqa: S608
_BEGIN = f"UPDATE responses SET status = ?, body = ? WHERE {_ONE} AND {_UNDER_WAY}"  # noqa: S608
_END = (
    "UPDATE responses SET status = ?, body = ?, ended = ?, server = '', request = ''"  # noqa: S608
    f" WHERE {_ONE} AND {_UNDER_WAY}"
)
_OUTPUT = "SELECT body FROM items WHERE owner = ? AND output = 1 ORDER BY position"
_MADE = "SELECT id FROM items WHERE owner = ? AND output = 1"
_CHAIN = (
    "WITH RECURSIVE chain (id, previous, conversation, conversation_end, depth) AS ("
    " SELECT id, previous, conversation, conversation_end, 0 FROM responses"
    " WHERE id = ? AND organization = ? AND project = ?"
    " UNION ALL"
    " SELECT r.id, r.previous, r.conversation, r.conversation_end, chain.depth + 1"
    " FROM responses r JOIN chain ON r.id = chain.previous"
    " WHERE r.organization = ? AND r.project = ?)"
)
_LINKS = f"{_CHAIN} SELECT previous, conversation, conversation_end, depth FROM chain"  # noqa: S608
_SAID = (
    f"{_CHAIN} SELECT i.body FROM chain JOIN items i ON i.owner = chain.id"  # noqa: S608
    " ORDER BY chain.depth DESC, i.position"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a response comes in: after a response, or in a conversation behind the items before
    position `conversation_end`; and who runs it: a server process or a job.
    """

    previous: str = ""
    conversation: str = ""
    conversation_end: int = 0
    server: str = ""
    job: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """A response as it is kept. `body` has no output; `request` is empty unless a job needs it."""

    body: Json
    status: str
    place: Place
    request: Json

    @property
    def under_way(self) -> bool:
        return self.status in _STATES_UNDER_WAY


def creating(
    scope: Scope,
    response: Json,
    place: Place,
    inputs: Sequence[Json],
    *,
    request: Json | None = None,
) -> list[Statement]:
    """The statements that lay down a response under way, and its input."""
    row = _row(scope, response, place, None, "" if request is None else bodies.dump(request))
    return [Statement(_INSERT, row), *items.adding(scope, response["id"], inputs)]


def created_whole(
    scope: Scope, response: Json, place: Place, inputs: Sequence[Json], ended: int
) -> list[Statement]:
    """The statements that lay down a response that has ended, its input and its output."""
    row = _row(scope, response, place, ended, "")
    said = items.adding(scope, response["id"], response["output"], start=len(inputs), output=True)
    return [Statement(_INSERT, row), *items.adding(scope, response["id"], inputs), *said]


def beginning(scope: Scope, response: Json) -> Statement:
    """The statement that stores the state of a response under way; Stale if it is not."""
    return Statement(_BEGIN, (response["status"], _dump(response), *_one(scope, response)), rows=1)


def ending(scope: Scope, response: Json, start: int, ended: int) -> list[Statement]:
    """The statements that store the end of a response and its output, which lies at positions from
    `start` on; Stale if it has ended already.
    """
    update = Statement(
        _END, (response["status"], _dump(response), ended, *_one(scope, response)), rows=1
    )
    said = items.adding(scope, response["id"], response["output"], start=start, output=True)
    return [update, *said]


def missing(response_id: str) -> errors.NotFound:
    """The 404 for a response that is not there, or not for this scope."""
    return errors.NotFound(f"Response with id '{response_id}' not found.", param="response_id")


class ResponseStore:
    """Reads and deletes responses, for the scope that asks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.items = ItemStore(database)

    async def find(self, scope: Scope, response_id: str) -> Stored | None:
        """The response as it is kept, if there is one."""
        params = (bodies.lifted(response_id), scope.organization, scope.project or "")
        rows = await self._database.read(_GET, params)
        return _stored(rows[0]) if rows else None

    async def get(self, scope: Scope, response_id: str) -> Stored:
        """The response as it is kept. NotFound."""
        found = await self.find(scope, response_id)
        if found is None:
            raise missing(response_id)
        return found

    async def whole(self, stored: Stored) -> Json:
        """The object, with its output."""
        rows = await self._database.read(_OUTPUT, (stored.body["id"],))
        return {**stored.body, "output": [bodies.load(row[0]) for row in rows]}

    async def said(self, scope: Scope, response_id: str) -> list[Json]:
        """All that a model read for this response and made of it, from the first response of its
        chain, or its conversation, on.

        NotFound, naming the response, if one of the chain has been deleted.
        """
        owner = (scope.organization, scope.project or "")
        params = (bodies.lifted(response_id), *owner, *owner)
        links = await self._database.read(_LINKS, params)
        if not links:
            raise missing(response_id)
        previous, conversation, end, _ = max(links, key=lambda link: link[3])
        if previous:
            raise missing(previous)
        before = await self.items.of(conversation, end=end) if conversation else []
        rows = await self._database.read(_SAID, params)
        return [*before, *(bodies.load(row[0]) for row in rows)]

    async def read(self, scope: Scope, response_id: str) -> list[Json]:
        """All that a model read for this response: `said` without what it made. NotFound."""
        rows = await self._database.read(_MADE, (bodies.lifted(response_id),))
        made = {row[0] for row in rows}
        said = await self.said(scope, response_id)
        return [item for item in said if item["id"] not in made]

    async def delete(
        self, scope: Scope, response_id: str, *also: Statement, wakes: Sequence[str] = ()
    ) -> None:
        """Delete the response with its items and events, and do `also` in the same unit."""
        one = (response_id, scope.organization, scope.project or "")
        await self._database.write(
            Statement(f"DELETE FROM responses WHERE {_ONE}", one),  # noqa: S608
            items.deleting(response_id),
            run_log.deleting(response_id),
            unlocking(response_id),
            *also,
            quiet=True,
            wakes=[run_log.name(response_id), *wakes],
        )

    async def of_servers(self) -> list[tuple[Json, str]]:
        """Responses that server processes run in the foreground, and the process of each."""
        sql = f"SELECT body, server FROM responses WHERE server <> '' AND {_UNDER_WAY}"  # noqa: S608
        return [(bodies.load(row[0]), row[1]) for row in await self._database.read(sql)]

    async def fail(self, response: Json, server: str, ended: int) -> None:
        """End a response whose `server` is gone; nothing if it has ended. Its conversation is free
        again.
        """
        sql = (
            "UPDATE responses SET status = 'failed', body = ?, ended = ?, server = ''"  # noqa: S608
            f" WHERE id = ? AND server = ? AND {_UNDER_WAY}"
        )
        await self._database.write(
            Statement(sql, (_dump(response), ended, response["id"], server)),
            unlocking(response["id"]),
            quiet=True,
        )


def _row(
    scope: Scope, response: Json, place: Place, ended: int | None, request: str
) -> tuple[object, ...]:
    return (
        response["id"],
        scope.organization,
        scope.project or "",
        int(response["created_at"]),
        response["status"],
        place.previous,
        place.conversation,
        place.conversation_end,
        place.server,
        place.job,
        1 if place.job else 0,
        ended,
        request,
        _dump(response),
    )


def _one(scope: Scope, response: Json) -> tuple[str, str, str]:
    return response["id"], scope.organization, scope.project or ""


def _dump(response: Json) -> str:
    return bodies.dump({**response, "output": []})


def _stored(row: Row) -> Stored:
    body, status, previous, conversation, end, server, job, request = row
    return Stored(
        body=bodies.load(body),
        status=status,
        place=Place(previous, conversation, end, server, job),
        request=bodies.load(request) if request else {},
    )
