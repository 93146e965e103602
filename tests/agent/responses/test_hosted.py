"""Tools of the house: a run calls them beside each other, tells what they do, and goes on."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.conftest import House

from inhouse.agent.responses.fold import Fold
from inhouse.agent.responses.gather import Memory
from inhouse.agent.responses.runs import Runs
from inhouse.agent.responses.sealed import Seal
from inhouse.agent.tools.tool import Outcome, Say
from inhouse.agent.turn import Call
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.text import Delta, Finish, TextCall, ToolCall, Usage
from inhouse.errors import BadRequest
from inhouse.fetch import Fetcher
from inhouse.scope import Scope
from inhouse.stores.conversations import ConversationStore
from inhouse.stores.responses import ResponseStore
from inhouse.stores.secret import Secret

Json = dict[str, Any]


@dataclass(slots=True)
class Searching:
    """A search that the test controls: each waits for its `gate`, then finds its query."""

    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    running: int = 0
    most: int = 0
    stopped: int = 0
    outside: bool = False

    @property
    def declaration(self) -> Json:
        parameters = {"type": "object", "properties": {"query": {"type": "string"}}}
        return {"type": "function", "function": {"name": "search", "parameters": parameters}}

    def begin(self, call: Call, item_id: Callable[[str], str]) -> Json:
        return {
            "id": item_id("ws_"),
            "type": "web_search_call",
            "status": "in_progress",
            "action": {"type": "search", "query": call.arguments},
        }

    async def run(self, scope: Scope, call: Call, item: Json, say: Say) -> Outcome:
        self.running += 1
        self.most = max(self.most, self.running)
        say("web_search_call.searching", {})
        try:
            await self.gates.setdefault(call.arguments, asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        finally:
            self.running -= 1
        if call.arguments == "refused":
            raise BadRequest("That is not to be searched.")
        if call.arguments == "broken":
            raise ValueError("a secret")
        say("web_search_call.completed", {})
        return Outcome({**item, "status": "completed"}, f"found {call.arguments}")

    def open(self, *queries: str) -> None:
        """Let these searches end."""
        for query in queries:
            self.gates.setdefault(query, asyncio.Event()).set()


def asking(*queries: str) -> Sequence[Sequence[Delta]]:
    """A turn that searches for `queries`."""
    calls = [
        ToolCall(0, index, query, f"call_{query}", "search") for index, query in enumerate(queries)
    ]
    return [[*calls], [Finish(0, "tool_calls"), Usage(4, 2)]]


def in_turns(*turns: Any) -> Callable[[TextCall], Any]:
    """A script that answers each call with the next of `turns`."""
    left = iter(turns)
    return lambda _: next(left)


@pytest.fixture
def searching() -> Searching:
    return Searching()


@pytest.fixture
def runs(house: House, searching: Searching) -> Runs:
    services = house.services
    database = services.database
    return Runs(
        database=database,
        models=services.models,
        memory=Memory(ResponseStore(database), ConversationStore(database), services.ids),
        fetcher=Fetcher({}, own_ports=[]),
        seal=Seal(Secret((b"a secret of the tests",))),
        clock=services.clock,
        ids=services.ids,
        server="srv_test",
        tools=lambda _: {"search": searching},
    )


async def begin(house: House, runs: Runs, **more: Any) -> Any:
    """The result of a request for a response."""
    services = house.services
    principal = await services.access.authenticate(f"Bearer {house.key}", None, None)
    scope = Scope(principal.organization, principal.project, principal, "req_1")
    model = await services.models.resolve("scripted")
    body = {"model": "scripted", "input": "Search.", "stream": True, **more}
    return await runs.create(scope, model, body)


async def test_calls_of_one_turn_run_at_once_and_their_events_interleave(
    house: House, runs: Runs, engine: Scripted, searching: Searching
) -> None:
    engine.script = in_turns(asking("a", "b"), answer("Both found."))
    events: list[Json] = []
    async for batch in await begin(house, runs):
        events += batch
        if searching.most == 2:
            searching.open("b")
            if any(event["type"] == "response.web_search_call.completed" for event in events):
                searching.open("a")
    assert searching.most == 2
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    ended = [
        event["output_index"]
        for event in events
        if event["type"] == "response.web_search_call.completed"
    ]
    assert ended == [1, 0]
    fold = Fold(events)
    assert fold.response["output"] == fold.output
    kinds = [item["type"] for item in fold.output]
    assert kinds == ["web_search_call", "web_search_call", "message"]


async def test_the_model_reads_what_a_tool_has_found(
    house: House, runs: Runs, engine: Scripted, searching: Searching
) -> None:
    engine.script = in_turns(asking("a"), answer("Found."))
    searching.open("a")
    response = await begin(house, runs, stream=False)
    assert response["usage"]["input_tokens"] > 4
    asked, found = engine.calls[1].body["messages"][-2:]
    assert asked["tool_calls"][0]["function"] == {"name": "search", "arguments": "a"}
    assert found == {"role": "tool", "tool_call_id": "call_a", "content": "found a"}
    assert engine.calls[0].body["tools"] == [searching.declaration]


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("refused", "Error: That is not to be searched."),
        ("broken", "Error: the tool failed."),
    ],
)
async def test_a_tool_that_fails_fails_its_call_and_not_the_run(
    house: House, runs: Runs, engine: Scripted, searching: Searching, query: str, read: str
) -> None:
    engine.script = in_turns(asking(query), answer("Sorry."))
    searching.open(query)
    response = await begin(house, runs, stream=False)
    assert response["status"] == "completed"
    assert response["output"][0]["status"] == "failed"
    assert engine.calls[1].body["messages"][-1]["content"] == read


async def test_no_more_calls_are_done_than_the_request_allows(
    house: House, runs: Runs, engine: Scripted, searching: Searching
) -> None:
    engine.script = in_turns(asking("a", "b", "c"), asking("d"), answer("Never said."))
    searching.open("a", "b", "c", "d")
    response = await begin(house, runs, stream=False, max_tool_calls=2)
    assert [item["action"]["query"] for item in response["output"]] == ["a", "b"]
    assert response["status"] == "completed"
    assert len(engine.calls) == 2


async def test_a_client_that_leaves_stops_the_tools(
    house: House, runs: Runs, engine: Scripted, searching: Searching
) -> None:
    engine.script = in_turns(asking("a", "b"))
    events = await begin(house, runs)
    async for _ in events:
        if searching.running == 2:
            break
    await events.aclose()
    assert searching.stopped == 2
