"""What `input` may be, item by item and part by part, through the official client.

Declared tools and their calls are in `test_responses_tools.py`.
"""

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError
from tests.sdk.covering import Covering

from inhouse.contract import Contract
from inhouse.engines.scripted import Scripted

Json = dict[str, Any]
part = Covering()
item = Covering()
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8)).decode()
USER: Json = {"role": "user", "content": "Go on."}


@pytest.fixture
def ask(client: AsyncOpenAI) -> Any:
    """Ask with the items under test."""

    async def ask(*items: Json, model: str = "scripted", **more: Any) -> Any:
        given: Json = {"model": model, "input": list(items), **more}
        return await client.responses.create(**given)

    return ask


async def refused(asked: Any) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        await asked
    return caught.value


def told(engine: Scripted) -> list[Json]:
    """The messages of the last call."""
    return engine.calls[-1].body["messages"]


def kinds(schema: Json, definitions: Mapping[str, Json]) -> set[str]:
    """The values of `type` in the branches of a union."""
    if "$ref" in schema:
        return kinds(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    if "anyOf" in schema:
        return {kind for branch in schema["anyOf"] for kind in kinds(branch, definitions)}
    values = schema["properties"]["type"]["enum"]
    return {value for value in values if value is not None}


def test_every_kind_of_item_and_part_has_a_test_of_its_own() -> None:
    spec = Contract.load().operations["POST /responses"]
    given = spec.body_schema["properties"]["input"]["anyOf"]
    (items,) = [each for each in given if "items" in each]
    assert item.names == kinds(items["items"], spec.definitions)
    content = spec.definitions["EasyInputMessageParam~open"]["properties"]["content"]["anyOf"]
    (parts,) = [each for each in content if "items" in each]
    assert part.names == kinds(parts["items"], spec.definitions)


@item("message")
async def test_messages_of_every_role_are_read_in_their_order(ask: Any, engine: Scripted) -> None:
    await ask(
        {"role": "developer", "content": "Be brief."},
        {"type": "message", "role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello.", "phase": "final_answer"},
        USER,
    )
    assert [(message["role"], message["content"]) for message in told(engine)] == [
        ("developer", "Be brief."),
        ("system", "Be kind."),
        ("user", "Hi"),
        ("assistant", "Hello."),
        ("user", "Go on."),
    ]


@part("input_text", "output_text", "refusal")
async def test_texts_are_read_whoever_said_them(ask: Any, engine: Scripted) -> None:
    texts = [{"type": "input_text", "text": "One"}, {"type": "input_text", "text": "Two"}]
    said = [{"type": "output_text", "text": "Three"}, {"type": "refusal", "refusal": " not"}]
    await ask({"role": "user", "content": texts}, {"role": "assistant", "content": said}, USER)
    first, second, _ = told(engine)
    assert [each["text"] for each in first["content"]] == ["One", "Two"]
    assert second["content"] == "Three not"


@part("input_image")
async def test_an_image_goes_to_a_model_that_sees_and_to_no_other(
    ask: Any, engine: Scripted
) -> None:
    image = {"type": "input_image", "image_url": PNG, "detail": "low"}
    message = {"role": "user", "content": [image]}
    await ask(message)
    (shown,) = told(engine)[0]["content"]
    assert shown == {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}
    assert (await refused(ask(message, model="plain"))).param == "input[0].content[0].type"


@pytest.mark.parametrize(
    ("image", "param"),
    [
        ({"image_url": "data:image/png;base64,!!!!"}, "image_url"),
        ({"image_url": "data:text/plain;base64,aGVsbG8="}, "image_url"),
        ({"image_url": "ftp://example.com/a.png"}, "image_url"),
        ({"file_id": "file-1"}, "file_id"),
        ({}, "image_url"),
    ],
)
async def test_what_is_no_image_is_refused(ask: Any, image: Json, param: str) -> None:
    content = [{"type": "input_image", "detail": "auto", **image}]
    error = await refused(ask({"role": "user", "content": content}))
    assert error.param == f"input[0].content[0].{param}"


@part("input_file")
async def test_a_file_of_text_is_read(ask: Any, engine: Scripted) -> None:
    data = "data:text/plain;base64," + base64.b64encode(b"Tea at five.").decode()
    file = {"type": "input_file", "filename": "plan.txt", "file_data": data}
    await ask({"role": "user", "content": [file]})
    assert told(engine)[0]["content"] == "plan.txt:\nTea at five."


@pytest.mark.parametrize(
    ("file", "param"),
    [
        ({"file_data": "data:application/pdf;base64,JVBERg=="}, "file_data"),
        ({"file_data": "data:text/plain;base64,/w=="}, "file_data"),
        ({"file_id": "file-1"}, "file_id"),
        ({"file_url": "https://example.com/a.txt"}, "file_url"),
        ({}, "file_data"),
    ],
)
async def test_other_files_are_refused_by_name(ask: Any, file: Json, param: str) -> None:
    content = [{"type": "input_file", **file}]
    error = await refused(ask({"role": "user", "content": content}))
    assert error.param == f"input[0].content[0].{param}"


@item("reasoning")
async def test_thoughts_are_told_to_the_model_with_what_they_led_to(
    ask: Any, engine: Scripted
) -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": []}
    thought["content"] = [{"type": "reasoning_text", "text": "Hm."}]
    said = {"role": "assistant", "content": "Yes."}
    await ask(thought, said, USER, reasoning={"context": "all_turns"})
    assert told(engine)[0] == {
        "role": "assistant",
        "content": "Yes.",
        "reasoning_content": "Hm.",
    }


@item("item_reference")
async def test_a_reference_stands_for_the_item(ask: Any, engine: Scripted) -> None:
    first = await ask({"role": "user", "content": "Hi"})
    await ask({"type": "item_reference", "id": first.output[0].id}, USER)
    assert told(engine)[0] == {"role": "assistant", "content": "Hello there."}
    with pytest.raises(NotFoundError) as caught:
        await ask({"type": "item_reference", "id": "msg_nobody"}, USER)
    assert caught.value.param == "input"


@item("compaction", "compaction_trigger")
async def test_a_context_is_compacted_where_the_input_says_so(ask: Any, engine: Scripted) -> None:
    done = await ask({"role": "user", "content": "Hi"}, {"type": "compaction_trigger"})
    (compaction,) = done.output
    assert (compaction.type, done.status) == ("compaction", "completed")
    await ask(compaction.to_dict(), USER)
    assert told(engine)[0]["content"].endswith("Hello there.")
    early = await refused(ask({"type": "compaction_trigger"}, USER))
    assert early.param == "input[0]"
    nothing = await refused(ask({"type": "compaction_trigger"}))
    assert (nothing.param, nothing.code) == ("input", "missing_required_parameter")


@item("configuration_update")
async def test_settings_in_the_input_hold_from_then_on(ask: Any, engine: Scripted) -> None:
    update = {"type": "configuration_update", "reasoning": {"effort": "high"}}
    first = await ask(update, USER)
    assert engine.calls[0].body["reasoning_effort"] == "high"
    await ask(USER, previous_response_id=first.id)
    assert engine.calls[1].body["reasoning_effort"] == "high"
    await ask(USER, previous_response_id=first.id, reasoning={"effort": "low"})
    assert engine.calls[2].body["reasoning_effort"] == "low"


@item("additional_tools")
async def test_tools_in_the_input_are_offered(ask: Any, engine: Scripted) -> None:
    add = {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": False}
    await ask({"type": "additional_tools", "role": "developer", "tools": [add]}, USER)
    (offered,) = engine.calls[0].body["tools"]
    assert offered["function"]["name"] == "add"


SHELL: Json = {"type": "exec", "command": ["ls"], "env": {}}
PAIRS: list[tuple[Json, Json]] = [
    (
        {"type": "function_call", "name": "add", "arguments": "{}"},
        {"type": "function_call_output", "output": "told"},
    ),
    (
        {"type": "custom_tool_call", "name": "look", "input": "up"},
        {"type": "custom_tool_call_output", "output": "told"},
    ),
    (
        {"type": "tool_search_call", "execution": "client", "arguments": {"query": "sums"}},
        {
            "type": "tool_search_output",
            "execution": "client",
            "tools": [{"type": "custom", "name": "told"}],
        },
    ),
    (
        {"type": "local_shell_call", "id": "lsh_1", "status": "completed", "action": SHELL},
        {"type": "local_shell_call_output", "id": "call_1", "output": "told"},
    ),
    (
        {"type": "shell_call", "action": {"commands": ["ls"]}},
        {
            "type": "shell_call_output",
            "output": [
                {"stdout": "told", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
            ],
        },
    ),
    (
        {
            "type": "apply_patch_call",
            "status": "completed",
            "operation": {"type": "delete_file", "path": "a.txt"},
        },
        {"type": "apply_patch_call_output", "status": "completed", "output": "told"},
    ),
]


@item(*(each["type"] for pair in PAIRS for each in pair))
@pytest.mark.parametrize(("call", "output"), PAIRS, ids=[pair[0]["type"] for pair in PAIRS])
async def test_a_call_and_its_output_are_read_together(
    ask: Any, engine: Scripted, call: Json, output: Json
) -> None:
    pair = {"call_id": "call_1"}
    await ask(USER, {**call, **pair}, {**pair, **output}, USER)
    _, asked, answered, _ = told(engine)
    (made,) = asked["tool_calls"]
    assert (answered["role"], answered["tool_call_id"]) == ("tool", made["id"])
    assert "told" in answered["content"]
    error = await refused(ask(USER, {**pair, **output}))
    assert (error.param, "No tool call found" in error.message) == ("input", True)


@item("computer_call", "computer_call_output")
async def test_a_picture_of_a_screen_is_seen(ask: Any, engine: Scripted) -> None:
    call = {
        "type": "computer_call",
        "id": "cu_1",
        "call_id": "call_1",
        "status": "completed",
        "pending_safety_checks": [],
        "action": {"type": "screenshot"},
    }
    screen = {"type": "computer_screenshot", "image_url": PNG}
    await ask(USER, call, {"type": "computer_call_output", "call_id": "call_1", "output": screen})
    *_, seen = told(engine)
    assert seen["content"][0]["image_url"]["url"] == PNG


HOSTED: list[tuple[Json, str]] = [
    (
        {
            "type": "file_search_call",
            "id": "fs_1",
            "status": "completed",
            "queries": ["tea"],
            "results": [{"text": "Tea at five."}],
        },
        "Tea at five.",
    ),
    (
        {
            "type": "web_search_call",
            "id": "ws_1",
            "status": "completed",
            "action": {"type": "search", "query": "tea"},
        },
        "completed",
    ),
    (
        {
            "type": "code_interpreter_call",
            "id": "ci_1",
            "status": "completed",
            "container_id": "cntr_1",
            "code": "1 + 1",
            "outputs": [{"type": "logs", "logs": "2"}],
        },
        '"logs": "2"',
    ),
    (
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": None},
        "completed",
    ),
    (
        {"type": "mcp_call", "id": "mcp_1", "server_label": "s", "name": "f", "arguments": "{}"}
        | {"output": "Done."},
        "Done.",
    ),
]


@item(*(each["type"] for each, _ in HOSTED))
@pytest.mark.parametrize(("call", "said"), HOSTED, ids=[each["type"] for each, _ in HOSTED])
async def test_what_a_hosted_tool_did_is_read_with_its_result(
    ask: Any, engine: Scripted, call: Json, said: str
) -> None:
    await ask(USER, call, USER)
    _, asked, answered, _ = told(engine)
    assert asked["tool_calls"][0]["id"] == answered["tool_call_id"] == call["id"]
    assert said in answered["content"]


@item("mcp_list_tools", "mcp_approval_request")
@pytest.mark.parametrize(
    "silent",
    [
        {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "s", "tools": []},
        {
            "type": "mcp_approval_request",
            "id": "mcpr_1",
            "server_label": "s",
            "name": "f",
            "arguments": "{}",
        },
    ],
    ids=["mcp_list_tools", "mcp_approval_request"],
)
async def test_what_says_nothing_to_the_model_is_taken(
    ask: Any, engine: Scripted, silent: Json
) -> None:
    await ask(silent, USER)
    assert told(engine) == [USER]


@item("mcp_approval_response", "program", "program_output")
@pytest.mark.parametrize(
    "unknown",
    [
        {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
        {"type": "program", "id": "prog_1", "call_id": "c", "code": "1", "fingerprint": "f"},
        {
            "type": "program_output",
            "id": "po_1",
            "call_id": "c",
            "result": "1",
            "status": "completed",
        },
    ],
    ids=lambda unknown: unknown["type"],
)
async def test_what_needs_a_tool_that_is_not_here_is_refused(ask: Any, unknown: Json) -> None:
    error = await refused(ask(unknown, USER))
    assert (error.param, error.code) == ("input[0].type", "unsupported_value")


async def test_an_item_may_be_there_once(ask: Any) -> None:
    message = {"type": "message", "id": "msg_1", "status": "completed", **USER}
    error = await refused(ask(message, message))
    assert (error.param, "Duplicate item" in error.message) == ("input", True)


async def test_a_part_that_nobody_knows_is_refused(ask: Any) -> None:
    content = [{"type": "input_smell", "text": "Tea"}]
    error = await refused(ask({"role": "user", "content": content}))
    assert (error.param or "").startswith("input[0]")


@pytest.mark.parametrize("given", [None, []])
async def test_nothing_at_all_is_no_input(client: AsyncOpenAI, given: Any) -> None:
    error = await refused(client.responses.create(model="scripted", input=given))
    assert (error.param, error.code) == ("input", "missing_required_parameter")


async def test_an_empty_input_goes_on_from_what_was_said(ask: Any, engine: Scripted) -> None:
    first = await ask(USER)
    await ask(previous_response_id=first.id)
    assert [message["role"] for message in told(engine)] == ["user", "assistant"]


@pytest.mark.parametrize("stream", [True, False])
async def test_an_empty_conversation_is_no_input(
    ask: Any, client: AsyncOpenAI, *, stream: bool
) -> None:
    conversation = await client.conversations.create()
    error = await refused(ask(conversation=conversation.id, stream=stream))
    assert (error.param, error.code) == ("input", "missing_required_parameter")
    assert (await ask(USER, conversation=conversation.id)).status == "completed"  # it is not locked
