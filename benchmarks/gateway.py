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
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import cpu_seconds, load, request, rss_bytes

HERE = Path(__file__).parent
KEY = "sk-benchmark-0123456789abcdef"
CONNECTIONS = 16
SHORT, LONG = 16, 1016


@dataclass(frozen=True, slots=True)
class Target:
    """A process that is measured."""

    name: str
    port: int
    pid: int


@contextmanager
def process(*command: str, **env: str) -> Generator[subprocess.Popen[str]]:
    """A process of ours; ended with the block."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **env}
    ) as running:
        try:
            yield running
        finally:
            running.terminate()


def first_line(running: subprocess.Popen[str], start: str = "") -> str:
    """The first line of output that begins with `start`."""
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith(start):
            return line.strip()
    raise RuntimeError("the process ended early")


def upstream(stack: ExitStack, chunks: int) -> int:
    """Start a scripted upstream whose answers have `chunks` pieces; its port."""
    command = [sys.executable, "-m", "inhouse.engines.scripted_server", "--chunks", str(chunks)]
    url = first_line(stack.enter_context(process(*command, "--separate")))
    return int(url.rpartition(":")[2].partition("/")[0])


def floor(stack: ExitStack, upstream_port: int, port: int) -> Target:
    """Start the floor in front of an upstream."""
    command = [sys.executable, str(HERE / "floor.py"), str(port), str(upstream_port)]
    running = stack.enter_context(process(*command))
    return Target("floor", port, running.pid)


def inhouse(stack: ExitStack, ports: dict[str, int]) -> Target:
    """Start `inhouse serve` with one upstream for each name in `ports`."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    config = folder / "inhouse.toml"
    config.write_text(
        "\n".join(
            f'[[upstreams]]\nname = "{name}"\nbase_url = "http://127.0.0.1:{port}/v1"\n'
            f'models = ["{name}"]\n'
            for name, port in ports.items()
        )
    )
    running = stack.enter_context(
        process(
            sys.executable,
            "-m",
            "inhouse.cli",
            "serve",
            INHOUSE_DATA=str(folder / "data"),
            INHOUSE_CONFIG=str(config),
            INHOUSE_BOOTSTRAP_KEY=KEY,
            INHOUSE_PORT="0",
            INHOUSE_REQUESTS_PER_MINUTE="1000000000",
            INHOUSE_TOKENS_PER_MINUTE="1000000000000",
            INHOUSE_DEFAULT_MODELS="false",
        )
    )
    line = first_line(running, "inhouse is ready at ")
    return Target("inhouse", int(line.rpartition(":")[2].partition("/")[0]), running.pid)


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
    whole = request("/v1/chat/completions", KEY, body("short", stream=False))
    streams = {
        name: request("/v1/chat/completions", KEY, body(name, stream=True))
        for name in ("short", "long")
    }
    with ExitStack() as stack:
        ports = {"short": upstream(stack, SHORT), "long": upstream(stack, LONG)}
        floors = {name: floor(stack, port, 20_000 + port % 10_000) for name, port in ports.items()}
        ours = inhouse(stack, ports)
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
        print(f"\nRSS of the API process at the end: {rss_bytes(ours.pid) / 2**20:.0f} MiB")


def check(target: Target) -> None:
    """Wrong keys and wrong bodies are refused: what is measured is not switched off."""
    for key, data, status in ((KEY + "x", body("short", stream=False), 401), (KEY, b"{}", 400)):
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
