"""Items as the messages of a chat."""

from typing import Any

import pytest
from tests.agent.responses.reading import Json, refused, sent, told

from inhouse.engines import abilities
from inhouse.engines.scripted import EVERYTHING

PICTURE = "https://x/y.png"
USER: Json = {"role": "user", "content": "Hi"}


def call(number: int, **fields: Any) -> Json:
    made = {"type": "function_call", "call_id": f"call_{number}", "name": "f", "arguments": "{}"}
    return {**made, **fields}


def output(number: int, text: Any = "done") -> Json:
    return {"type": "function_call_output", "call_id": f"call_{number}", "output": text}


def thought(text: str, **fields: Any) -> Json:
    content = [{"type": "reasoning_text", "text": text}]
    return {"type": "reasoning", "id": f"rs_{text}", "summary": [], "content": content, **fields}


def said(text: str) -> Json:
    return {"role": "assistant", "content": text}


def chat_call(number: int, name: str = "f", arguments: str = "{}") -> Json:
    function = {"name": name, "arguments": arguments}
    return {"id": f"call_{number}", "type": "function", "function": function}


async def test_instructions_are_said_first() -> None:
    body = await sent(instructions="Be brief.", input=[{"role": "developer", "content": "a"}, USER])
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "a"},
        {"role": "user", "content": "Hi"},
    ]


async def test_what_a_model_said_in_one_go_is_one_message_and_outputs_follow_it() -> None:
    messages = await told(
        USER, thought("t"), said("I look."), call(1), call(2), output(2, "b"), output(1, "a"), USER
    )
    assert messages == [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [chat_call(1), chat_call(2)],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "a"},
        {"role": "tool", "tool_call_id": "call_2", "content": "b"},
        {"role": "user", "content": "Hi"},
    ]


async def test_calls_one_after_the_other_are_messages_of_their_own() -> None:
    messages = await told(USER, call(1), output(1), call(2), output(2))
    assert [message["role"] for message in messages] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
    ]


async def test_an_output_that_comes_late_is_told_behind_its_call() -> None:
    messages = await told(USER, call(1), USER, output(1))
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "user"]


async def test_a_call_that_was_broken_off_is_not_told() -> None:
    messages = await told(USER, said("a"), call(1, status="incomplete"), USER)
    assert messages[1] == {"role": "assistant", "content": "a"}


async def test_reasoning_of_this_turn_is_told_with_what_it_led_to() -> None:
    items = [USER, thought("old"), said("a"), USER, thought("new"), call(1), output(1)]
    first, second = [m for m in await told(*items) if m["role"] == "assistant"]
    assert "reasoning_content" not in first
    assert second["reasoning_content"] == "new"
    both = await told(*items, reasoning={"context": "all_turns"})
    assert [m.get("reasoning_content") for m in both if m["role"] == "assistant"] == ["old", "new"]


@pytest.mark.parametrize(
    "fields",
    [
        {"content": None, "encrypted_content": "sealed:t"},
        {"content": None, "summary": [{"type": "summary_text", "text": "t"}]},
        {"encrypted_content": "sealed:other"},
    ],
)
async def test_reasoning_is_read_from_its_text_else_unsealed_else_from_its_summary(
    fields: Json,
) -> None:
    messages = await told(USER, thought("t", **fields), call(1), output(1))
    assert messages[1]["reasoning_content"] == "t"


async def test_a_thought_that_came_to_nothing_is_not_told() -> None:
    assert len(await told(USER, thought("t"), USER)) == 2


async def test_a_refusal_is_what_the_assistant_said() -> None:
    refusal = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    assert (await told(USER, refusal, USER))[1] == {"role": "assistant", "content": "No."}


async def test_calls_of_custom_tools_and_of_namespaces_are_told_by_the_models_names() -> None:
    custom = {"type": "custom_tool_call", "call_id": "call_1", "name": "look", "input": "x"}
    answer = {"type": "custom_tool_call_output", "call_id": "call_1", "output": "seen"}
    messages = await told(USER, custom, answer, call(2, namespace="agents"), output(2))
    assert messages[1]["tool_calls"] == [
        {"id": "call_1", "type": "custom", "custom": {"name": "look", "input": "x"}}
    ]
    assert messages[3]["tool_calls"] == [chat_call(2, "agents__f")]


async def test_images_reach_a_model_that_sees() -> None:
    image = {"type": "input_image", "image_url": PICTURE, "detail": "original"}
    text = {"type": "input_text", "text": "What?"}
    messages = await told({"role": "user", "content": [text, image]})
    assert messages[0]["content"] == [
        {"type": "text", "text": "What?"},
        {
            "type": "image_url",
            "image_url": {
                "url": f"data:{PICTURE}@input[0].content[1].image_url",
                "detail": "high",
            },
        },
    ]


async def test_images_that_a_tool_gave_are_shown_behind_its_text() -> None:
    image = {"type": "input_image", "image_url": PICTURE}
    messages = await told(USER, call(1), output(1, [{"type": "input_text", "text": "a"}, image]))
    assert messages[2] == {"role": "tool", "tool_call_id": "call_1", "content": "a"}
    assert messages[3]["role"] == "user"
    assert messages[3]["content"][0]["image_url"]["url"].endswith("@input[2].output[1].image_url")


async def test_a_model_that_does_not_see_refuses_images_by_place() -> None:
    image = {"type": "input_image", "image_url": PICTURE}
    able = EVERYTHING - {abilities.VISION}
    message, param, _ = await refused(able, input=[USER, {"role": "user", "content": [image]}])
    assert "input_image is only supported by certain models" in message
    assert param == "input[1].content[0].type"


async def test_a_file_of_text_is_read() -> None:
    part = {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain,b%20c"}
    assert (await told({"role": "user", "content": [part]}))[0]["content"] == "a.txt:\nb c"


@pytest.mark.parametrize(
    ("items", "name", "arguments", "answer"),
    [
        (
            [
                {
                    "type": "local_shell_call",
                    "id": "lsh_1",
                    "call_id": "call_1",
                    "status": "completed",
                    "action": {"type": "exec", "command": ["ls"], "env": {}},
                },
                {"type": "local_shell_call_output", "id": "call_1", "output": "a.txt"},
            ],
            "local_shell",
            '{"type": "exec", "command": ["ls"], "env": {}}',
            "a.txt",
        ),
        (
            [
                {"type": "shell_call", "call_id": "call_1", "action": {"commands": ["ls"]}},
                {
                    "type": "shell_call_output",
                    "call_id": "call_1",
                    "output": [
                        {"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
                    ],
                },
            ],
            "shell",
            '{"commands": ["ls"]}',
            '[{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]',
        ),
        (
            [
                {
                    "type": "apply_patch_call",
                    "call_id": "call_1",
                    "status": "completed",
                    "operation": {"type": "delete_file", "path": "a"},
                },
                {"type": "apply_patch_call_output", "call_id": "call_1", "status": "failed"},
            ],
            "apply_patch",
            '{"type": "delete_file", "path": "a"}',
            "failed",
        ),
        (
            [
                {
                    "type": "tool_search_call",
                    "call_id": "call_1",
                    "arguments": {"query": "a"},
                    "execution": "client",
                },
                {
                    "type": "tool_search_output",
                    "call_id": "call_1",
                    "tools": [{"type": "custom", "name": "look"}],
                },
            ],
            "tool_search",
            '{"query": "a"}',
            '["look"]',
        ),
    ],
)
async def test_tools_that_the_client_runs_are_told_as_calls_with_outputs(
    items: list[Json], name: str, arguments: str, answer: str
) -> None:
    messages = await told(USER, *items)
    assert messages[1]["tool_calls"] == [chat_call(1, name, arguments)]
    assert messages[2] == {"role": "tool", "tool_call_id": "call_1", "content": answer}


@pytest.mark.parametrize(
    ("item", "name", "answer"),
    [
        (
            {
                "type": "file_search_call",
                "id": "fs_1",
                "status": "completed",
                "queries": ["a"],
                "results": [{"text": "found"}],
            },
            "file_search",
            '[{"text": "found"}]',
        ),
        (
            {
                "type": "web_search_call",
                "id": "ws_1",
                "status": "completed",
                "action": {"type": "search", "query": "a"},
            },
            "web_search",
            "completed",
        ),
        (
            {
                "type": "mcp_call",
                "id": "mcp_1",
                "server_label": "files",
                "name": "read",
                "arguments": "{}",
                "output": "text",
            },
            "files__read",
            "text",
        ),
        (
            {
                "type": "code_interpreter_call",
                "id": "ci_1",
                "status": "completed",
                "container_id": "c",
                "code": "1+1",
                "outputs": [{"type": "logs", "logs": "2"}],
            },
            "code_interpreter",
            '[{"type": "logs", "logs": "2"}]',
        ),
    ],
)
async def test_what_hosted_tools_did_is_told_as_calls_with_their_results(
    item: Json, name: str, answer: str
) -> None:
    messages = await told(USER, item, said("a"), USER)
    assert messages[1]["tool_calls"][0]["function"]["name"] == name
    assert messages[2] == {"role": "tool", "tool_call_id": item["id"], "content": answer}
    assert messages[3] == {"role": "assistant", "content": "a"}


async def test_what_a_computer_showed_is_seen() -> None:
    click = {
        "type": "computer_call",
        "id": "cu_1",
        "call_id": "call_1",
        "status": "completed",
        "pending_safety_checks": [],
        "action": {"type": "screenshot"},
    }
    shot = {"type": "computer_screenshot", "image_url": PICTURE}
    answer = {"type": "computer_call_output", "call_id": "call_1", "output": shot}
    messages = await told(USER, click, answer)
    assert messages[3]["content"][0]["type"] == "image_url"


async def test_items_that_only_set_something_say_nothing() -> None:
    update = {"type": "configuration_update", "reasoning": {"effort": "low"}}
    tools = {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "x", "tools": []}
    body = await sent(input=[update, tools, USER])
    assert body["messages"] == [{"role": "user", "content": "Hi"}]
    assert body["reasoning_effort"] == "low"
