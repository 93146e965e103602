"""What is written to the terminal: lines, tables, JSON, progress. Plain when it is not one."""

import json
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

Progress = Callable[[str, int, int | None], None]
"""Told as something goes on: what it is, bytes done, bytes in all (None: unknown)."""


def say(text: str) -> None:
    """A line on standard output."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """A line on standard error: about the work, not its result."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def say_json(value: Any) -> None:
    """`value` as indented JSON on standard output."""
    say(json.dumps(value, indent=2, ensure_ascii=False))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on standard output; in a pipe, columns separated by tabs and no headings."""
    if not sys.stdout.isatty():
        for row in rows:
            say("\t".join(row))
        return
    from rich.console import Console  # noqa: PLC0415 - only when somebody looks
    from rich.table import Table  # noqa: PLC0415

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        shown.add_column(
            heading, no_wrap=number == 0, overflow="fold"
        )  # ids are there to be copied
    for row in rows:
        shown.add_row(*row)
    Console().print(shown, markup=False)


def size(count: float) -> str:
    """Bytes for people: 93.1 MiB."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


@contextmanager
def progress() -> Generator[Progress]:
    """Bars on standard error; without a terminal, one line at the start of each thing."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console  # noqa: PLC0415 - only when somebody looks
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def update(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield update


class _Lines:
    """Progress without a terminal."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if what not in self._seen:
            self._seen.add(what)
            note(f"{what} ({size(total)})" if total else what)
