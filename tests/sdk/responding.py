"""What tests of stored and background responses ask and wait for."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import pytest
from openai import APIStatusError, AsyncOpenAI

from inhouse.engines.scripted import Step
from inhouse.engines.text import Finish, Text, TextCall, Usage

ENDED = {"completed", "incomplete", "failed", "cancelled"}
Scripts = Callable[[TextCall], Iterable[Step]]


def slow(*pieces: str, pause: float = 0.1, before: float = 0.0) -> Sequence[Step]:
    """An answer in pieces with pauses between, after a first one."""
    steps: list[Step] = [before]
    for piece in pieces:
        steps += [[Text(0, piece)], pause]
    return [*steps, [Finish(0, "stop"), Usage(3, len(pieces))]]


async def create(client: AsyncOpenAI, **asked: Any) -> Any:
    """A response; untyped, as tests look into items of every kind."""
    return await client.responses.create(**{"model": "scripted", "input": "Hi", **asked})


async def ended(client: AsyncOpenAI, response_id: str, seconds: float = 10) -> Any:
    """The response, once it has ended."""
    async with asyncio.timeout(seconds):
        while True:
            response = await client.responses.retrieve(response_id)
            if response.status in ENDED:
                return response
            await asyncio.sleep(0.02)


async def refusal(asked: Awaitable[object]) -> tuple[int, str | None, str | None]:
    """Status, param and code of the error that a request is answered with."""
    with pytest.raises(APIStatusError) as caught:
        await asked
    error = caught.value
    return error.status_code, error.param, error.code


async def heard(stream: Any) -> list[Any]:
    """All events of a stream."""
    return [event async for event in stream]
