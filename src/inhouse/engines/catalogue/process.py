"""Runs a program that writes into a folder, and tells how much it has written. Not a shell."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended and what it said."""

    code: int
    output: str
    errors: str


async def run(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    folder: Path,
    written: Callable[[int], None],
    heard: Callable[[str], None] = lambda _: None,
) -> Ended:
    """Run a program to its end; `written` is told the bytes in `folder`, a few times a second, and
    `heard` each line that it prints.

    Who is cancelled while waiting takes the program, and what it started, along; so does `heard`
    by raising.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environ),
        start_new_session=True,
    )
    watching = asyncio.create_task(_watch(folder, written))
    try:
        output, errors = await _said(process, heard)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    finally:
        watching.cancel()
    return Ended(await process.wait(), output, errors)


async def _said(
    process: asyncio.subprocess.Process, heard: Callable[[str], None]
) -> tuple[str, str]:
    stdout, stderr = process.stdout, process.stderr
    assert stdout is not None  # noqa: S101 - a pipe, as is the other
    assert stderr is not None  # noqa: S101
    errors = asyncio.create_task(stderr.read())
    lines: list[str] = []
    try:
        async for line in stdout:
            lines.append(line.decode(errors="replace"))
            heard(lines[-1])
        return "".join(lines), (await errors).decode(errors="replace")
    finally:
        errors.cancel()


async def _watch(folder: Path, written: Callable[[int], None]) -> None:
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        written(await asyncio.to_thread(_bytes, folder))


def _bytes(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # gone since it was listed
                total += (Path(root) / name).lstat().st_size
    return total
