"""The data folder: access, version, space; and the models in the cache."""

import os
import shutil
import sqlite3
import stat
from pathlib import Path

from inhouse.cli.checks.finding import Finding, missing, ok, warning
from inhouse.cli.terminal import size
from inhouse.settings import Settings
from inhouse.stores import connections, migrations

_LITTLE_SPACE = 2 * 2**30
_NO_SPACE = 200 * 2**20


async def findings(settings: Settings) -> list[Finding]:
    """The folder, the database in it, the space left, the models."""
    return [folder(settings.data), database(settings.data), space(settings.data)]


def folder(data: Path) -> Finding:
    """Ours alone, and writable."""
    what = "Data folder"
    if not data.exists():
        nearest = _nearest(data)
        if os.access(nearest, os.W_OK):
            return ok(what, f"{data} will be made at the first start")
        return missing(what, f"{data} cannot be made: {nearest} is not writable")
    if not data.is_dir():
        return missing(what, f"{data} is not a folder")
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        return missing(what, f"{data} is not writable for this user")
    mode = stat.S_IMODE(data.stat().st_mode)
    if mode & 0o077:
        return warning(what, f"{data} is open to others ({mode:o}): chmod 700 {data}")
    return ok(what, str(data))


def database(data: Path) -> Finding:
    """Written by this version or an older one."""
    what, path = "Database", data / connections.FILE
    if not path.exists():
        return ok(what, "will be made at the first start")
    try:
        there, here = migrations.applied(path), migrations.known()[-1].number
    except sqlite3.DatabaseError as error:
        return missing(what, f"{path} cannot be read: {error}. Restore a backup.")
    if there > here:
        return missing(what, f"schema {there} is newer than this program's ({here}): update it")
    if there < here:
        return ok(what, f"schema {there}; the next start migrates it to {here}")
    return ok(what, f"schema {there}")


def space(data: Path) -> Finding:
    """Room for weights and for what is stored."""
    free = shutil.disk_usage(_nearest(data)).free
    detail = f"{size(free)} free"
    if free < _NO_SPACE:
        return missing("Disk", f"{detail}. Writes will soon fail.")
    if free < _LITTLE_SPACE:
        return warning("Disk", f"{detail}. Pulling a model needs more.")
    return ok("Disk", detail)


def _nearest(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    while not path.exists():
        path = path.parent
    return path
