"""The model cache: a folder per model, complete or not there.

    models/<id>/<weights>       what the engine reads
    models/<id>/manifest.json   where it came from, its hash and sizes
    models/.partial/<id>/       what is being fetched
    models/.locks/<id>          who is fetching it

A model's folder appears by one rename, when everything in it was checked and is on disk.
"""

import asyncio
import fcntl
import json
import os
import re
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from inhouse.engines.catalogue.entry import Entry

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
_POLL_SECONDS = 0.1
_MANIFEST = "manifest.json"


class PullError(Exception):
    """Why a model could not be fetched, in words for the operator."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known of a cached model.

    `sha256` and `size` (bytes) are those of the weights as fetched; `file` is what the engine reads
    and `file_size` its size, which differ where weights were converted. `mmproj` is the projector's
    file.
    """

    source: str
    sha256: str
    size: int
    file: str
    file_size: int
    mmproj: str | None = None
    mmproj_sha256: str | None = None


def present(entry: Entry, cache: Path) -> Path | None:
    """The file that the engine reads, or None if it has to be fetched. Looks at sizes only."""
    if entry.source.startswith("file:"):
        path = Path(entry.source.removeprefix("file:"))
        here = path.is_file() and entry.size in {None, path.stat().st_size}
        seeing = entry.mmproj is None or Path(entry.mmproj).is_file()
        return path if here and seeing else None
    manifest = read_manifest(entry, cache)
    return None if manifest is None else folder(entry, cache) / manifest.file


def projector(entry: Entry, cache: Path) -> Path | None:
    """The projector of an entry that is present, if it has one."""
    if entry.mmproj is None:
        return None
    if entry.source.startswith("file:"):
        return Path(entry.mmproj)
    return folder(entry, cache) / Path(entry.mmproj).name


def read_manifest(entry: Entry, cache: Path) -> Manifest | None:
    """What is cached for an entry, if it is what the entry asks for."""
    place = folder(entry, cache)
    try:
        manifest = Manifest(**json.loads((place / _MANIFEST).read_bytes()))
        size = (place / manifest.file).stat().st_size
        seeing = entry.mmproj is None or _sees(entry, manifest, place)
    except (OSError, ValueError, TypeError):
        return None
    same = manifest.source == entry.source and entry.sha256 in {None, manifest.sha256}
    return manifest if same and seeing and size == manifest.file_size else None


def _sees(entry: Entry, manifest: Manifest, place: Path) -> bool:
    """Whether the projector is there that the entry asks for."""
    same = entry.mmproj_sha256 in {None, manifest.mmproj_sha256}
    name = manifest.mmproj
    return (
        name is not None
        and same
        and name == Path(entry.mmproj or "").name
        and (place / name).is_file()
    )


def folder(entry: Entry, cache: Path) -> Path:
    """Where an entry's files are once they are complete. Raises PullError for an id that is no
    name of a folder."""
    if not _ID.fullmatch(entry.id):
        raise PullError(
            f"The name {entry.id!r} cannot be a model's: letters, digits, . _ : - only."
        )
    return cache / entry.id


def partial(entry: Entry, cache: Path) -> Path:
    """Where an entry's files are while they are fetched; what is there may be half."""
    return cache / ".partial" / folder(entry, cache).name


def publish(entry: Entry, cache: Path, ready: Path, manifest: Manifest) -> Path:
    """Make the folder `ready` the entry's, in place of an older one. Blocks."""
    (ready / _MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n", "utf-8")
    for path in [*ready.iterdir(), ready]:
        _sync(path)
    place = folder(entry, cache)
    if place.exists():
        shutil.rmtree(place)
    ready.rename(place)
    _sync(cache)
    return place / manifest.file


@asynccontextmanager
async def locked(entry: Entry, cache: Path, waiting: Callable[[], None]) -> AsyncGenerator[None]:
    """Hold the right to fetch an entry, among all processes. `waiting` is called while another one
    holds it."""
    place = cache / ".locks" / folder(entry, cache).name
    place.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _try_lock(handle):
            waiting()
            await asyncio.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
