"""Starts what the benchmarks measure: `inhouse serve` and scripted upstreams, each a process of its
own that ends with its block."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEY = "sk-benchmark-0123456789abcdef"
READY = "inhouse is ready at "
_UNBOUNDED = {
    "INHOUSE_REQUESTS_PER_MINUTE": "1000000000",
    "INHOUSE_TOKENS_PER_MINUTE": "1000000000000",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server on loopback."""

    port: int
    pid: int


@contextmanager
def process(*command: str, **environ: str) -> Generator[subprocess.Popen[str]]:
    """A process whose stdout is read; it is ended, and waited for, with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.terminate()


def line(running: subprocess.Popen[str], start: str = "") -> str:
    """The rest of the first line of output that begins with `start`."""
    assert running.stdout is not None
    for said in running.stdout:
        if said.startswith(start):
            return said.removeprefix(start).strip()
    raise RuntimeError("the process ended before it was ready")


@contextmanager
def upstream(*arguments: str) -> Generator[str]:
    """A scripted upstream; its base URL."""
    with process("inhouse.engines.scripted_server", *arguments) as running:
        yield line(running)


@contextmanager
def inhouse(folder: Path | None = None, config: str = "", **environ: str) -> Generator[Server]:
    """`inhouse serve` that answers, over the data folder `folder` (a temporary one if None)."""
    with tempfile.TemporaryDirectory() as temporary:
        data = folder or Path(temporary) / "data"
        settings = Path(temporary) / "inhouse.toml"
        settings.write_text(config)
        own = {
            "INHOUSE_DATA": str(data),
            "INHOUSE_CONFIG": str(settings),
            "INHOUSE_BOOTSTRAP_KEY": KEY,
            "INHOUSE_PORT": "0",
        }
        with process("inhouse.cli", "serve", **own, **_UNBOUNDED, **environ) as running:
            url = line(running, READY)
            yield Server(int(url.rpartition(":")[2].partition("/")[0]), running.pid)


def behind(url: str, model: str = "scripted") -> str:
    """A configuration whose only model is an upstream's."""
    return (
        f'default_models = false\n[[upstreams]]\nname = "scripted"\nbase_url = "{url}"\n'
        f'models = ["{model}"]\n'
    )


def load_average() -> str:
    """How busy the machine is, to be read beside the figures."""
    return "load average " + " ".join(f"{value:.2f}" for value in os.getloadavg())


def verdict(name: str, value: float, most: float, *, check: bool) -> int:
    """Print whether the target is met; the exit code."""
    met = value <= most
    print(f"{name}: {value:.3g}, target {most:g}: {'met' if met else 'MISSED'} ({load_average()})")
    return 0 if met or not check else 1
