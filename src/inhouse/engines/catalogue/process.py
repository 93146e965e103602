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
) -> Ended:
    """Run a program to its end; `written` is told the bytes in `folder`, a few times a second.

    Who is cancelled while waiting takes the program, and what it started, along.
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
        output, errors = await process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    finally:
        watching.cancel()
    return Ended(
        await process.wait(), output.decode(errors="replace"), errors.decode(errors="replace")
    )


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
