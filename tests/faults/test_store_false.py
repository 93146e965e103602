"""What is said with `store: false` is not written anywhere."""

import asyncio
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI
from tests.conftest import House
from tests.sdk.responding import create, heard

from inhouse.engines.scripted import Scripted
from inhouse.engines.text import Finish, Reasoning, Text, ToolCall, Usage

WORDS = ("zanzibarine", "quixotrope", "vermillipede", "oxymandible", "thaumaturnip", "bluntergast")
ASKED, TOLD, NOTED, THOUGHT, SAID, ARGUED = WORDS


def asked(**more: Any) -> dict[str, Any]:
    """A request that has an unusual word wherever one may be."""
    tool = {"type": "function", "name": "look", "parameters": {"type": "object"}}
    return {
        "input": [{"role": "user", "content": f"Say {ASKED}."}],
        "instructions": f"Know {TOLD}.",
        "metadata": {"note": NOTED},
        "tools": [tool],
        **more,
    }


@pytest.fixture
def engine() -> Scripted:
    call = ToolCall(0, 0, f'{{"at": "{ARGUED}"}}', "call_1", "look")
    return Scripted(
        [[Reasoning(0, THOUGHT), Text(0, SAID), call], [Finish(0, "tool_calls"), Usage(5, 5)]]
    )


def found(folder: Path) -> list[str]:
    """The words that some file of the folder has."""
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert any(contents)
    return [word for word in WORDS if any(word.encode() in each for each in contents)]


async def ask(client: AsyncOpenAI, *, store: bool) -> Sequence[Any]:
    """Ask whole and streamed, in a conversation and without, and once over a WebSocket."""
    told = []
    for stream, talking in product((False, True), repeat=2):
        place = {"conversation": (await client.conversations.create()).id} if talking else {}
        made = await create(client, **asked(store=store, stream=stream, **place))
        told.append(await heard(made) if stream else made)
    async with client.responses.connect() as connection:
        await connection.response.create(model="scripted", **asked(store=store))
        async for event in connection:
            if event.type == "response.completed":
                break
    return told


async def test_nothing_of_what_is_not_stored_is_in_any_file(house: House) -> None:
    assert len(await ask(house.client(), store=False)) == 4
    await asyncio.sleep(0.1)
    assert found(house.services.settings.data) == []


async def test_what_is_stored_is_found_so(house: House) -> None:
    await ask(house.client(), store=True)
    assert set(found(house.services.settings.data)) == {*WORDS}
