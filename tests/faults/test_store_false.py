"""What is not to be stored is in no file: not for a moment, not in a log that is written ahead."""

from dataclasses import dataclass
from typing import Any

import pytest
from openai import AsyncOpenAI
from tests.conftest import House
from tests.sdk.responding import create, heard

from inhouse.engines.scripted import Scripted, Step
from inhouse.engines.text import Finish, Reasoning, Refusal, Text, ToolCall, Usage
from inhouse.errors import ServerError

WORDS = ("input", "instructions", "metadata", "output", "refusal", "thought", "arguments", "tool")


@dataclass(frozen=True)
class Secrets:
    """Unusual texts, one of each kind, that no other request has."""

    round: str

    def __getitem__(self, kind: str) -> str:
        assert kind in WORDS
        return f"zyx{kind}{self.round}qvw"

    def found(self, house: House) -> set[str]:
        """The kinds whose text is in a file of the data folder."""
        files = [path for path in house.services.settings.data.rglob("*") if path.is_file()]
        assert any(path.name.endswith("-wal") for path in files)
        contents = [path.read_bytes() for path in files]
        return {kind for kind in WORDS if any(self[kind].encode() in each for each in contents)}


def saying(secrets: Secrets, end: str) -> list[Step]:
    """A script that says a text of every kind, and ends well or not."""
    call = ToolCall(0, 0, f'{{"x": "{secrets["arguments"]}"}}', "call_1", "add")
    said: list[Step] = [
        [Reasoning(0, secrets["thought"])],
        [Text(0, secrets["output"]), Refusal(0, secrets["refusal"])],
        [call],
    ]
    if end == "failed":
        return [*said, ServerError("lost")]
    return [*said, [Finish(0, "length" if end == "incomplete" else "tool_calls"), Usage(3, 3)]]


async def ask(client: AsyncOpenAI, secrets: Secrets, *, stream: bool, **asked: Any) -> None:
    """A request that has a text of every kind."""
    described: Any = {
        "type": "function",
        "name": "add",
        "description": secrets["tool"],
        "parameters": {"type": "object"},
    }
    answer = await create(
        client,
        input=secrets["input"],
        instructions=secrets["instructions"],
        metadata={"note": secrets["metadata"]},
        tools=[described],
        stream=stream,
        **asked,
    )
    if stream:
        assert "response.output_text.delta" in {event.type for event in await heard(answer)}


@pytest.mark.parametrize("place", ["alone", "conversation", "previous"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("store", [True, False])
async def test_what_is_not_stored_is_in_no_file(
    house: House, engine: Scripted, *, store: bool, stream: bool, place: str
) -> None:
    client, asked = house.client(), await placed(house, place)
    for end in ("completed", "incomplete"):
        secrets = Secrets(f"{end}{stream}")
        engine.script = saying(secrets, end)
        if place == "conversation" and store:  # a call without its output ends a conversation
            asked = await placed(house, place)
        await ask(client, secrets, stream=stream, store=store, **asked)
        assert secrets.found(house) == (set(WORDS) if store else set())
    assert len(engine.calls) == 2 + (place == "previous")


async def placed(house: House, place: str) -> dict[str, str]:
    """What says where a request goes on."""
    client = house.client()
    match place:
        case "conversation":
            return {"conversation": (await client.conversations.create()).id}
        case "previous":
            return {"previous_response_id": (await create(client)).id}
        case _:
            return {}


@pytest.mark.parametrize("store", [True, False])
async def test_what_a_failed_stream_said_is_in_no_file(
    house: House, engine: Scripted, *, store: bool
) -> None:
    secrets = Secrets("failed")
    engine.script = saying(secrets, "failed")
    await ask(house.client(), secrets, stream=True, store=store)
    assert secrets.found(house) == (set(WORDS) if store else set())


async def test_what_a_client_left_in_the_middle_is_in_no_file(
    house: House, engine: Scripted
) -> None:
    secrets = Secrets("left")
    engine.script = [*saying(secrets, "completed")[:-1], 30.0]
    stream = await create(house.client(), input=secrets["input"], stream=True, store=False)
    async for event in stream:
        if event.type == "response.function_call_arguments.delta":
            break
    await stream.close()
    assert secrets.found(house) == set()
