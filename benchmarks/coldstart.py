"""How long a cold start takes: from starting the process to the first answered `/v1/models`.

Five starts over one data folder, weights in the cache, so that models load in the background. The
time until the default model has answered its first request is shown beside it. Without weights in
$INHOUSE_MODELS the server starts with none, and only the first time is shown.

    python -m benchmarks.coldstart [--starts 5] [--check]
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.servers import KEY, line, load_average, process, verdict

TARGET = 1.0
MODELS = Path(os.environ.get("INHOUSE_MODELS", Path.home() / ".inhouse/models"))


def ask(port: int, path: str, body: object = None) -> bytes:
    """An answer of 200."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1{path}",
        json.dumps(body).encode() if body else None,
        {"authorization": f"Bearer {KEY}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()


def first_answer(port: int, path: str, body: object = None) -> bytes:
    """The first answer of a server that may not listen yet."""
    for _ in range(6000):
        try:
            return ask(port, path, body)
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.002)
    raise TimeoutError("the server did not come up")


def start(data: Path, port: int, *, weights: bool) -> tuple[float, float]:
    """Seconds to the first list of models and to the first token of the default model."""
    environ = {
        "INHOUSE_DATA": str(data),
        "INHOUSE_PORT": str(port),
        "INHOUSE_BOOTSTRAP_KEY": KEY,
        "INHOUSE_MODELS": str(MODELS),
        "INHOUSE_DEFAULT_MODELS": str(weights).lower(),
    }
    started = time.perf_counter()
    with process("inhouse.cli", "serve", **environ) as running:
        first_answer(port, "/models")
        listed = time.perf_counter() - started
        line(running)
        talked = float("nan")
        if weights:
            messages = [{"role": "user", "content": "Hi"}]
            ask(
                port,
                "/chat/completions",
                {"model": "gpt-5", "messages": messages, "max_tokens": 1},
            )
            talked = time.perf_counter() - started
    return listed, talked


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--port", type=int, default=18420)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    weights = next(MODELS.rglob("*.gguf"), None) is not None
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        fresh = start(data, arguments.port, weights=weights)
        times = [start(data, arguments.port, weights=weights) for _ in range(arguments.starts)]
    print(f"{'seconds':28}{'/v1/models':>12}{'first token':>14}   {load_average()}")
    print(f"{'fresh data folder':28}{fresh[0]:12.2f}{fresh[1]:14.2f}")
    for number, (listed, talked) in enumerate(times):
        print(f"{f'start {number + 1}':28}{listed:12.2f}{talked:14.2f}")
    listed, talked = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"{'median':28}{listed:12.2f}{talked:14.2f}")
    return verdict("seconds to /v1/models", listed, TARGET, check=arguments.check)


if __name__ == "__main__":
    sys.exit(main())
