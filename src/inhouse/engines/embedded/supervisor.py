"""The parent's side of a child process: start it, know when it can answer, start it again when it
dies, stop it.

Talks to the child over its stdin (the launch line, then silence until it closes) and its stdout
(one line when the model can answer). Requests do not pass through here: they go to `base_url`.
"""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections import deque
from pathlib import Path

from inhouse.engines.embedded.spec import ChildSpec, Launch
from inhouse.errors import Unavailable

_LOG = logging.getLogger(__name__)
_LONGEST_SOCKET_PATH = 100
"""Bytes. A Unix socket's address holds 104 (macOS) to 108 (Linux)."""
_FIRST_BACK_OFF = 0.25
_LONGEST_BACK_OFF = 30.0
_STEADY_SECONDS = 60.0
"""A child that ran this long starts its back-off anew when it dies."""
_CRASH_MARKS = (
    "GGML_ASSERT",
    "terminate called",
    "CUDA error",
    "out of memory",
    "failed to allocate",
)
"""What a line of stderr must hold to be kept once requests are being served: a native crash, never
a prompt."""


class ChildFailed(Unavailable):
    """The child could not load its model; the message says why."""


class Child:
    """One supervised child process.

    `folder` takes the socket; it is made 0700. `base_url` and `key` are what a client needs, and
    change only where Unix sockets are impossible (then each start has its own port).
    """

    def __init__(
        self, spec: ChildSpec, folder: Path, *, unix: bool = sys.platform != "win32"
    ) -> None:
        self.spec = spec
        self._unix = unix
        self.key = secrets.token_urlsafe(32)
        self.base_url = ""
        self.restarts = 0
        self._folder = folder
        self._own_folder: Path | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        self._failure: str | None = None
        self._tail: deque[str] = deque(maxlen=20)
        self._supervision: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The running process, or None between two of them."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    @property
    def ready(self) -> bool:
        """Whether it can answer now."""
        return self._ready.is_set()

    async def start(self) -> None:
        """Start and wait until the model can answer. Raises `ChildFailed` when it cannot be
        loaded."""
        try:
            running = await self._launch()
        except BaseException:
            await self._kill()
            self._remove_socket()
            raise
        self._supervision = asyncio.create_task(self._supervise(running))

    async def stop(self) -> None:
        """End the process and whatever it was generating."""
        if self._supervision:
            self._supervision.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervision
        await self._kill()
        self._remove_socket()
        self._failure = "The engine was stopped."

    async def wait_ready(self, seconds: float = 60.0) -> None:
        """Return when it can answer; at once if it can now. Raises `Unavailable` when it will not
        within `seconds`."""
        if self._ready.is_set():
            return
        if self._supervision is None or self._supervision.done():
            raise Unavailable(self._failure or "The engine is not running.")
        if self._failure:
            raise Unavailable(self._failure, headers={"Retry-After": "30"})
        try:
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        except TimeoutError:
            raise Unavailable(
                "The model is still starting.", headers={"Retry-After": "5"}
            ) from None

    async def died(self, seconds: float) -> bool:
        """Whether the process ends within `seconds`: a connection tells of its death a little
        earlier."""
        process = self._process
        if process is None:
            return True
        try:
            async with asyncio.timeout(seconds):
                await process.wait()
        except TimeoutError:
            return False
        self._ready.clear()
        return True

    async def _supervise(self, running: float) -> None:
        back_off = _FIRST_BACK_OFF
        clock = asyncio.get_running_loop().time
        while True:
            code = await self._exit()
            if clock() - running > _STEADY_SECONDS:
                back_off = _FIRST_BACK_OFF
            _LOG.error("The engine of %s ended (%s). %s", self.spec.path.name, code, self._reason())
            await asyncio.sleep(back_off)
            back_off = min(back_off * 2, _LONGEST_BACK_OFF)
            self.restarts += 1
            try:
                running = await self._launch()
            except (ChildFailed, OSError) as error:
                self._failure = str(error)

    async def _exit(self) -> int | None:
        code = await self._process.wait() if self._process else None
        self._ready.clear()
        return code

    async def _launch(self) -> float:
        """Start a process and wait for its line; returns the loop's time at which it was ready."""
        path = self._socket()
        self._tail.clear()
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "inhouse.engines.embedded.child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "OMP_WAIT_POLICY": "passive", "OMP_PROC_BIND": "false"},
            start_new_session=True,
        )
        stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
        assert stdin is not None  # noqa: S101 - a pipe, as are the other two
        assert stdout is not None  # noqa: S101
        assert stderr is not None  # noqa: S101
        errors = asyncio.create_task(self._read_errors(stderr))
        stdin.write(Launch(self.spec, path, self.key, os.getpid()).encode())
        line = await stdout.readline()
        report = json.loads(line) if line else {"error": "It ended while loading."}
        if "address" not in report:
            await process.wait()
            await errors
            self._failure = f"The model {self.spec.path.name} could not be loaded. {self._reason()}"
            raise ChildFailed(self._failure.strip())
        self._tail.clear()
        self.base_url = f"unix://{path}" if path else f"{report['address']}/v1"
        self._failure = None
        self._ready.set()
        return asyncio.get_running_loop().time()

    async def _read_errors(self, stream: asyncio.StreamReader) -> None:
        """Keep the last lines of stderr: all while the model loads, afterwards only what tells of a
        crash."""
        while not stream.at_eof():
            with contextlib.suppress(ValueError):  # a line over 64 KiB: skipped
                line = (await stream.readline()).decode(errors="replace").strip()
                if not self._ready.is_set() or any(mark in line for mark in _CRASH_MARKS):
                    self._tail.append(line[:300])

    def _reason(self) -> str:
        """What stderr said: the line that tells most, without llama.cpp's time stamp and our
        folder's name."""
        folder = f"{self.spec.path.parent}/"
        said = [line.partition(" E ")[2].strip() or line for line in self._tail]
        said = [line.replace(folder, "") for line in said if line]
        telling = [line for line in said if "rror" in line or "failed to open" in line] or said
        return telling[0] if telling else ""

    def _socket(self) -> str | None:
        """A free path for the socket; None where there can be none."""
        if not self._unix:
            return None
        folder = self._own_folder or self._folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._own_folder is None and not _takes_sockets(folder):
            folder = self._own_folder = Path(tempfile.mkdtemp(prefix="inhouse-"))
        folder.chmod(0o700)
        path = folder / f"{self.key[:8]}.sock"
        path.unlink(missing_ok=True)
        return str(path)

    def _remove_socket(self) -> None:
        if self._own_folder:
            shutil.rmtree(self._own_folder, ignore_errors=True)
            self._own_folder = None
        else:
            (self._folder / f"{self.key[:8]}.sock").unlink(missing_ok=True)

    async def _kill(self) -> None:
        self._ready.clear()
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            async with asyncio.timeout(2):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _takes_sockets(folder: Path) -> bool:
    """Whether a socket can lie there: the path is short enough and the file system knows
    sockets."""
    path = folder / f"{secrets.token_hex(4)}.sock"
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        return False
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(path))
    except OSError:
        return False
    path.unlink()
    return True
