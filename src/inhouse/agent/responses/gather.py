"""What a response begins with: its place, the items before it, and its own input."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from inhouse.agent.responses.items import dereferenced, new_items
from inhouse.engines.text import Json
from inhouse.errors import BadRequest, NotFound
from inhouse.ids import IdMaker
from inhouse.scope import Scope
from inhouse.stores.conversations import ConversationStore
from inhouse.stores.items import repeated
from inhouse.stores.responses import Place, ResponseStore

_ENDED_BADLY = frozenset({"failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Given:
    """`before` are the items of the responses or the conversation that came before, `inputs` the
    request's own.
    """

    place: Place
    before: Sequence[Json]
    inputs: Sequence[Json]

    @property
    def context(self) -> Sequence[Json]:
        """All that the model reads, in order."""
        return [*self.before, *self.inputs]

    def place_of(self, *, server: str = "", job: str = "") -> Place:
        """The place of a response that this process, or a job, runs."""
        return replace(self.place, server=server, job=job)


@dataclass(frozen=True, slots=True)
class Memory:
    """Where what came before is found."""

    responses: ResponseStore
    conversations: ConversationStore
    ids: IdMaker

    async def gather(self, scope: Scope, body: Json) -> Given:
        """Read what `body` refers to, and make its input whole.

        BadRequest for a previous response that cannot be gone on from, or an item that is there
        twice; NotFound for a conversation or an item that is not there.
        """
        place, before = await self._before(scope, body)
        find = partial(self.responses.items.find, scope)
        inputs = await dereferenced(new_items(body, self.ids), find)
        seen = {item["id"] for item in before}
        for item in inputs:
            if item["id"] in seen:
                raise repeated(item["id"], "input")
            seen.add(item["id"])
        return Given(place, before, inputs)

    async def _before(self, scope: Scope, body: Json) -> tuple[Place, Sequence[Json]]:
        previous, conversation = body.get("previous_response_id"), conversation_of(body)
        if previous is not None:
            return Place(previous=previous), await self._said(scope, previous)
        if conversation is None:
            return Place(), []
        await self.conversations.get(scope, conversation)
        end = await self.conversations.end(conversation)
        items = await self.responses.items.of(conversation, end=end)
        return Place(conversation=conversation, conversation_end=end), items

    async def _said(self, scope: Scope, previous: str) -> Sequence[Json]:
        stored = await self.responses.find(scope, previous)
        if stored is None:
            raise _no_previous(previous)
        if stored.under_way or stored.status in _ENDED_BADLY:
            raise BadRequest(
                f"Previous response with id '{previous}' is {stored.status.replace('_', ' ')} and "
                "cannot be continued.",
                param="previous_response_id",
                code="previous_response_not_usable",
            )
        try:
            return await self.responses.said(scope, previous)
        except NotFound:  # one before it has been deleted
            raise _no_previous(previous) from None


def conversation_of(body: Json) -> str | None:
    """The id of the conversation that a request names."""
    given = body.get("conversation")
    return given["id"] if isinstance(given, dict) else given


def _no_previous(response_id: str) -> BadRequest:
    return BadRequest(
        f"Previous response with id '{response_id}' not found.",
        param="previous_response_id",
        code="previous_response_not_found",
    )
