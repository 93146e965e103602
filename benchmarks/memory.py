"""Memory of the API process after many requests: resident bytes, and whether they grow.

Whole answers and streams in turn, from a scripted upstream that answers at once, with
authentication, validation, limits and usage on. Indexes and models are not in this process.

    python -m benchmarks.memory [--requests 10000] [--check]
"""

import argparse
import asyncio
import json
import sys

from benchmarks.load import load, request, rss_bytes
from benchmarks.servers import KEY, behind, inhouse, load_average, upstream, verdict

CONNECTIONS = 16
STEPS = 10
MOST_MIB = 120.0
MOST_GROWTH_MIB = 8.0
"""Over the second half of the requests."""


def chat(*, stream: bool) -> bytes:
    """A request, ready to send."""
    messages = [{"role": "user", "content": "What is the capital of France, and why?"}]
    body = {"model": "scripted", "messages": messages, "stream": stream, "max_tokens": 100}
    return request("/v1/chat/completions", KEY, json.dumps(body).encode())


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    each = arguments.requests // STEPS // 2
    kinds = (chat(stream=False), chat(stream=True))
    sizes: list[float] = []
    with upstream("--chunks", "32", "--separate") as url, inhouse(config=behind(url)) as server:
        print(f"{'requests':>10}{'RSS in MiB':>14}   {load_average()}")
        print(f"{0:10}{rss_bytes(server.pid) / 2**20:14.1f}")
        for step in range(STEPS):
            for data in kinds:
                failures, _, _ = asyncio.run(load(server.port, data, each, CONNECTIONS))
                assert failures == 0, f"{failures} requests failed"
            sizes.append(rss_bytes(server.pid) / 2**20)
            print(f"{(step + 1) * each * 2:10}{sizes[-1]:14.1f}")
    growth = sizes[-1] - sizes[STEPS // 2 - 1]
    check = arguments.check
    return verdict("RSS in MiB", sizes[-1], MOST_MIB, check=check) | verdict(
        "growth over the second half in MiB", growth, MOST_GROWTH_MIB, check=check
    )


if __name__ == "__main__":
    sys.exit(main())
