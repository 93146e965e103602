"""What a generated token costs around the model: CPU of the API process against that of the engine
child, at 1 and at 8 streams at once, on the default text model.

Rounds are interleaved; the ratio is that of each round, the figure its median. Needs the default
model in $INHOUSE_MODELS.

    python -m benchmarks.tokens [--rounds 5] [--tokens 256] [--check]
"""

import argparse
import asyncio
import json
import statistics
import sys
import time

import psutil
from benchmarks.load import cpu_seconds, load, request
from benchmarks.servers import KEY, inhouse, load_average, verdict

TARGET = 0.05
AT_ONCE = (1, 8)
CHILD = "inhouse.engines.embedded.child"


def engine(pid: int) -> int:
    """The process that runs the text model: the child that has burned most."""
    children = [each for each in psutil.Process(pid).children() if CHILD in each.cmdline()]
    return max(children, key=lambda each: sum(each.cpu_times()[:2])).pid


def body(tokens: int) -> bytes:
    """A stream of exactly `tokens` tokens: the end of text is ruled out."""
    value = {
        "model": "gpt-5",
        "messages": [{"role": "user", "content": "Tell me a long story about a lighthouse."}],
        "max_tokens": tokens,
        "logit_bias": {"2": -100, "0": -100},
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return request("/v1/chat/completions", KEY, json.dumps(value).encode())


def measure(port: int, pids: tuple[int, int], data: bytes, streams: int) -> tuple[float, ...]:
    """CPU seconds of API process and engine, and wall seconds, of `streams` streams at once."""
    before = [cpu_seconds(pid) for pid in pids]
    started = time.perf_counter()
    failures, _, _ = asyncio.run(load(port, data, streams, streams))
    assert failures == 0, f"{failures} requests failed"
    seconds = time.perf_counter() - started
    return *(cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)), seconds


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    data = body(arguments.tokens)
    ratios: dict[int, list[float]] = {streams: [] for streams in AT_ONCE}
    parallel = str(max(AT_ONCE))
    with inhouse(INHOUSE_PARALLEL=parallel, INHOUSE_CONTEXT_LENGTH="2048") as server:
        asyncio.run(load(server.port, body(8), 2, 1))
        pids = server.pid, engine(server.pid)
        print(
            f"{'streams':>8}{'API µs/token':>14}{'engine µs/token':>17}{'ratio':>8}{'tokens/s':>10}"
        )
        for _ in range(arguments.rounds):
            for streams in AT_ONCE:
                ours, theirs, seconds = measure(server.port, pids, data, streams)
                tokens = arguments.tokens * streams
                ratios[streams].append(ours / theirs)
                print(
                    f"{streams:8}{ours / tokens * 1e6:14.0f}{theirs / tokens * 1e6:17.0f}"
                    f"{ours / theirs:8.2%}{tokens / seconds:10.1f}   {load_average()}",
                    flush=True,
                )
    results = [
        verdict(
            f"API process per token of the engine's, {streams} at once (median)",
            statistics.median(ratios[streams]),
            TARGET,
            check=arguments.check,
        )
        for streams in AT_ONCE
    ]
    return max(results)


if __name__ == "__main__":
    sys.exit(main())
