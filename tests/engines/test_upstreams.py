"""Upstreams of the settings, and the queues in front of their models. What they offer is tested
with the models."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest

from inhouse.engines.scripted_server import ScriptedServer
from inhouse.engines.text import TextCall
from inhouse.engines.upstreams import Source, Upstreams
from inhouse.errors import RateLimited, Unavailable
from inhouse.settings import SettingsError, Upstream


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(chunks=2, delay=0.02)
    yield server
    await server.stop()


async def source(server: ScriptedServer, *, length: int = 256, **settings: Any) -> Source:
    upstream = Upstream(name="gpu", base_urls=(await server.start(),), probe=False, **settings)
    return Source(upstream, length=length, wait_seconds=5)


def call(
    said: str, project: str = "a", priority: Literal["interactive", "batch"] = "interactive"
) -> TextCall:
    body = {"messages": [{"role": "user", "content": said}], "stream": True}
    return TextCall("chat", body, project, priority)


async def drain(source: Source, wanted: TextCall) -> None:
    async for _ in source.text("m").generate(wanted):
        pass


def asked(server: ScriptedServer) -> list[str]:
    """What the server was asked, in order."""
    return [body["messages"][0]["content"] for _, _, body in server.requests]


def test_a_field_map_that_means_nothing_is_a_wrong_setting() -> None:
    wrong = Upstream(name="gpu", base_urls=("http://127.0.0.1:1/v1",), fields={"top_k": 3})
    with pytest.raises(SettingsError, match=r"upstream gpu: fields\.top_k"):
        Upstreams([wrong])


async def test_people_come_before_batches_and_projects_take_turns(server: ScriptedServer) -> None:
    gpu = await source(server, parallel=1)
    calls = [call("first"), call("bulk", "a", "batch"), call("a1"), call("a2"), call("b1", "b")]
    await asyncio.gather(*(drain(gpu, each) for each in calls))
    assert asked(server) == ["first", "a1", "b1", "a2", "bulk"]
    await gpu.close()


async def test_no_more_run_at_once_than_the_settings_say(server: ScriptedServer) -> None:
    gpu = await source(server, parallel=2)
    queue = gpu.text("m")
    tasks = [asyncio.create_task(drain(gpu, call(str(number)))) for number in range(5)]
    await asyncio.sleep(0.01)
    assert (queue.running, queue.waiting) == (2, 3)
    await asyncio.gather(*tasks)
    assert (queue.running, queue.waiting) == (0, 0)
    await gpu.close()


async def test_a_call_that_is_given_up_leaves_the_queue_and_is_never_sent(
    server: ScriptedServer,
) -> None:
    gpu = await source(server, parallel=1)
    tasks = [asyncio.create_task(drain(gpu, call(said))) for said in ("one", "two", "three")]
    await asyncio.sleep(0.01)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert asked(server) == ["one", "three"]
    await gpu.close()


async def test_a_queue_that_is_full_refuses(server: ScriptedServer) -> None:
    gpu = await source(server, length=1, parallel=1)
    tasks = [asyncio.create_task(drain(gpu, call(said))) for said in ("one", "two")]
    await asyncio.sleep(0.01)
    with pytest.raises(RateLimited):
        await drain(gpu, call("three"))
    await asyncio.gather(*tasks)
    await gpu.close()


async def test_a_server_that_hangs_holds_its_slots_no_longer_than_its_time_out(
    server: ScriptedServer,
) -> None:
    gpu = await source(server, parallel=1, retries=0, first_byte_seconds=0.05)
    server.fault = "hang"
    with pytest.raises(Unavailable):
        await drain(gpu, call("lost"))
    server.fault = None
    await drain(gpu, call("found"))
    await gpu.close()


async def test_vectors_take_turns_with_texts(server: ScriptedServer) -> None:
    gpu = await source(server, length=0, parallel=1)
    task = asyncio.create_task(drain(gpu, call("one")))
    await asyncio.sleep(0.01)
    with pytest.raises(RateLimited):
        await gpu.embeddings("m").embed(["text"])
    await task
    await gpu.close()
