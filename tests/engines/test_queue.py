"""The queue: whose turn it is, how many may wait and how long, and what a cancelled call leaves
behind."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

import pytest

from inhouse.engines.queue import Queue
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.text import Delta, TextCall, TextEngine
from inhouse.errors import RateLimited, ServerError, Unavailable


class Gated:
    """An engine whose calls end when the test opens the gate; says in which order they began."""

    abilities: frozenset[str] = frozenset({"text"})

    def __init__(self) -> None:
        self.gate = asyncio.Semaphore(0)
        self.began: list[str] = []

    async def generate(self, call: TextCall) -> AsyncIterator[Sequence[Delta]]:
        self.began.append(call.body["name"])
        await self.gate.acquire()
        yield []


def call(
    name: str,
    project: str = "a",
    priority: Literal["interactive", "batch"] = "interactive",
    **body: Any,
) -> TextCall:
    return TextCall("chat", {"name": name, **body}, project=project, priority=priority)


async def drain(engine: TextEngine, *calls: TextCall) -> None:
    for each in calls:
        async for _ in engine.generate(each):
            pass


async def begin(queue: Queue, each: TextCall) -> asyncio.Task[None]:
    task = asyncio.create_task(drain(queue, each))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def run_all(queue: Queue, engine: Gated, calls: Sequence[TextCall]) -> list[str]:
    """Start the calls in order behind one that runs, then let all of them through; the order of
    beginning."""
    tasks = [await begin(queue, each) for each in (call("first"), *calls)]
    for _ in tasks:
        engine.gate.release()
        for _ in range(5):
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    return engine.began[1:]


async def test_calls_of_one_project_run_in_order() -> None:
    engine = Gated()
    assert await run_all(Queue(engine, 1), engine, [call("1"), call("2"), call("3")]) == list("123")


async def test_an_interactive_call_goes_before_batch_calls() -> None:
    engine = Gated()
    calls = [call("b1", priority="batch"), call("b2", priority="batch"), call("i")]
    assert await run_all(Queue(engine, 1), engine, calls) == ["i", "b1", "b2"]


async def test_projects_take_turns() -> None:
    engine = Gated()
    calls = [call("a1"), call("a2"), call("a3"), call("b1", "b"), call("c1", "c"), call("b2", "b")]
    order = await run_all(Queue(engine, 1), engine, calls)
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]


async def test_as_many_calls_run_as_there_are_slots() -> None:
    engine = Gated()
    queue = Queue(engine, 2)
    tasks = [await begin(queue, call(str(at))) for at in range(5)]
    assert (engine.began, queue.running, queue.waiting) == (["0", "1"], 2, 3)
    for _ in tasks:
        engine.gate.release()
    await asyncio.gather(*tasks)
    assert (queue.running, queue.waiting) == (0, 0)


async def test_a_call_takes_a_slot_per_choice() -> None:
    engine = Gated()
    queue = Queue(engine, 4)
    tasks = [await begin(queue, call("three", n=3)), await begin(queue, call("two", n=2))]
    assert engine.began == ["three"]
    tasks.append(await begin(queue, call("one")))
    assert engine.began == ["three"]  # it would overtake the one that needs two
    for _ in tasks:
        engine.gate.release()
    await asyncio.gather(*tasks)
    assert engine.began == ["three", "two", "one"]


async def test_more_choices_than_slots_still_run() -> None:
    queue = Queue(Scripted(answer("a", choices=9)), 2)
    await drain(
        queue, call("nine", n=9), call("prompts", prompt=["x"] * 5), call("ids", prompt=[1])
    )


async def test_a_full_queue_refuses_and_says_when_to_come_again() -> None:
    engine = Gated()
    queue = Queue(engine, 1, length=1)
    tasks = [await begin(queue, call("1")), await begin(queue, call("2"))]
    with pytest.raises(RateLimited) as caught:
        await drain(queue, call("3"))
    assert int(caught.value.headers["Retry-After"]) > 0
    assert queue.refused == 1
    engine.gate.release()
    engine.gate.release()
    await asyncio.gather(*tasks)


async def test_a_wait_that_is_too_long_ends_unavailable() -> None:
    engine = Gated()
    queue = Queue(engine, 1, wait_seconds=0.01)
    task = await begin(queue, call("1"))
    with pytest.raises(Unavailable) as caught:
        await drain(queue, call("2"))
    assert "Retry-After" in caught.value.headers
    assert (queue.expired, queue.waiting) == (1, 0)
    engine.gate.release()
    await task


async def test_a_deadline_cuts_the_wait_short() -> None:
    engine = Gated()
    queue = Queue(engine, 1)
    task = await begin(queue, call("1"))
    now = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable):
        await drain(queue, TextCall("chat", {"name": "2"}, deadline=now + 0.01))
    engine.gate.release()
    await task


async def test_a_cancelled_call_leaves_the_queue() -> None:
    engine = Gated()
    queue = Queue(engine, 1)
    tasks = [await begin(queue, call(name)) for name in "123"]
    tasks[1].cancel()
    await asyncio.wait([tasks[1]])
    assert queue.waiting == 1
    engine.gate.release()
    engine.gate.release()
    await asyncio.gather(tasks[0], tasks[2])
    assert engine.began == ["1", "3"]


async def test_a_slot_given_to_a_call_that_is_cancelled_goes_to_the_next() -> None:
    engine = Gated()
    queue = Queue(engine, 1)
    tasks = [await begin(queue, call(name)) for name in "123"]
    engine.gate.release()
    await asyncio.wait([tasks[0]])  # its slot has just been given to 2, which has not run yet
    tasks[1].cancel()
    engine.gate.release()
    await asyncio.wait([tasks[1], tasks[2]])
    assert tasks[2].exception() is None
    assert (queue.running, queue.waiting) == (0, 0)
    await drain(Queue(Scripted(answer("x")), 1), call("4"))


async def test_a_call_that_fails_frees_its_slot() -> None:
    queue = Queue(Scripted([ServerError("lost")]), 1)
    for _ in range(2):
        with pytest.raises(ServerError):
            await drain(queue, call("x"))
    assert queue.running == 0


async def test_closing_the_iterator_stops_the_engine_and_frees_the_slot() -> None:
    engine = Scripted(answer("a", "b"))
    queue = Queue(engine, 1)
    batches = queue.generate(call("x"))
    await anext(batches)
    await batches.aclose()
    assert (engine.stopped, queue.running) == (1, 0)
    await drain(queue, call("y"))


async def test_the_queue_can_what_its_engine_can() -> None:
    assert Queue(Scripted([], able=frozenset({"text"})), 1).abilities == {"text"}
