"""Limits as the official client meets them."""

from dataclasses import replace

from tests.conftest import House, running

from inhouse.engines.scripted import Scripted
from inhouse.settings import Settings

HI = [{"role": "user", "content": "Hi"}]


async def test_more_tokens_than_the_context_holds_are_not_reserved(
    settings: Settings, engine: Scripted
) -> None:
    async with running(replace(settings, tokens_per_minute=5000), engine) as house:
        assert await _answers(house, 10**9)
        assert await _answers(house, 10**9)


async def _answers(house: House, max_tokens: int) -> str | None:
    said = await house.client().chat.completions.create(
        model="scripted",
        max_tokens=max_tokens,
        messages=HI,  # pyright: ignore[reportArgumentType] - plain dicts, as users write them
    )
    return said.choices[0].message.content
