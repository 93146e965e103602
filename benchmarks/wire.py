"""What a request costs the client: CPU time of `inhouse.engines.wire` against aiohttp's, in one
run.

A scripted upstream in a process of its own answers at once. Both clients send the same requests
over kept connections, 16 at once, in interleaved rounds. Printed: CPU of this process per whole
answer and per stream of 64 chunks, and the ratios.

    python benchmarks/wire.py [--requests 2000] [--rounds 5]
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import uvloop

from inhouse.engines.wire import Origin, Wire

AT_ONCE = 16
CHUNKS = 64
MESSAGES = [{"role": "user", "content": "hello"}]
Send = Callable[[bytes], Awaitable[int]]


def body(*, stream: bool) -> bytes:
    """A chat request."""
    return json.dumps({"model": "m", "messages": MESSAGES, "stream": stream}).encode()


async def cost(send: Send, request: bytes, requests: int) -> float:
    """CPU microseconds per request, `AT_ONCE` at a time."""

    async def worker(count: int) -> int:
        return sum([await send(request) for _ in range(count)])

    started = time.process_time()
    sizes = await asyncio.gather(*(worker(requests // AT_ONCE) for _ in range(AT_ONCE)))
    assert min(sizes) > 0
    return (time.process_time() - started) / requests * 1e6


async def compare(base_url: str, requests: int, rounds: int) -> None:
    """Print both costs, and how many times aiohttp's ours is."""
    wire, origin = Wire(), Origin.parse(base_url)
    path = f"{origin.prefix}/chat/completions"
    headers = (("content-type", "application/json"),)

    async def ours(request: bytes) -> int:
        response = await wire.request(origin, "POST", path, headers=headers, body=request)
        size = 0
        async for batch in response:
            size += len(batch)
        response.close()
        return size

    async with aiohttp.ClientSession() as session:

        async def theirs(request: bytes) -> int:
            url = f"{base_url}/chat/completions"
            async with session.post(url, data=request, headers=dict(headers)) as response:
                return sum([len(batch) async for batch in response.content.iter_any()])

        for name, request in (
            ("whole answer", body(stream=False)),
            (f"stream of {CHUNKS} chunks", body(stream=True)),
        ):
            costs = [
                (await cost(ours, request, requests), await cost(theirs, request, requests))
                for _ in range(rounds)
            ]
            mine, other = (statistics.median(each) for each in zip(*costs, strict=True))
            print(
                f"{name}: {mine:.0f} us, aiohttp {other:.0f} us, ratio {mine / other:.2f}",
                flush=True,
            )
    wire.close()


def main() -> None:
    """Start the upstream, compare, end it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "inhouse.engines.scripted_server", "--chunks", str(CHUNKS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as upstream:
        assert upstream.stdout is not None
        base_url = upstream.stdout.readline().strip()
        try:
            uvloop.run(compare(base_url, arguments.requests, arguments.rounds))
        finally:
            upstream.terminate()


if __name__ == "__main__":
    main()
