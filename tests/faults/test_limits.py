"""Limits and keys at work: refusals that tell when to come again, and keys that end."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest
from tests.conftest import House, running
from tests.faults.asking import CHAT, STREAM, Asker, frames, said

from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.text import Text
from inhouse.settings import Settings


@pytest.mark.parametrize("stream", [True, False])
async def test_a_429_tells_when_to_come_again_and_then_it_works(
    settings: Settings, engine: Scripted, session: aiohttp.ClientSession, stream: object
) -> None:
    async with running(replace(settings, requests_per_minute=60), engine) as house:
        asker = Asker(session, house.url, house.key)
        body = {**CHAT, "stream": stream}
        answers = await asyncio.gather(*(asker.post(body) for _ in range(75)))
        refused = [each for each in answers if each.status != 200]
        assert {each.status for each in refused} == {429}
        last = refused[-1]
        assert (last.error["type"], last.error["code"]) == ("requests", "rate_limit_exceeded")
        assert last.headers["x-ratelimit-limit-requests"] == "60"
        assert last.headers["x-ratelimit-remaining-requests"] == "0"
        assert last.headers["x-ratelimit-reset-requests"]
        assert 1 <= int(last.headers["retry-after"]) <= 2
        wait = int(last.headers["retry-after-ms"]) / 1000
        assert 0 < wait <= 1
        await asyncio.sleep(wait)
        assert (await asker.post(body)).status == 200
        assert len(engine.calls) == 75 - len(refused) + 1


async def test_the_limit_on_tokens_refuses_before_the_model_is_asked(
    settings: Settings, engine: Scripted, session: aiohttp.ClientSession
) -> None:
    async with running(replace(settings, tokens_per_minute=1000), engine) as house:
        asker = Asker(session, house.url, house.key)
        assert (await asker.post({**CHAT, "max_tokens": 900})).status == 200
        huge = await asker.post({**CHAT, "max_tokens": 2000})
        assert (huge.status, huge.error["type"]) == (429, "tokens")
        assert huge.headers["x-should-retry"] == "false"
        assert len(engine.calls) == 1


async def test_a_revoked_key_lets_the_running_stream_end_and_opens_no_other(
    house: House, session: aiohttp.ClientSession, engine: Scripted
) -> None:
    access = house.services.access
    made = await access.create_key("short-lived")
    asker = Asker(session, house.url, made.value)
    revoked = asyncio.Event()

    async def wait(_: float) -> None:
        await revoked.wait()

    engine.script = [[Text(0, "be")], 1.0, *answer("fore")]
    engine._sleep = wait
    async with asker.open(STREAM) as stream:
        events = frames(stream)
        heard = [await anext(events)]
        await access.revoke_key(made.key.id)
        assert (await asker.post(CHAT)).status == 401
        revoked.set()
        heard += [event async for event in events]
    assert said(heard) == "before"
    assert heard[-1] == "[DONE]"


async def test_a_full_queue_is_a_429_and_a_long_wait_a_503(
    settings: Settings, engine: Scripted, session: aiohttp.ClientSession
) -> None:
    go = asyncio.Event()

    async def wait(_: float) -> None:
        await go.wait()

    engine.script = [[Text(0, "a")], 1.0, *answer("b")]
    engine._sleep = wait
    narrow = replace(settings, parallel=1, queue_length=1, queue_wait_seconds=0.3)
    async with running(narrow, engine) as house:
        asker = Asker(session, house.url, house.key)
        async with asker.open(STREAM) as first:
            events = frames(first)
            heard = [await anext(events)]
            second = asyncio.create_task(asker.post(CHAT))
            await asyncio.sleep(0.1)
            third = await asker.post(STREAM)
            assert (third.status, third.error["code"]) == (429, "rate_limit_exceeded")
            assert third.headers["retry-after"]
            assert (await second).status == 503
            go.set()
            heard += [event async for event in events]
        assert said(heard) == "ab"
        assert (await asker.post(CHAT)).status == 200
