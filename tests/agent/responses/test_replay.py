"""Whatever a response says is valid input again, as it came or as the official client dumps it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response
from tests.agent.responses.reading import SPEC, Json, counting, opened, seen, valid
from tests.agent.responses.test_telling import scripts

from inhouse.agent.responses.echo import echo
from inhouse.agent.responses.request import engine_body, new_items
from inhouse.agent.responses.telling import Manner, Telling
from inhouse.agent.turn import Event
from inhouse.clock import FrozenClock
from inhouse.engines.scripted import EVERYTHING

NAMES = {
    "tool_0": {"name": "f", "namespace": "space"},
    "tool_1": {"type": "tool_search_call"},
}


def output(script: list[list[Event]], manner: Manner) -> list[Json]:
    told = Telling(echo(valid(), "resp_1", 1, "m"), counting(), FrozenClock(), manner)
    told.begin("created", "in_progress")
    for batch in script:
        told.tell(batch)
    told.finish()
    return told.response["output"]


def answered(items: list[Json]) -> list[Json]:
    """The items, with the outputs that a client would send for their calls."""
    answers: list[Json] = []
    for item in items:
        call: Json = {"call_id": item.get("call_id")}
        match item["type"]:
            case "function_call" | "custom_tool_call" as kind:
                answers.append({"type": f"{kind}_output", **call, "output": "done"})
            case "tool_search_call":
                answers.append({"type": "tool_search_output", **call, "tools": []})
            case _:
                pass
    return [*items, *answers]


manners = st.builds(
    Manner,
    summary=st.booleans(),
    seal=st.sampled_from([None, lambda text: f"sealed:{text}"]),
    names=st.just(NAMES),
)


@given(scripts(), manners)
async def test_all_that_was_said_can_be_said_again(
    script: list[list[Event]], manner: Manner
) -> None:
    said = output(script, manner)
    asking = {"type": "message", "id": "msg_go", "role": "user", "content": "Go."}
    body = SPEC.check_body({"model": "m", "input": [asking, *answered(said)]})
    items = new_items(body, counting())
    assert [item["id"] for item in items[1 : len(said) + 1]] == [item["id"] for item in said]
    asked = await engine_body(body, items, EVERYTHING, seen, opened)
    text = "".join(
        part.get("text") or part.get("refusal") or ""
        for item in said
        if item["type"] == "message"
        for part in item["content"]
    )
    contents = [m["content"] or "" for m in asked["messages"] if m["role"] == "assistant"]
    assert "".join(contents) == text


@given(scripts(), manners)
def test_what_the_official_client_dumps_is_the_same_input(
    script: list[list[Event]], manner: Manner
) -> None:
    said = output(script, manner)
    response = Response.model_validate({**echo(valid(), "resp_1", 1, "m"), "output": said})
    dumped: list[Any] = [item.model_dump() for item in response.output]
    body = SPEC.check_body({"model": "m", "input": dumped})
    same = SPEC.check_body({"model": "m", "input": said})
    assert new_items(body, counting()) == new_items(same, counting())
