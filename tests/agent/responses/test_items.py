"""Input made into whole items, as they are stored and listed."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.agent.bodies import values
from tests.agent.responses.reading import SPEC, Json, counting, valid
from tests.oracle import check_response

from inhouse.agent.responses import pairs
from inhouse.agent.responses.items import new_items, references, resolved, triggers_compaction
from inhouse.agent.responses.kinds import KINDS
from inhouse.errors import BadRequest, NotFound

PICTURE = "data:image/png;base64,AAAA"
NOTE = "data:text/plain;base64,aGVsbG8="


def items(*given: Json) -> list[Json]:
    return new_items(valid(input=list(given)), counting())


def refusal(*given: Json) -> tuple[str, str | None]:
    with pytest.raises(BadRequest) as caught:
        items(*given)
    return caught.value.message, caught.value.param


def listed(found: list[Json]) -> None:
    """The list that `responses.input_items` would answer is one that OpenAI could have given."""
    ends = {"first_id": found[0]["id"], "last_id": found[-1]["id"], "has_more": False}
    key = "GET /responses/{response_id}/input_items"
    check_response(key, 200, {"object": "list", "data": found, **ends})


def test_a_text_is_one_message_of_the_user() -> None:
    assert new_items(valid(input="Hi"), counting()) == [
        {
            "id": "msg_0",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_text", "text": "Hi"}],
        }
    ]
    assert new_items(valid(input=None, previous_response_id="resp_1"), counting()) == []


def test_messages_are_made_whole_whatever_form_they_come_in() -> None:
    found = items(
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "output_text", "text": "a"}], "type": "message"},
        {"role": "assistant", "content": "b", "phase": "commentary"},
        {"role": "assistant", "content": [{"type": "input_text", "text": "c"}]},
        {
            "role": "user",
            "content": [
                {"type": "input_image", "image_url": PICTURE},
                {"type": "input_file", "filename": "n.txt", "file_data": NOTE},
                {"type": "refusal", "refusal": "d"},
            ],
        },
    )
    listed(found)
    assert [item["content"][0]["type"] for item in found[:4]] == [
        "input_text",
        "input_text",
        "output_text",
        "output_text",
    ]
    assert found[2]["phase"] == "commentary"
    assert found[4]["content"] == [
        {"type": "input_image", "image_url": PICTURE, "detail": "auto"},
        {"type": "input_file", "filename": "n.txt", "file_data": NOTE},
        {"type": "input_text", "text": "d"},
    ]


def test_what_clients_replay_and_the_api_does_not_know_is_left_out() -> None:
    call: Json = {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "f",
        "arguments": "{}",
        "parsed_arguments": {},
        "async_": None,
        "namespace": None,
        "status": None,
    }
    said = {"type": "output_text", "text": "a", "annotations": [], "logprobs": None, "parsed": 1}
    message = {"type": "message", "role": "assistant", "id": "msg_1", "content": [said]}
    found = items(call, {**message, "status": "incomplete"})
    assert found[0] == {
        "id": "fc_1",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": "f",
        "arguments": "{}",
    }
    assert found[1]["status"] == "incomplete"
    assert found[1]["content"] == [
        {"type": "output_text", "text": "a", "annotations": [], "logprobs": []}
    ]


def test_ids_of_the_client_are_kept_where_they_are_of_the_items_kind() -> None:
    found = items(
        {"role": "user", "content": "a", "id": "msg_mine"},
        {"role": "user", "content": "b", "id": "fc_mine"},
        {"role": "user", "content": "c", "id": "msg_ /etc"},
    )
    assert [item["id"] for item in found] == ["msg_mine", "msg_0", "msg_1"]


def test_an_item_that_is_there_twice_is_refused() -> None:
    message = {"role": "user", "content": "a", "id": "msg_1"}
    words, param = refusal(message, message)
    assert words.startswith("Duplicate item found with id msg_1.")
    assert param == "input"


def test_references_are_found_by_the_caller() -> None:
    found = items(
        {"id": "msg_9"}, {"type": "item_reference", "id": "rs_1"}, {"role": "user", "content": "a"}
    )
    assert references(found) == ["msg_9", "rs_1"]
    known = {
        "msg_9": {"type": "message", "id": "msg_9"},
        "rs_1": {"type": "reasoning", "id": "rs_1"},
    }
    assert [item["type"] for item in resolved(found, known)] == ["message", "reasoning", "message"]
    with pytest.raises(NotFound, match="Item with id 'rs_1' not found") as caught:
        resolved(found, {"msg_9": {}})
    assert caught.value.param == "input"


def test_a_trigger_for_compaction_is_the_last_item_and_no_item_of_its_own() -> None:
    trigger: Json = {"type": "compaction_trigger"}
    user: Json = {"role": "user", "content": "a"}
    assert triggers_compaction(valid(input=[user, trigger]))
    assert not triggers_compaction(valid(input=[user]))
    assert not triggers_compaction(valid(input="a"))
    assert len(items(user, trigger)) == 1
    assert refusal(trigger, user)[1] == "input[0]"


@pytest.mark.parametrize(
    "item",
    [
        {"type": "program", "id": "p", "call_id": "c", "code": "", "fingerprint": ""},
        {"type": "program_output", "id": "p", "call_id": "c", "result": "", "status": "completed"},
        {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
    ],
)
def test_items_that_need_what_is_not_here_are_refused_by_type(item: Json) -> None:
    words, param = refusal({"role": "user", "content": "a"}, item)
    assert words == f"Input items of type '{item['type']}' are not supported by this server yet."
    assert param == "input[1].type"


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "input_image", "file_id": "file-1"}, "file_id"),
        ({"type": "input_image"}, "image_url"),
        ({"type": "input_file", "file_id": "file-1"}, "file_id"),
        ({"type": "input_file", "file_url": "https://x/y"}, "file_url"),
        ({"type": "input_file"}, "file_data"),
        ({"type": "input_file", "file_data": "data:application/pdf;base64,AA=="}, "file_data"),
        ({"type": "input_file", "file_data": "AA=="}, "file_data"),
        ({"type": "input_file", "file_data": "data:text/plain;base64,!"}, "file_data"),
        ({"type": "input_file", "file_data": "data:text/plain;base64,/w=="}, "file_data"),
    ],
)
def test_parts_that_cannot_be_read_are_refused_by_place(part: Json, param: str) -> None:
    assert refusal({"role": "user", "content": [part]})[1] == f"input[0].content[0].{param}"
    output = {"type": "function_call_output", "call_id": "call_1", "output": [part]}
    assert refusal(output)[1] == f"input[0].output[0].{param}"


def test_every_kind_of_item_of_the_api_is_taken_or_refused_by_name() -> None:
    union = SPEC.body_schema["properties"]["input"]["anyOf"][1]["items"]["anyOf"]
    types = {
        kind
        for branch in union
        for kind in SPEC.definitions[branch["$ref"][8:]]["properties"]["type"]["enum"]
    }
    missing = types - set(KINDS) - {None, "item_reference", "compaction_trigger"}
    assert missing == {"program", "program_output", "mcp_approval_response"}


_INPUT = SPEC.body_schema["properties"]["input"]["anyOf"][1]


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(values(SPEC, _INPUT).map(lambda given: {"model": "m", "input": given}))
def test_whole_items_are_valid_input_that_stays_as_it_is(body: Json) -> None:
    try:
        found = new_items(SPEC.check_body(body), counting())
    except BadRequest:
        return
    again = SPEC.check_body({"model": "m", "input": found})
    assert new_items(again, counting()) == found


def call(number: int, kind: str = "function_call", **fields: Any) -> Json:
    return {"type": kind, "call_id": f"call_{number}", "name": "f", **fields}


def output(number: int, kind: str = "function_call_output") -> Json:
    return {"type": kind, "call_id": f"call_{number}", "output": ""}


@pytest.mark.parametrize(
    "context",
    [
        [call(1), output(1)],
        [call(1), call(2), output(2), output(1)],
        [call(1), {"type": "message"}, output(1), output(1)],
        [call(1, status="incomplete")],
        [call(1, "custom_tool_call"), output(1, "custom_tool_call_output")],
        [call(1, "local_shell_call"), {"type": "local_shell_call_output", "id": "call_1"}],
        [
            {"type": "tool_search_call", "call_id": None},
            {"type": "tool_search_output", "call_id": None},
        ],
        [{"type": "web_search_call", "id": "ws_1"}],
    ],
)
def test_calls_with_their_outputs_pass(context: list[Json]) -> None:
    pairs.check(context)


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ([output(1)], "No tool call found for function call output with call_id call_1."),
        ([output(1), call(1)], "No tool call found for function call output with call_id call_1."),
        ([call(1)], "No tool output found for function call call_1."),
        ([call(1, "custom_tool_call")], "No tool output found for custom tool call call_1."),
        (
            [call(1), output(1, "custom_tool_call_output")],
            "No tool call found for custom tool call output with call_id call_1.",
        ),
    ],
)
def test_calls_and_outputs_that_stand_alone_are_refused(context: list[Json], words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        pairs.check(context)
    assert (caught.value.message, caught.value.param) == (words, "input")
