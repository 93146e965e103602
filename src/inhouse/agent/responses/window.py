"""The engine's calls for one request's items, within the model's context: shortened or summed up
where the request asks for it.
"""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from inhouse.agent.chat.messages import Image
from inhouse.agent.parameters import unsupported
from inhouse.agent.responses import compaction, request
from inhouse.agent.responses.counting import count, cuts, fit, room
from inhouse.agent.responses.messages import Reading, Sealing, Unseal
from inhouse.agent.responses.places import renaming
from inhouse.agent.tools.tool import Tool
from inhouse.agent.turn import take
from inhouse.clock import Clock
from inhouse.engines.model import Model
from inhouse.engines.models import Models
from inhouse.engines.text import Json, Text, TextCall, TextEngine, Usage
from inhouse.errors import BadRequest, ServerError
from inhouse.ids import IdMaker
from inhouse.scope import Scope

TOO_LONG = "context_length_exceeded"
_LONGEST_SUMMARY = 2048
"""Tokens, and at most a sixteenth of the model's context."""


def once(read: Image) -> Image:
    """`read`, but each image is fetched once: a run reads its items for every count and turn."""
    seen: dict[str, str] = {}

    async def remembered(url: str, param: str) -> str:
        if url not in seen:
            seen[url] = await read(url, param)
        return seen[url]

    return remembered


@dataclass(frozen=True, slots=True)
class Window:
    """Makes calls of `engine`, which runs `model`, for the request `body`.

    `history` is how many of the items stand before the request's own.
    """

    scope: Scope
    body: Json
    models: Models
    model: Model
    engine: TextEngine
    image: Image
    unseal: Unseal
    seal: Sealing
    tools: Mapping[str, Tool]
    clock: Clock
    ids: IdMaker
    history: int = 0

    async def call(self, items: Sequence[Json]) -> TextCall:
        """The call for `items`; with truncation, for the longest end of them that fits, where the
        model's tokens can be counted.
        """
        if self.body.get("truncation") == "auto":
            items = await self._fitting(items)
        return self._call(await self._chat(items))

    def shorter(self, items: Sequence[Json], error: BaseException) -> Sequence[Json] | None:
        """What to try in place of `items`, which the engine found too long; None if that is not
        what it said, if the request does not allow it, or if no less can be said.
        """
        allowed = self.body.get("truncation") == "auto"
        if not (allowed and isinstance(error, BadRequest) and error.code == TOO_LONG):
            return None
        places = cuts(items)
        return items[places[len(places) // 2] :] if places else None

    async def count(self, items: Sequence[Json]) -> int:
        """Input tokens of `items` by the model's own template. BadRequest if nobody can count."""
        chat = await self._chat(items)
        with renaming(chat, self.body, items):
            return await count(self.models, self.model, chat)

    @property
    def only_compacts(self) -> bool:
        """Whether the request wants the context summed up, and no answer."""
        return request.triggers_compaction(self.body)

    async def full(self, items: Sequence[Json]) -> bool:
        """Whether the context is to be summed up before the next call."""
        if self.only_compacts:
            return True
        limit = compaction.threshold(self.body, self.model.context_length)
        if limit is None:
            return False
        counted = await self._counted(items)
        if counted is None:
            raise unsupported("context_management")
        return counted > limit

    async def summed_up(self, items: Sequence[Json], item_id: str) -> tuple[Json, Usage]:
        """The compaction item that stands for `items`, and what making it cost."""
        summary, usage = await self.summary(items)
        return compaction.compaction_item(item_id, summary, self.seal), usage

    async def summary(self, items: Sequence[Json]) -> tuple[str, Usage]:
        """The model's summary of `items`. BadRequest if there are none; ServerError if the model
        says nothing, which would lose them.
        """
        if not items:
            raise request.nothing_to_read()
        reading = self._reading()
        chat = request.hints(self.body, reading.able)
        chat |= await compaction.summary_body(self.body.get("instructions"), items, reading)
        share = (self.model.context_length or _LONGEST_SUMMARY * 16) // 16
        chat["max_completion_tokens"] = min(share, _LONGEST_SUMMARY)
        said: list[str] = []
        usage = Usage(0, 0)
        events = take(self.engine, self._call(chat), self.scope.usage, self.clock)
        with renaming(chat, self.body, items):
            async with aclosing(events) as batches:
                async for batch in batches:
                    said += [event.text for event in batch if isinstance(event, Text)]
                    usage = usage.plus(batch)
        text = "".join(said)
        if not text.strip():
            raise ServerError("The model gave no summary of the context. Please try again.")
        return text, usage

    async def _fitting(self, items: Sequence[Json]) -> Sequence[Json]:
        counted = await self._counted(items)
        if counted is None or counted <= (budget := room(self.body, self.model.context_length)):
            return items
        return await fit(items, budget, self.count)

    async def _counted(self, items: Sequence[Json]) -> int | None:
        """Input tokens of `items`; None if nobody can count them."""
        chat = await self._chat(items)
        with renaming(chat, self.body, items):
            return await self.models.count_chat(self.model, chat)

    async def _chat(self, items: Sequence[Json]) -> Json:
        able = self.engine.abilities
        chat = await request.engine_body(
            self.body, items, able, self.image, self.unseal, history=self.history
        )
        if self.tools:
            declared = [tool.declaration for tool in self.tools.values()]
            chat["tools"] = [*chat.get("tools", ()), *declared]
        return chat

    def _reading(self) -> Reading:
        return Reading(self.engine.abilities, self.image, self.unseal, self.history)

    def _call(self, chat: Json) -> TextCall:
        scope = self.scope
        return TextCall("chat", chat, scope.project or "", scope.priority, scope.deadline)
