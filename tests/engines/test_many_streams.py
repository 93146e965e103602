"""A thousand streams at once through an upstream's queue: none dropped, none out of order."""

import asyncio
import resource

import pytest

from inhouse.engines.scripted_server import ScriptedServer
from inhouse.engines.text import Text, TextCall, Usage
from inhouse.engines.upstreams import Source
from inhouse.settings import Upstream

STREAMS = 1000
CHUNKS = 10


async def test_a_thousand_streams_at_once_come_whole_and_in_order() -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < 2 * STREAMS + 100:
        pytest.skip(f"only {limit} files may be open at once")
    server = ScriptedServer(chunks=CHUNKS, delay=0.02)
    server.keep_requests = False
    source = Source(Upstream(name="gpu", base_urls=(await server.start(),), probe=False))
    engine = source.text("m")
    running, most = 0, 0

    async def hear() -> str:
        nonlocal running, most
        text, usage = "", None
        body = {"messages": [{"role": "user", "content": "x"}], "stream": True}
        async for batch in engine.generate(TextCall("chat", body)):
            running += not text
            most = max(most, running)
            for delta in batch:
                if isinstance(delta, Text):
                    text += delta.text
                elif isinstance(delta, Usage):
                    usage = delta
        running -= 1
        assert usage == Usage(10, CHUNKS)
        return text

    texts = await asyncio.gather(*(hear() for _ in range(STREAMS)))
    await source.close()
    await server.stop()
    assert set(texts) == {"0 1 2 3 4 5 6 7 8 9 "}
    assert most > STREAMS / 2
