"""Continuing, on its connection, a response that is not stored."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.http.lines import House, ask, rest


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    async with asyncio.timeout(20), made.serving():
        yield made


async def test_a_response_that_is_not_stored_can_be_continued_here(house: House) -> None:
    async with house.open() as line:
        await ask(line, "one", store=False)
        first = (await rest(line))[-1]["response"]["id"]
        await ask(line, "two", store=False, previous_response_id=first)
        events = await rest(line)
        assert events[0]["response"]["previous_response_id"] == first
        assert events[-1]["response"]["previous_response_id"] == first
        second = events[-1]["response"]["id"]
        await ask(line, [{"role": "user", "content": "three"}], previous_response_id=second)
        assert (await rest(line))[-1]["response"]["previous_response_id"] is None
    body = house.bodies[-1]
    assert body["previous_response_id"] is None
    assert [item["content"] for item in body["input"]] == ["one", "one", "two", "two", "three"]
    assert [item["role"] for item in body["input"]] == 2 * ["user", "assistant"] + ["user"]


async def test_it_is_continued_after_the_stored_response_that_it_continues(house: House) -> None:
    async with house.open() as line:
        await ask(line, "one", store=False, previous_response_id="resp_stored")
        first = (await rest(line))[-1]["response"]["id"]
        await ask(line, "two", store=False, previous_response_id=first)
        assert (await rest(line))[-1]["response"]["previous_response_id"] == first
    body = house.bodies[-1]
    assert body["previous_response_id"] == "resp_stored"
    assert [item["content"] for item in body["input"]] == ["one", "one", "two"]


async def test_a_lane_keeps_its_newest_and_others_may_fork_it(house: House) -> None:
    async with house.open() as line:
        await ask(line, "one", store=False, stream_id="a")
        first = (await rest(line))[-1]["response"]["id"]
        await ask(line, "fork", store=False, stream_id="b", previous_response_id=first)
        await rest(line)
        assert [item["content"] for item in house.bodies[-1]["input"]] == ["one", "one", "fork"]
        await ask(line, "two", store=False, stream_id="a", previous_response_id=first)
        await rest(line)
        await ask(line, "late", store=False, stream_id="b", previous_response_id=first)
        await rest(line)
    assert house.bodies[-1]["previous_response_id"] == first


@pytest.mark.parametrize("failing", ["refuse", "fail", "break"])
async def test_a_failed_continuation_forgets_what_it_continued(house: House, failing: str) -> None:
    async with house.open() as line:
        await ask(line, "one", store=False)
        first = (await rest(line))[-1]["response"]["id"]
        for text in (failing, "again"):
            await ask(line, text, store=False, previous_response_id=first)
            await rest(line)
    assert house.bodies[-1]["previous_response_id"] == first
    assert house.bodies[-1]["input"] == "again"


async def test_what_is_remembered_has_a_bound(house: House) -> None:
    async with house.open() as line:
        await ask(line, "x" * 9000, store=False)
        first = (await rest(line))[-1]["response"]["id"]
        await ask(line, "y" * 9000, store=False, previous_response_id=first)
        second = (await rest(line))[-1]["response"]["id"]
        await ask(line, "z", store=False, previous_response_id=second)
        await rest(line)
    assert house.bodies[-1]["previous_response_id"] == second
