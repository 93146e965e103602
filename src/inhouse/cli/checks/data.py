"""The data folder: access, version, space; and the models in the cache."""

import os
import shutil
import sqlite3
import stat
from pathlib import Path

from inhouse.cli import parts
from inhouse.cli.checks.finding import Finding, missing, ok, warning
from inhouse.cli.terminal import size
from inhouse.clock import SystemClock
from inhouse.engines.catalogue import Entry, formats, install, seed
from inhouse.engines.catalogue.cache import present, read_manifest
from inhouse.settings import Settings
from inhouse.stores import connections, migrations
from inhouse.stores.errors import DataFolderError
from inhouse.stores.models import ModelStore

_LITTLE_SPACE = 2 * 2**30
_NO_SPACE = 200 * 2**20


async def findings(settings: Settings) -> list[Finding]:
    """The folder, the database in it, the space left, the models."""
    there = await postgres(settings.database_url) if settings.database_url else None
    found = [folder(settings.data), there or database(settings.data), space(settings.data)]
    behind = there is not None and "migrates" in there.detail  # to look would be to migrate
    if not behind and all(finding.state != "missing" for finding in found[:2]):
        found += [weights(entry, settings.models) for entry in await _entries(settings)]
    return found


async def _entries(settings: Settings) -> list[Entry]:
    """The models that the data folder should have; without a database, the defaults."""
    if not settings.database_url and not (settings.data / connections.FILE).exists():
        known = seed()
        return [known.entries[name] for name in known.defaults if settings.default_models]
    async with parts.database(settings) as opened:
        return list((await install.entries(ModelStore(opened, SystemClock()))).values())


def weights(entry: Entry, cache: Path) -> Finding:
    """In the cache, whole, and the very ones that were pulled."""
    what, path = f"Model {entry.id}", present(entry, cache)
    if path is None:
        return warning(what, f"not pulled: inhouse models pull {entry.id}")
    if entry.convert:
        return ok(what, f"{path} (converted; its source was checked when it was pulled)")
    manifest = read_manifest(entry, cache)
    expected = entry.sha256 or (manifest.sha256 if manifest else None)
    if expected and formats.sha256(path, lambda _: None) != expected:
        return missing(what, f"{path} is damaged: inhouse models remove and pull {entry.id}")
    return ok(what, f"{path}, sha256 {(expected or 'unknown')[:12]}")


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


async def postgres(url: str) -> Finding:
    """A server that answers, and a schema of this version or an older one."""
    from inhouse.stores.postgres import migrate  # noqa: PLC0415 - only where it is used
    from inhouse.stores.postgres.address import Address  # noqa: PLC0415 - likewise

    what, address = "Database", Address(url)
    try:
        state = await migrate.inspected(address)
    except DataFolderError as error:
        return missing(what, str(error))
    here = migrations.known("postgres")[-1].number
    detail = f"PostgreSQL {state.version} at {address}, schema {state.applied}"
    if state.applied > here:
        return missing(what, f"{detail} is newer than this program's ({here}): update it")
    if state.applied < here:
        return ok(what, f"{detail}; the next start migrates it to {here}")
    return ok(what, detail)


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
