"""What responses cost, and how fast background runs reach their readers.

CPU of the API process per whole response, with `store` false and true, against the floor's for a
chat completion of the same upstream, in interleaved rounds. Then background runs, all at once, each
with a reader: how long an event takes from the upstream to the reader (the pieces of text are the
times at which they left). Last, what the next response of a conversation of 1,000 items costs,
against one that brings the same items with it.

    python -m benchmarks.responses [--requests 5000] [--rounds 5] [--runs 500] [--check]
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
import urllib.request
from contextlib import ExitStack

from benchmarks import servers
from benchmarks.gateway import CONNECTIONS, SHORT, Target, body, configuration, floor
from benchmarks.load import cpu_seconds, load, request

STORED, UNSTORED, DELAY = 12.0, 6.0, 0.15
"""Most times the floor's CPU with and without storing; most seconds from upstream to reader."""
ITEMS = 1000
CHUNKS, PAUSE = 20, 0.25


def response(model: str = "short", **more: object) -> bytes:
    """A request of an ordinary shape: the one that the gateway benchmark makes of chat."""
    value: dict[str, object] = {
        "model": model,
        "instructions": "You are a terse assistant.",
        "input": "What is the capital of France, and why?",
        "temperature": 0.2,
        "max_output_tokens": 2000,
    }
    return json.dumps(value | more).encode()


def cost(target: Target, data: bytes, count: int) -> float:
    """CPU microseconds of the target per request."""
    before = cpu_seconds(target.pid)
    failures, _, _ = asyncio.run(load(target.port, data, count, CONNECTIONS))
    assert failures == 0, f"{failures} requests failed at {target.name}"
    return (cpu_seconds(target.pid) - before) / count * 1e6


def compare(requests: int, rounds: int) -> tuple[float, float]:
    """Print CPU per response; the ratios to the floor of stored ones and of those that are not."""
    each = requests // rounds
    with ExitStack() as stack:
        upstream = stack.enter_context(servers.upstream("--chunks", str(SHORT), "--separate"))
        port = int(upstream.rpartition(":")[2].partition("/")[0])
        low = stack.enter_context(floor(port))
        running = stack.enter_context(servers.inhouse(config=configuration({"short": port})))
        ours = Target("inhouse", running.port, running.pid)
        path, key = "/v1/responses", servers.KEY
        asked = {
            "floor": (low, request("/v1/chat/completions", key, body("short", stream=False))),
            "store false": (ours, request(path, key, response(store=False))),
            "store true": (ours, request(path, key, response())),
        }
        rows: dict[str, list[float]] = {name: [] for name in asked}
        for _ in range(rounds):
            for name, (target, data) in asked.items():
                rows[name].append(cost(target, data, each))
    ratios: dict[str, float] = {}
    for name, values in rows.items():
        pairs = zip(values, rows["floor"], strict=True)
        ratios[name] = statistics.median(value / base for value, base in pairs)
        print(f"{name:14}{statistics.median(values):9.0f} µs{ratios[name]:8.2f} x the floor")
    return ratios["store true"], ratios["store false"]


async def hear(port: int, data: bytes, delays: list[float], ends: list[str]) -> None:
    """One background run, streamed to its end: the delay of each piece, and its last event."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    last = ""
    try:
        writer.write(data)
        while line := await reader.readline():
            if not line.startswith(b"data: "):
                continue
            event = json.loads(line[6:])
            last = event["type"]
            if last == "response.output_text.delta":
                delays.append(time.time() - float(event["delta"]))
            if last in {"response.completed", "response.failed", "response.incomplete"}:
                break
    finally:
        ends.append(last)
        writer.close()


async def hear_all(port: int, runs: int) -> tuple[list[float], list[str]]:
    """All runs at once."""
    data = request("/v1/responses", servers.KEY, response("scripted", background=True, stream=True))
    delays: list[float] = []
    ends: list[str] = []
    await asyncio.gather(*(hear(port, data, delays, ends) for _ in range(runs)))
    return delays, ends


def background(runs: int) -> float:
    """Print how background runs did; the delay that 95 of 100 events stay under."""
    pace = ("--chunks", str(CHUNKS), "--delay", str(PAUSE), "--stamped")
    with servers.upstream(*pace) as url, servers.inhouse(config=servers.behind(url)) as server:
        for count in (1, 50, runs):
            before, started = cpu_seconds(server.pid), time.monotonic()
            delays, ends = asyncio.run(hear_all(server.port, count))
            cpu, seconds = cpu_seconds(server.pid) - before, time.monotonic() - started
            complete = ends.count("response.completed")
            spread = statistics.quantiles(delays, n=100)
            print(
                f"{count:4} background runs at once: {complete} complete, {len(delays)} pieces,"
                f" delay median {spread[49] * 1000:.0f} ms, p95 {spread[94] * 1000:.0f} ms,"
                f" most {max(delays) * 1000:.0f} ms; {seconds:.1f} s, CPU {cpu:.1f} s"
            )
            assert complete == count
    return spread[94]


def conversation() -> float:
    """Print what a long conversation costs; its ratio to bringing all items along."""
    message = {"role": "user", "content": "One of many things that were said here before."}
    rows: dict[str, list[float]] = {"brought along": [], "in a conversation": []}
    with (
        servers.upstream("--chunks", str(SHORT)) as url,
        servers.inhouse(config=servers.behind(url)) as server,
    ):
        ours = Target("inhouse", server.port, server.pid)
        made = call(server.port, "/v1/conversations", {})["id"]
        for _ in range(ITEMS // 20):
            call(server.port, f"/v1/conversations/{made}/items", {"items": [message] * 20})
        whole = response("scripted", input=[message] * (ITEMS + 1), store=False)
        short = response("scripted", input=[message], conversation=made, store=False)
        for _ in range(5):
            for name, data in (("brought along", whole), ("in a conversation", short)):
                asked = request("/v1/responses", servers.KEY, data)
                rows[name].append(cost(ours, asked, 32))
    for name, values in rows.items():
        print(f"{ITEMS} items {name:20}{statistics.median(values) / 1000:8.1f} ms CPU")
    pairs = zip(rows["in a conversation"], rows["brought along"], strict=True)
    return statistics.median(ours / theirs for ours, theirs in pairs)


def call(port: int, path: str, value: object) -> dict[str, str]:
    """The answer to one request."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        json.dumps(value).encode(),
        {"authorization": f"Bearer {servers.KEY}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(asked) as answer:
        return json.load(answer)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    stored, unstored = compare(arguments.requests, arguments.rounds)
    delay = background(arguments.runs)
    long = conversation()
    missed = servers.verdict("stored, times the floor", stored, STORED, check=arguments.check)
    missed |= servers.verdict(
        "not stored, times the floor", unstored, UNSTORED, check=arguments.check
    )
    missed |= servers.verdict("p95 from upstream to reader, s", delay, DELAY, check=arguments.check)
    missed |= servers.verdict("long conversation, ratio", long, 1.0, check=arguments.check)
    return missed


if __name__ == "__main__":
    sys.exit(main())
