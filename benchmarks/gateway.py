"""What a chat completion costs: CPU time of inhouse against that of the floor, in one run.

A scripted upstream answers at once. The same requests go through `floor.py` (a byte-for-byte proxy)
and through `inhouse serve` with authentication, validation, limits and usage on, in interleaved
rounds. Printed: CPU per whole chat completion and per chunk of a burst stream (a long stream minus
a short one, over the difference in chunks), their ratios, and the memory of the API process after
all requests.

    python -m benchmarks.gateway [--requests 10000] [--rounds 5]
"""

import argparse
import asyncio
import json
import statistics
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks import servers
from benchmarks.load import cpu_seconds, load, request, rss_bytes

CONNECTIONS = 16
SHORT, LONG = 16, 1016
"""Chunks of the upstreams' answers; what a chunk costs is the difference over the difference."""


@dataclass(frozen=True, slots=True)
class Target:
    """A process that is measured."""

    name: str
    port: int
    pid: int


@contextmanager
def floor(upstream_port: int) -> Generator[Target]:
    """The floor in front of an upstream."""
    with servers.process("benchmarks.floor", str(upstream_port)) as running:
        yield Target("floor", int(servers.line(running)), running.pid)


def configuration(ports: dict[str, int]) -> str:
    """One upstream, with one model, for each name in `ports`."""
    tables = (
        f'[[upstreams]]\nname = "{name}"\nbase_url = "http://127.0.0.1:{port}/v1"\n'
        f'models = ["{name}"]\n'
        for name, port in ports.items()
    )
    return "default_models = false\n" + "".join(tables)


def body(model: str, *, stream: bool) -> bytes:
    """A chat request of an ordinary shape."""
    messages = [
        {"role": "system", "content": "You are a terse assistant."},
        {"role": "user", "content": "What is the capital of France, and why?"},
    ]
    value = {"model": model, "messages": messages, "temperature": 0.2, "max_tokens": 2000}
    if stream:
        value |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(value).encode()


def cost(target: Target, data: bytes, count: int) -> float:
    """CPU microseconds of the target per request."""
    before = cpu_seconds(target.pid)
    failures, _, _ = asyncio.run(load(target.port, data, count, CONNECTIONS))
    assert failures == 0, f"{failures} requests failed at {target.name}"
    return (cpu_seconds(target.pid) - before) / count * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    each = arguments.requests // arguments.rounds
    whole = request("/v1/chat/completions", servers.KEY, body("short", stream=False))
    streams = {
        name: request("/v1/chat/completions", servers.KEY, body(name, stream=True))
        for name in ("short", "long")
    }
    with ExitStack() as stack:
        ports = {
            name: _port(
                stack.enter_context(servers.upstream("--chunks", str(chunks), "--separate"))
            )
            for name, chunks in (("short", SHORT), ("long", LONG))
        }
        floors = {name: stack.enter_context(floor(port)) for name, port in ports.items()}
        running = stack.enter_context(servers.inhouse(config=configuration(ports)))
        ours = Target("inhouse", running.port, running.pid)
        check(ours)
        rows: dict[str, list[float]] = {}
        for _ in range(arguments.rounds):
            for target, short, long in (
                (floors["short"], floors["short"], floors["long"]),
                (ours, ours, ours),
            ):
                rows.setdefault(f"whole {target.name}", []).append(cost(target, whole, each))
                few = max(each // 20, 50)
                begun = cost(short, streams["short"], few)
                ended = cost(long, streams["long"], few)
                per_chunk = (ended - begun) / (LONG - SHORT)
                rows.setdefault(f"chunk {target.name}", []).append(per_chunk)
                rows.setdefault(f"stream {target.name}", []).append(begun)
        report(rows)
        print(f"\n{servers.load_average()}")
        print(f"RSS of the API process at the end: {rss_bytes(ours.pid) / 2**20:.0f} MiB")


def _port(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


def check(target: Target) -> None:
    """Wrong keys and wrong bodies are refused: what is measured is not switched off."""
    for key, data, status in (
        (servers.KEY + "x", body("short", stream=False), 401),
        (servers.KEY, b"{}", 400),
    ):
        wrong = urllib.request.Request(
            f"http://127.0.0.1:{target.port}/v1/chat/completions",
            data,
            {"authorization": f"Bearer {key}", "content-type": "application/json"},
        )
        got = status_of(wrong)
        assert got == status, f"{got} where {status} is right"


def status_of(asked: urllib.request.Request) -> int:
    """The status of the answer, whatever it is."""
    try:
        with urllib.request.urlopen(asked) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def report(rows: dict[str, list[float]]) -> None:
    """Print medians and the ratios of the rounds."""
    print(f"{'CPU in µs':24}{'floor':>10}{'inhouse':>10}{'ratio (median of rounds)':>28}")
    for name in ("whole", "stream", "chunk"):
        low, high = rows[f"{name} floor"], rows[f"{name} inhouse"]
        ratios = [ours / floor for ours, floor in zip(high, low, strict=True)]
        print(
            f"{name:24}{statistics.median(low):10.2f}{statistics.median(high):10.2f}"
            f"{statistics.median(ratios):28.2f}"
        )


if __name__ == "__main__":
    main()
