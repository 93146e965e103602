"""What is kept of a foreground response: its row before the first event, the rest at its end."""

from collections.abc import Sequence

from inhouse.clock import Clock
from inhouse.engines.text import Json
from inhouse.errors import ServerError
from inhouse.scope import Scope
from inhouse.stores import conversations, responses
from inhouse.stores.conversations import ConversationLocked
from inhouse.stores.database import Database, Statement
from inhouse.stores.errors import Duplicate, Stale
from inhouse.stores.items import appending
from inhouse.stores.responses import Place, ResponseStore
from inhouse.stores.usage import recording

OPERATION = "POST /responses"
_TAKEN_FOR_DEAD = "The server stood still while it made this response, which has failed meanwhile."
_KEPT_IN_CONVERSATIONS = frozenset({"completed", "incomplete"})


class Unkept:
    """Keeps nothing: `store` is false."""

    async def open(self, response: Json) -> None:
        """Nothing to do."""

    async def begin(self, response: Json) -> None:
        """Nothing to do."""

    async def end(self, response: Json) -> None:
        """Nothing to do."""


class Foreground:
    """Keeps a response whose client waits; see `run.Keeper`."""

    def __init__(
        self, database: Database, scope: Scope, clock: Clock, place: Place, inputs: Sequence[Json]
    ) -> None:
        self._database = database
        self._scope = scope
        self._clock = clock
        self._place = place
        self._inputs = inputs
        self._begun = False

    async def open(self, response: Json) -> None:
        """In a conversation, take its lock. ConversationLocked."""
        if self._place.conversation:
            await self.begin(response)

    async def begin(self, response: Json) -> None:
        """Lay the row and the input down."""
        if not self._begun:
            self._begun = True
            laid = responses.creating(self._scope, response, self._place, self._inputs)
            await lay_down(self._database, response["id"], self._place, laid)

    async def end(self, response: Json) -> None:
        """Keep what the response has come to. One that failed before `begin` leaves nothing.

        ServerError if another process has taken this one for dead, and ended the response.
        """
        scope, now = self._scope, int(self._clock.now())
        keeping = response["status"] in _KEPT_IN_CONVERSATIONS
        if not self._begun and not keeping:
            return
        if self._begun:
            unit = responses.ending(scope, response, len(self._inputs), now)
        else:
            unit = responses.created_whole(scope, response, self._place, self._inputs, now)
        unit += in_conversation(scope, self._place, self._inputs, response)
        unit += used(scope, now, keeping=keeping)
        try:
            await self._database.write(*unit, quiet=True)
        except Stale:
            await self._database.write(conversations.unlocking(response["id"]), quiet=True)
            if keeping and await ResponseStore(self._database).find(scope, response["id"]):
                raise ServerError(_TAKEN_FOR_DEAD) from None
            # deleted while it ran


async def lay_down(
    database: Database,
    response_id: str,
    place: Place,
    unit: Sequence[Statement],
    wakes: Sequence[str] = (),
) -> None:
    """Write what begins a response, and take its conversation's lock. ConversationLocked;
    NotFound if the conversation is gone.
    """
    lock: Sequence[Statement] = ()
    if place.conversation:
        lock = conversations.locking(place.conversation, response_id)
    try:
        await database.write(*lock, *unit, quiet=True, wakes=wakes)
    except Duplicate:
        raise ConversationLocked from None
    except Stale:
        raise conversations.missing(place.conversation) from None


def in_conversation(
    scope: Scope, place: Place, inputs: Sequence[Json], response: Json
) -> list[Statement]:
    """What the end of a response does to its conversation: it has the items, and is free."""
    if not place.conversation:
        return []
    free = conversations.unlocking(response["id"])
    if response["status"] not in _KEPT_IN_CONVERSATIONS:
        return [free]
    return [*appending(scope, place.conversation, [*inputs, *response["output"]]), free]


def used(scope: Scope, now: int, *, keeping: bool) -> list[Statement]:
    """The usage row of a response that ended well; it is not written again."""
    if not keeping or not scope.usage.total:
        return []
    scope.usage.recorded = True
    return [recording(scope, OPERATION, 200, now)]
