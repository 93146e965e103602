"""The stream, the object and the log of one script are one, and what was said can be said again."""

import random
from typing import Any

import pytest
from openai import AsyncOpenAI
from tests.sdk.responding import create, ended, heard

from inhouse.agent.responses.fold import Fold
from inhouse.engines.scripted import Scripted
from inhouse.engines.text import Delta, Finish, Reasoning, Refusal, Text, ToolCall, Usage

Json = dict[str, Any]
TOOLS = [
    {"type": "function", "name": "look", "parameters": {"type": "object"}},
    {"type": "custom", "name": "write"},
]
OWN = ("id", "created_at", "completed_at", "background", "store")


def script(choice: random.Random) -> list[list[Delta]]:
    """What a model may say: some of everything, cut into batches anywhere."""
    deltas: list[Delta] = []
    for _ in range(choice.randrange(4)):
        kind = choice.choice((Text, Refusal, Reasoning))
        deltas += [kind(0, f"{choice.randrange(100)} ") for _ in range(choice.randrange(1, 4))]
    for index in range(choice.randrange(3)):
        tool = choice.choice(("look", "write"))
        kind = "function" if tool == "look" else "custom"
        deltas += [
            ToolCall(0, index, "{", f"call_{index}", tool, kind),
            ToolCall(0, index, "}", kind=kind),
        ]
    end = choice.choice(("stop", "stop", "length", "content_filter"))
    deltas += [Finish(0, end), Usage(choice.randrange(1, 9), len(deltas) + 1)]
    batches: list[list[Delta]] = [[]]
    for delta in deltas:
        batches[-1].append(delta)
        if choice.random() < 0.4:
            batches.append([])
    return batches


def plain(response: Json) -> Json:
    """The object without what no two of them share."""
    bare = {name: value for name, value in response.items() if name not in OWN}
    output = [{k: v for k, v in item.items() if k != "id"} for item in response["output"]]
    return {**bare, "output": output}


@pytest.mark.parametrize("seed", range(30))
async def test_all_ways_to_read_a_run_agree(
    client: AsyncOpenAI, engine: Scripted, seed: int
) -> None:
    choice = random.Random(seed)  # noqa: S311 - the same scripts in every run
    engine.script = script(choice)
    reasoning = choice.choice(({}, {"reasoning": {"summary": "auto"}}))
    asked: Json = {"tools": TOOLS, **reasoning}
    whole = (await create(client, **asked)).to_dict()
    events: Any = [e.to_dict() for e in await heard(await create(client, stream=True, **asked))]
    fold = Fold(events)
    assert fold.ended
    assert not fold.open
    assert fold.response["output"] == fold.output
    assert plain(fold.response) == plain(whole)
    begun = await create(client, background=True, **asked)
    kept = (await ended(client, begun.id)).to_dict()
    log: Any = await client.responses.retrieve(begun.id, stream=True)
    again = Fold([event.to_dict() for event in await heard(log)])  # type: ignore[misc]
    assert again.response == kept
    assert again.output == kept["output"]
    assert plain(kept) == plain(whole)
    await _say_again(client, whole["output"])


async def _say_again(client: AsyncOpenAI, output: list[Json]) -> None:
    outputs = [
        {"type": f"{item['type']}_output", "call_id": item["call_id"], "output": "done"}
        for item in output
        if item["type"] in {"function_call", "custom_tool_call"}
    ]
    given = [*output, *outputs, {"role": "user", "content": "Go on."}]
    assert (await create(client, input=given, tools=TOOLS, store=False)).id
