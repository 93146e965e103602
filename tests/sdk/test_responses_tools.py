"""Tools of responses with the official client: what is declared, called, answered, replayed."""

from typing import TYPE_CHECKING, Any

import openai
import pytest
from tests.conftest import House

from inhouse.engines.scripted import Scripted, Step, answer
from inhouse.engines.text import Finish, Reasoning, TextCall, ToolCall, Usage
from inhouse.errors import BadRequest

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Json = dict[str, Any]
ADD: Json = {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": False}
AGENTS: Json = {
    "type": "namespace",
    "name": "agents",
    "description": "Tools for agents.",
    "tools": [ADD],
}
SEARCH: Json = {
    "type": "tool_search",
    "execution": "client",
    "description": "Finds tools.",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
}
MODEL = "gpt-5.2"


def calling(name: str, arguments: str = "{}", *, custom: bool = False) -> Any:
    """Calls a tool when a user asks, and says the outputs when they are there."""

    def script(call: TextCall) -> list[Step]:
        last = call.body["messages"][-1]
        if last["role"] != "user":
            return answer(f"It said: {last['content']}")
        kind = "custom" if custom else "function"
        made = ToolCall(0, 0, arguments, "call_1", name, kind)  # type: ignore[arg-type]
        return [[Reasoning(0, "Hm."), made], [Finish(0, "tool_calls"), Usage(2, 2)]]

    return script


async def whole_turn(client: "AsyncOpenAI", answer_of: Any, **body: Any) -> tuple[Any, Any]:
    """The response that calls, and the one that reads `answer_of(call)`; by reference."""
    first = await client.responses.create(model=MODEL, input="Go.", **body)
    call = first.output[-1]
    second = await client.responses.create(
        model=MODEL, previous_response_id=first.id, input=[answer_of(call)], **body
    )
    return call, second


def done(call: Any) -> Json:
    return {"type": f"{call.type}_output", "call_id": call.call_id, "output": "done"}


async def test_a_function_of_a_namespace_is_called_by_both_names(
    client: "AsyncOpenAI", engine: Scripted
) -> None:
    engine.script = calling("agents__add")
    call, second = await whole_turn(client, done, tools=[ADD, AGENTS])
    assert (call.type, call.name, call.namespace) == ("function_call", "add", "agents")
    assert second.output_text == "It said: done"
    told = engine.calls[-1].body["messages"][-2]
    assert told["tool_calls"][0]["function"]["name"] == "agents__add"


async def test_a_custom_tool_takes_free_text(client: "AsyncOpenAI", engine: Scripted) -> None:
    engine.script = calling("look", "at me", custom=True)
    call, second = await whole_turn(client, done, tools=[{"type": "custom", "name": "look"}])
    assert (call.type, call.input) == ("custom_tool_call", "at me")
    assert second.output_text == "It said: done"


async def test_tools_that_came_with_an_earlier_input_are_still_there(
    client: "AsyncOpenAI", engine: Scripted
) -> None:
    engine.script = answer("Ready.")
    brought: Any = [{"type": "additional_tools", "role": "developer", "tools": [AGENTS]}]
    user: Any = {"role": "user", "content": "Hi"}
    first = await client.responses.create(model=MODEL, input=[*brought, user])
    engine.script = calling("agents__add")
    second = await client.responses.create(model=MODEL, input="Go.", previous_response_id=first.id)
    call: Any = second.output[-1]
    assert (call.name, call.namespace) == ("add", "agents")


async def test_a_search_for_tools_is_run_by_the_client(
    client: "AsyncOpenAI", engine: Scripted
) -> None:
    engine.script = calling("tool_search", '{"query": "sums"}')
    call, _ = await whole_turn(
        client,
        lambda call: {"type": "tool_search_output", "call_id": call.call_id, "tools": [ADD]},
        tools=[SEARCH],
    )
    assert (call.type, call.execution, call.status) == ("tool_search_call", "client", "completed")
    assert call.arguments == {"query": "sums"}
    names = [tool["function"]["name"] for tool in engine.calls[-1].body["tools"]]
    assert names == ["tool_search", "add"]


async def test_a_search_for_tools_is_told_when_it_begins_and_when_it_is_whole(
    client: "AsyncOpenAI", engine: Scripted
) -> None:
    engine.script = calling("tool_search", '{"query": "sums"}')
    tools: Any = [SEARCH]
    stream = await client.responses.create(model=MODEL, input="Go.", tools=tools, stream=True)
    events: list[Any] = [event async for event in stream]
    told = [event for event in events if event.type.startswith("response.output_item")]
    begun, whole = [event.item for event in told if event.item.type == "tool_search_call"]
    assert (begun.status, begun.arguments) == ("in_progress", {})
    assert (whole.status, whole.arguments) == ("completed", {"query": "sums"})
    assert events[-1].response.output[-1] == whole


async def test_a_whole_stateless_turn_is_replayed_with_its_sealed_thoughts(
    client: "AsyncOpenAI", engine: Scripted
) -> None:
    engine.script = calling("add")
    context: list[Any] = [{"role": "user", "content": "Go."}]
    asked: Json = {
        "model": MODEL,
        "store": False,
        "tools": [ADD],
        "include": ["reasoning.encrypted_content"],
    }
    first = await client.responses.create(input=context, **asked)
    context += first.output
    context.append(done(first.output[-1]))
    second = await client.responses.create(input=context, **asked)
    assert second.output_text == "It said: done"
    assert engine.calls[-1].body["messages"][1]["reasoning_content"] == "Hm."


async def test_thoughts_sealed_by_someone_else_are_refused(client: "AsyncOpenAI") -> None:
    thought: Any = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    user: Any = {"role": "user", "content": "Go."}
    with pytest.raises(openai.BadRequestError) as caught:
        await client.responses.create(model=MODEL, input=[thought, user])
    assert caught.value.code == "invalid_encrypted_content"


async def test_what_the_engine_refuses_is_told_by_the_requests_own_names(
    client: "AsyncOpenAI", engine: Scripted
) -> None:
    param = "tools[0].function.parameters"
    engine.script = [BadRequest(f"Invalid '{param}': too deep.", param=param)]
    tools: Any = [{"type": "web_search", "external_web_access": False}, ADD]
    with pytest.raises(openai.BadRequestError, match="too deep") as caught:
        await client.responses.create(model=MODEL, input="Go.", tools=tools)
    assert caught.value.param == "tools[1].parameters"


@pytest.mark.parametrize("stored", [True, False])
async def test_outputs_without_calls_and_calls_without_outputs_are_refused(
    house: House, engine: Scripted, *, stored: bool
) -> None:
    client = house.client()
    engine.script = calling("add")
    stray: Any = {"type": "function_call_output", "call_id": "call_9", "output": "x"}
    with pytest.raises(openai.BadRequestError, match=r"No tool call found .* call_id call_9"):
        await client.responses.create(model=MODEL, input=[stray], store=stored)
    first = await client.responses.create(model=MODEL, input="Go.", tools=[ADD])
    with pytest.raises(openai.BadRequestError, match=r"No tool output found .* call_1"):
        await client.responses.create(
            model=MODEL, input="And?", previous_response_id=first.id, store=stored
        )


async def test_a_compacted_context_goes_on(client: "AsyncOpenAI", engine: Scripted) -> None:
    engine.script = lambda call: answer(
        "They met." if "Sum up" in str(call.body["messages"][-1]) else "Hello."
    )
    first = await client.responses.create(model=MODEL, input="I am Ann.")
    short = await client.responses.compact(model=MODEL, previous_response_id=first.id)
    assert [item.type for item in short.output] == ["message", "compaction"]
    output: Any = short.to_dict(warnings=False)["output"]  # the SDK expects no user in an output
    items: Any = [*output, {"role": "user", "content": "Who am I?"}]
    await client.responses.create(model=MODEL, input=items)
    said = [str(message["content"]) for message in engine.calls[-1].body["messages"]]
    assert said[0] == "I am Ann."
    assert said[1].endswith("They met.")
    assert said[2] == "Who am I?"
