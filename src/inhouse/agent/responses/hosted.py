"""The calls of one turn that the house answers: each in a task, their events in one order."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

from inhouse.agent.responses.telling import Telling
from inhouse.agent.tools.tool import Outcome, Tool
from inhouse.agent.turn import Call
from inhouse.engines.text import Json
from inhouse.errors import APIError
from inhouse.scope import Scope

Said = tuple[int, str, Json] | tuple[int, Outcome]


class Work:
    """Runs `calls`; `outcomes` are theirs by id, once `events` has ended."""

    def __init__(
        self, calls: Sequence[Call], tools: Mapping[str, Tool], telling: Telling, scope: Scope
    ) -> None:
        self._calls = calls
        self._tools = tools
        self._telling = telling
        self._scope = scope
        self.outcomes: dict[str, Outcome] = {}

    async def events(self, item_id: Callable[[str], str]) -> AsyncGenerator[Sequence[Json], None]:
        """What the calls tell, as they go on at once. Closing it ends them."""
        said: asyncio.Queue[Said] = asyncio.Queue()
        items: list[Json] = []
        places: list[int] = []
        for call in self._calls:
            item = self._tools[call.name].begin(call, item_id)
            place, told = self._telling.open(item)
            items.append(item)
            places.append(place)
            yield told
        tasks = [
            asyncio.ensure_future(self._run(number, call, items[number], said))
            for number, call in enumerate(self._calls)
        ]
        try:
            while len(self.outcomes) < len(tasks):
                match await said.get():
                    case (number, Outcome() as outcome):
                        self.outcomes[self._calls[number].id] = outcome
                        yield self._telling.close(places[number], outcome.item)
                    case (number, str() as kind, fields):
                        yield self._telling.between(places[number], items[number], kind, fields)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, number: int, call: Call, item: Json, said: "asyncio.Queue[Said]") -> None:
        def say(kind: str, fields: Json) -> None:
            said.put_nowait((number, kind, fields))

        try:
            outcome = await self._tools[call.name].run(self._scope, call, item, say)
        except APIError as error:
            outcome = Outcome({**item, "status": "failed"}, f"Error: {error.message}")
        except Exception:  # noqa: BLE001 - the model goes on without it
            outcome = Outcome({**item, "status": "failed"}, "Error: the tool failed.")
        said.put_nowait((number, outcome))
