"""Responses in the making: what a request becomes, in the foreground or in the background."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from inhouse.agent.models import text_engine
from inhouse.agent.responses import request
from inhouse.agent.responses.echo import echo
from inhouse.agent.responses.gather import Given, Memory
from inhouse.agent.responses.run import Events, Keeper, Run, streamed, whole
from inhouse.agent.responses.sealed import Seal
from inhouse.agent.responses.stored import Foreground, Unkept
from inhouse.agent.responses.telling import Manner, Telling
from inhouse.agent.tools.tool import Tool
from inhouse.clock import Clock
from inhouse.engines.model import Model
from inhouse.engines.models import Models
from inhouse.engines.text import Json, TextCall
from inhouse.fetch import Fetcher, read_image
from inhouse.ids import IdMaker
from inhouse.scope import Scope
from inhouse.stores.database import Database

Tools = Callable[[Json], Mapping[str, Tool]]
"""The tools of the house that a request declares, by the names that the model calls."""


def no_tools(_: Json) -> Mapping[str, Tool]:
    """No tool of the house."""
    return {}


@dataclass(frozen=True, slots=True)
class Runs:
    """Makes runs of requests. `server` is the id of this process."""

    database: Database
    models: Models
    memory: Memory
    fetcher: Fetcher
    seal: Seal
    clock: Clock
    ids: IdMaker
    server: str
    tools: Tools = no_tools

    async def create(self, scope: Scope, model: Model, body: Json) -> Json | Events:
        """A response whose client waits: the object, or its events as they come."""
        request.check(body)
        given = await self.memory.gather(scope, body)
        response = self.response(body, model, given)
        run = self.run(scope, model, body, given.before, given.inputs, response)
        keeper: Keeper = Unkept()
        if body.get("store") is not False:
            place = given.place_of(server=self.server)
            keeper = Foreground(self.database, scope, self.clock, place, given.inputs)
        if body.get("stream"):
            return streamed(run, keeper)
        return await whole(run, keeper)

    def response(self, body: Json, model: Model, given: Given) -> Json:
        """The object as it begins."""
        made = echo(body, self.ids("resp_"), int(self.clock.now()), model.id)
        if given.place.conversation:
            made["conversation"] = {"id": given.place.conversation}
        return made

    def run(
        self,
        scope: Scope,
        model: Model,
        body: Json,
        before: Sequence[Json],
        inputs: Sequence[Json],
        response: Json,
        number: int = 0,
    ) -> Run:
        """The run that goes on with `response` as it stands; its next event has that number.

        The model reads `before` (earlier items), `inputs` (the request's own) and the output so
        far.
        """
        engine = text_engine(self.models, model)
        tools = self.tools(body)
        return Run(
            scope=scope,
            telling=Telling(
                response, self.ids, self.clock, self._manner(scope, body, tools), number=number
            ),
            engine=engine,
            context=[*before, *inputs, *response["output"]],
            call=self._caller(scope, engine.abilities, body, tools, history=len(before)),
            clock=self.clock,
            ids=self.ids,
            tools=tools,
            most_calls=body.get("max_tool_calls"),
        )

    def _manner(self, scope: Scope, body: Json, tools: Mapping[str, Tool]) -> Manner:
        reasoning: Json = body.get("reasoning") or {}
        sealed = "reasoning.encrypted_content" in (body.get("include") or ())
        return Manner(
            summary=bool(reasoning.get("summary") or reasoning.get("generate_summary")),
            seal=partial(self.seal.seal, project=scope.project or "") if sealed else None,
            names=request.names(body),
            hosted=frozenset(tools),
        )

    def _caller(
        self,
        scope: Scope,
        able: frozenset[str],
        body: Json,
        tools: Mapping[str, Tool],
        history: int,
    ) -> Callable[[Sequence[Json]], Awaitable[TextCall]]:
        image = partial(read_image, fetcher=self.fetcher)
        unseal = partial(self.seal.unseal, project=scope.project or "")

        async def call(items: Sequence[Json]) -> TextCall:
            chat = await request.engine_body(body, items, able, image, unseal, history=history)
            if tools:
                declared = [tool.declaration for tool in tools.values()]
                chat["tools"] = [*chat.get("tools", ()), *declared]
            return TextCall("chat", chat, scope.project or "", scope.priority, scope.deadline)

        return call
