"""The machine: Python, SQLite, the engine's library, memory, limits, the clock, programs."""

import platform
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import inhouse
from inhouse.cli.checks.finding import Finding, missing, ok, warning
from inhouse.cli.terminal import size
from inhouse.settings import Settings

_OPEN_FILES = 4096
_ENGINE_SECONDS = 60
_SQLITE = (3, 35)
"""3.35 brought RETURNING and is the oldest that is tested."""


def findings(settings: Settings) -> list[Finding]:
    """All of them, in a fixed order."""
    return [
        python(),
        sqlite(sqlite3.sqlite_version_info),
        engine(),
        memory(settings, total_memory()),
        open_files(resource.getrlimit(resource.RLIMIT_NOFILE)),
        clock(time.time()),
        bubblewrap(shutil.which("bwrap")),
    ]


def python() -> Finding:
    """The interpreter that runs this; older ones cannot install the package."""
    return ok("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def sqlite(version: tuple[int, ...]) -> Finding:
    """Its version, and full-text search."""
    text = ".".join(map(str, version))
    if version[:2] < _SQLITE:
        return missing("SQLite", f"{text} is too old: 3.35 is needed. A newer Python brings one.")
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE probe USING fts5(text)")
    except sqlite3.OperationalError:
        return missing("SQLite", f"{text} lacks FTS5. Use a Python whose SQLite has it.")
    finally:
        connection.close()
    return ok("SQLite", f"{text} with FTS5")


def engine(command: tuple[str, ...] = (sys.executable, "-c", "import xllamacpp")) -> Finding:
    """Whether the embedded engine's library loads: in a process of its own, for it may crash."""
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            command, capture_output=True, text=True, timeout=_ENGINE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return missing("Engine", f"xllamacpp cannot be loaded: {error}")
    if done.returncode < 0:
        return missing("Engine", f"loading xllamacpp ended by signal {-done.returncode}.")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        hint = " On Debian: apt install libgomp1" if "libgomp" in last else ""
        return missing("Engine", f"xllamacpp cannot be loaded: {last}.{hint}")
    return ok("Engine", "xllamacpp can be loaded")


def total_memory() -> int:
    """Bytes of memory that this process may have: the machine's, or its control group's limit."""
    import os  # noqa: PLC0415 - for one constant

    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text("ascii"))
    except (OSError, ValueError):  # no such file, or "max"
        return total
    return min(total, limit)


def memory(settings: Settings, total: int) -> Finding:
    """Enough for the models that may be loaded at once."""
    budget = settings.memory_budget_bytes or total // 2
    detail = f"{size(total)}, of which {size(budget)} may be used by models"
    if budget > total * 0.9:
        return warning("Memory", f"{detail}. The rest of the machine gets little.")
    if budget < 2**30:
        return warning("Memory", f"{detail}. The default models need about 1 GiB.")
    return ok("Memory", detail)


def open_files(limits: tuple[int, int]) -> Finding:
    """A connection is a file; the server raises its own limit as far as it may."""
    soft, hard = limits
    most = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
    if hard != resource.RLIM_INFINITY and hard < _OPEN_FILES:
        return warning("Open files", f"at most {most}: fewer than 4096 streams at once")
    return ok("Open files", f"{soft}, can be raised to {most}")


def clock(now: float) -> Finding:
    """Not before this program was installed: ids, limits and certificates depend on the time."""
    installed = Path(str(inhouse.__file__)).stat().st_mtime
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < installed - 86_400:
        return missing("Clock", f"{shown} is before this program was installed. Set the time.")
    return ok("Clock", shown)


def bubblewrap(path: str | None) -> Finding:
    """Needed by tools that run code; nothing that is implemented today does."""
    if path is None:
        return warning("bubblewrap", "not installed; tools that run code will need it")
    return ok("bubblewrap", path)
