"""`inhouse serve` as a process of its own, started as a user starts it."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEY = "sk-faults-0123456789abcdef"
_KEPT = ("PATH", "HOME", "INHOUSE_MODELS", "INHOUSE_PIP_ARGS", "OMP_WAIT_POLICY")


@dataclass(frozen=True, slots=True)
class Served:
    """A running server; `url` ends with /v1."""

    process: subprocess.Popen[str]
    url: str

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


def configured(folder: Path, url: str, *, probe: bool = False) -> str:
    """A configuration whose only model is that of the scripted upstream at `url`; its path."""
    config = folder / "inhouse.toml"
    config.write_text(
        "default_models = false\n[[upstreams]]\nname = 'up'\n"
        f"base_url = '{url}'\nmodels = ['scripted']\nprobe = {str(probe).lower()}\n"
    )
    return str(config)


def command(data: Path, name: str = "serve", **environ: str) -> subprocess.Popen[str]:
    """Start a server over the folder `data`, on a free port; `environ` without the prefix."""
    kept = {each: os.environ[each] for each in _KEPT if each in os.environ}
    given = {f"INHOUSE_{each.upper()}": value for each, value in environ.items()}
    own = {"INHOUSE_DATA": str(data), "INHOUSE_PORT": "0", "INHOUSE_BOOTSTRAP_KEY": KEY}
    return subprocess.Popen(
        [sys.executable, "-m", "inhouse.cli", name],
        env=kept | own | given,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def serving(data: Path, **environ: str) -> Iterator[Served]:
    """A server that is ready; killed at the end if it still runs."""
    process = command(data, **environ)
    assert process.stdout
    assert process.stderr
    try:
        ready = re.search(r"http://\S+", process.stdout.readline())
        assert ready, process.stderr.read()
        yield Served(process, ready[0])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


@contextmanager
def working(data: Path, **environ: str) -> Iterator[Served]:
    """A worker that is ready; killed at the end if it still runs."""
    process = command(data, "worker", **environ)
    assert process.stdout
    assert process.stderr
    try:
        ready = process.stdout.readline()
        assert ready.startswith("inhouse works as srv_"), process.stderr.read()
        yield Served(process, "")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def refusal(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code of a server that does not start, and what it said."""
    timer = threading.Timer(20, process.kill)
    timer.start()
    _, told = process.communicate()
    timer.cancel()
    return process.returncode, told
