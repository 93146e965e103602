"""The embedded engine at its limits, and when things break."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from tests.engines.embedded.hearing import (
    ASK,
    CONTEXT,
    hear,
)

from inhouse.engines.embedded.spec import ChildSpec
from inhouse.engines.embedded.supervisor import Child
from inhouse.engines.embedded.text import EmbeddedText
from inhouse.engines.text import TextCall
from inhouse.errors import APIError, BadRequest, ServerError

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]


LONG = [{"role": "user", "content": "word " * (CONTEXT + 10)}]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_prompt_over_the_context_is_refused(engine: EmbeddedText, *, stream: bool) -> None:
    tokens = await engine.count_chat({"messages": LONG})
    with pytest.raises(BadRequest) as caught:
        await hear(engine, messages=LONG, stream=stream)
    assert caught.value.code == "context_length_exceeded"
    assert caught.value.message == (
        f"This model's maximum context length is {CONTEXT} tokens. However, your messages resulted "
        f"in {tokens} tokens. Please reduce the length of the messages."
    )
    with pytest.raises(BadRequest) as caught:
        await hear(engine, "completion", prompt=LONG[0]["content"], max_tokens=0)
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize("kind", ["chat", "completion"])
async def test_a_huge_prompt_costs_the_child_nothing(
    engine: EmbeddedText, shared: Child, kind: Any
) -> None:
    huge = "word " * 2_000_000
    body = {"prompt": huge} if kind == "completion" else {"messages": [{**ASK[0], "content": huge}]}
    before = used_seconds(shared)
    with pytest.raises(BadRequest) as caught:
        await hear(engine, kind, **body)
    assert caught.value.code == "context_length_exceeded"
    assert used_seconds(shared) - before < 0.2


async def test_an_answer_ends_where_the_context_ends(engine: EmbeddedText) -> None:
    prompt = "one two three " * 160
    heard = await hear(engine, "completion", prompt=prompt, max_tokens=400, ignore_eos=True)
    assert heard.reasons == {0: "length"}
    assert heard.usage.input + heard.usage.output <= CONTEXT


def used_seconds(child: Child) -> float:
    """How much CPU the child has used."""
    assert child.pid
    fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def busy_seconds(child: Child, seconds: float) -> float:
    """How much CPU the child uses in so many seconds."""
    before = used_seconds(child)
    await asyncio.sleep(seconds)
    return used_seconds(child) - before


async def test_closing_the_iterator_stops_the_generation(
    engine: EmbeddedText, shared: Child
) -> None:
    body = {"messages": ASK, "max_tokens": 400, "stream": True, "ignore_eos": True}
    batches = engine.generate(TextCall("chat", body))
    await anext(batches)
    await batches.aclose()
    await asyncio.sleep(0.5)
    assert await busy_seconds(shared, 0.5) < 0.1


async def test_a_cancelled_call_stops_the_generation(engine: EmbeddedText, shared: Child) -> None:
    body = {"max_tokens": 400, "ignore_eos": True, "stream": False}
    task = asyncio.create_task(hear(engine, **body))
    await asyncio.sleep(0.3)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(1.5)  # llama.cpp looks once a second whether its client is still there
    assert await busy_seconds(shared, 0.5) < 0.1


async def test_more_calls_than_slots_are_all_answered(engine: EmbeddedText) -> None:
    heard = await asyncio.gather(*(hear(engine, max_tokens=4) for _ in range(7)))
    assert len({each.text for each in heard}) == 1


async def test_a_child_killed_in_mid_stream_is_an_error_and_the_next_call_works(
    weights: Path, tmp_path: Path
) -> None:
    child = Child(ChildSpec(weights, context_length=CONTEXT, parallel=1), tmp_path / "run")
    await child.start()
    engine = EmbeddedText(child)
    try:
        body = {"messages": ASK, "max_tokens": 400, "stream": True, "ignore_eos": True}
        batches = engine.generate(TextCall("chat", body))
        await anext(batches)
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(ServerError) as caught:
            async for _ in batches:
                pass
        assert caught.value.status == 500
        started = time.monotonic()
        assert (await hear(engine)).text
        assert time.monotonic() - started < 20
    finally:
        await engine.close()
        await child.stop()
    with pytest.raises(APIError):
        await hear(engine)
