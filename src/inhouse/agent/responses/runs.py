"""Responses in the making: what a request becomes, in the foreground or in the background."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from inhouse.agent.models import text_engine
from inhouse.agent.responses import request
from inhouse.agent.responses.compaction import compacted
from inhouse.agent.responses.counting import check_counted, count
from inhouse.agent.responses.echo import echo, image_told
from inhouse.agent.responses.gather import Memory
from inhouse.agent.responses.places import renaming
from inhouse.agent.responses.run import Events, Keeper, Run, streamed, whole
from inhouse.agent.responses.sealed import Seal
from inhouse.agent.responses.stored import Foreground, Unkept
from inhouse.agent.responses.telling import Manner, Telling, usage_object
from inhouse.agent.responses.window import Window, once
from inhouse.agent.tools.tool import Tool
from inhouse.clock import Clock
from inhouse.engines.model import Model
from inhouse.engines.models import Models
from inhouse.engines.text import Json
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
        response = self.response(body, model)
        run = self.run(scope, model, body, given.before, given.inputs, response)
        keeper: Keeper = Unkept()
        if body.get("store") is not False:
            place = given.place_of(server=self.server)
            keeper = Foreground(self.database, scope, self.clock, place, given.inputs)
        if body.get("stream"):
            return streamed(run, keeper)
        return await whole(run, keeper)

    def response(self, body: Json, model: Model) -> Json:
        """The object as it begins."""
        return echo(body, self.ids("resp_"), int(self.clock.now()), model.id)

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
        window = self._window(scope, model, body, history=len(before))
        manner = self._manner(body, window, [*before, *inputs])
        return Run(
            scope=scope,
            telling=Telling(response, self.ids, self.clock, manner, number=number),
            window=window,
            context=[*before, *inputs, *response["output"]],
            clock=self.clock,
            ids=self.ids,
            tools=window.tools,
            most_calls=body.get("max_tool_calls"),
        )

    async def count(self, scope: Scope, model: Model, body: Json) -> Json:
        """How many tokens the model would read for a request."""
        check_counted(body)
        asked = {name: value for name, value in body.items() if name != "personality"}
        request.check(asked)
        given = await self.memory.gather(scope, asked)
        window = self._window(scope, model, asked, history=len(given.before))
        call = await window.call(given.context)
        with renaming(call.body, asked, given.context):
            tokens = await count(self.models, model, call.body)
        return {"object": "response.input_tokens", "input_tokens": tokens}

    async def compact(self, scope: Scope, model: Model, body: Json) -> Json:
        """A request's context in fewer tokens: what people said, and a sealed summary."""
        request.check(body)
        given = await self.memory.gather(scope, body)
        window = self._window(scope, model, body, history=len(given.before))
        summary, usage = await window.summary(given.context)
        return {
            "id": self.ids("resp_"),
            "object": "response.compaction",
            "created_at": int(self.clock.now()),
            "output": compacted(given.context, summary, window.seal, self.ids),
            "usage": usage_object(usage),
            **image_told(body),
        }

    def _window(self, scope: Scope, model: Model, body: Json, *, history: int) -> Window:
        project = scope.project or ""
        return Window(
            scope=scope,
            body=body,
            models=self.models,
            model=model,
            engine=text_engine(self.models, model),
            image=once(partial(read_image, fetcher=self.fetcher)),
            unseal=partial(self.seal.unseal, project=project),
            seal=partial(self.seal.seal, project=project),
            tools=self.tools(body),
            clock=self.clock,
            ids=self.ids,
            history=history,
        )

    def _manner(self, body: Json, window: Window, context: Sequence[Json]) -> Manner:
        reasoning: Json = body.get("reasoning") or {}
        sealed = "reasoning.encrypted_content" in (body.get("include") or ())
        return Manner(
            summary=bool(reasoning.get("summary") or reasoning.get("generate_summary")),
            seal=window.seal if sealed else None,
            names=request.names(body, context),
            hosted=frozenset(window.tools),
            silent=not (body.get("stream") or body.get("background")),
        )
