"""Backup of a data folder into one file while the server works on it, and the way back.

The file is a gzipped tar: the database as it was at one moment, the folder's secret, the blobs, and
at its end `manifest.json` with the SHA-256 of each. It holds the secret, so it is made readable by
its owner only. Model weights are not in it: they are in a cache of their own and can be fetched
again.
"""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from inhouse.stores import connections, migrations, secret
from inhouse.stores.errors import DataFolderError

BLOBS = "blobs"
MANIFEST = "manifest.json"
_FORMAT = 1
_MOUNT = "lost+found"
"""What the top folder of a volume may hold and still be empty."""
_CHUNK = 1 << 20


def backup(data: Path, target: Path) -> None:
    """Write the state of the folder `data` to the new file `target`. DataFolderError.

    Writers are not held up; what is committed after the start is not in it.
    """
    if not (data / connections.FILE).exists():
        raise DataFolderError(f"There is no inhouse data in {data}.")
    if target.exists():
        raise DataFolderError(f"{target} exists already. Give a new file.")
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=target.parent) as folder:
        snapshot, unfinished = Path(folder) / connections.FILE, Path(folder) / "backup"
        _snapshot(data / connections.FILE, snapshot)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            _pack(file, data, snapshot)
            file.flush()
            os.fsync(file.fileno())
        os.link(unfinished, target)  # unlike a rename, never over a file that came meanwhile
    _sync(target.parent)


def restore(source: Path, data: Path) -> None:
    """Make the folder `data`, which must be empty or missing, from the backup `source`.

    Everything is checked (sums, the database's integrity, its version) before `data` gets anything.
    DataFolderError, DataTooNew.
    """
    made = not data.exists()
    if not made and any(entry.name != _MOUNT for entry in data.iterdir()):
        raise DataFolderError(f"{data} is not empty. Restore into an empty folder.")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        # Inside of it, as it may be a mounted volume: a rename does not cross file systems.
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=data) as folder:
            _unpack_checked(source, Path(folder))
            entries = list(Path(folder).iterdir())
            for entry in sorted(entries, key=lambda path: path.name == connections.FILE):
                entry.rename(data / entry.name)  # the database last: then the folder is whole
        _sync(data)
    except BaseException:
        if made:
            data.rmdir()
        raise


def _snapshot(database: Path, target: Path) -> None:
    """Copy the database in one step: a reader of the WAL does not stop writers."""
    with closing(connections.reading(database)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy, pages=-1)
        copy.execute("PRAGMA journal_mode=DELETE")


def _pack(file: IO[bytes], data: Path, snapshot: Path) -> None:
    sums: dict[str, str] = {}
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=3) as tar:
        for name, path in _contents(data, snapshot):
            try:
                sums[name] = _add(tar, name, path)
            except FileNotFoundError:
                continue  # a blob that was deleted since
        manifest = json.dumps({"format": _FORMAT, "sha256": sums}).encode()
        header = _header(MANIFEST, len(manifest))
        tar.addfile(header, io.BytesIO(manifest))


def _contents(data: Path, snapshot: Path) -> Iterator[tuple[str, Path]]:
    yield connections.FILE, snapshot
    if (data / secret.FILE).exists():
        yield secret.FILE, data / secret.FILE
    for path in sorted((data / BLOBS).rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(data).as_posix(), path


def _add(tar: tarfile.TarFile, name: str, path: Path) -> str:
    """Add one file; the SHA-256 of what was added."""
    with path.open("rb") as file:
        reader = _Summing(file)
        tar.addfile(_header(name, os.fstat(file.fileno()).st_size), reader)
        return reader.sum.hexdigest()


class _Summing(io.RawIOBase):
    """Reads a file and sums what is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.sum.update(chunk)
        return chunk


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o600
    return header


def _unpack_checked(source: Path, folder: Path) -> None:
    try:
        _unpack(source, folder)
    except (OSError, EOFError, tarfile.TarError, ValueError, KeyError) as error:
        raise DataFolderError(f"{source} is not a whole backup: {error}.") from error
    _check(folder / connections.FILE, source)


def _unpack(source: Path, folder: Path) -> None:
    """Unpack regular files below `folder` only, then hold them against the manifest."""
    sums: dict[str, str] = {}
    manifest: dict[str, str] | None = None
    with tarfile.open(source, mode="r:gz") as tar:
        for member in tar:
            with _content(tar, member) as content:
                if member.name == MANIFEST:
                    manifest = json.loads(content.read())["sha256"]
                else:
                    sums[member.name] = _extract(content, _inside(folder, member.name))
    if manifest is None:
        raise ValueError("its manifest is missing")
    if manifest != sums:
        raise ValueError("its contents differ from its manifest")


@contextmanager
def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Generator[IO[bytes]]:
    content = tar.extractfile(member) if member.isreg() else None
    if content is None:
        raise ValueError(f"{member.name} is not a file")
    with content:
        yield content


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if ".." in Path(name).parts or not path.is_relative_to(folder):
        raise ValueError(f"{name} points out of the folder")
    return path


def _extract(content: IO[bytes], path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    summed = _Summing(content)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        shutil.copyfileobj(summed, file, _CHUNK)
        file.flush()
        os.fsync(file.fileno())
    return summed.sum.hexdigest()


def _check(database: Path, source: Path) -> None:
    """DataFolderError unless the database is sound and of this version or an older one."""
    if not database.exists():
        raise DataFolderError(f"{source} is not a whole backup: it has no database.")
    migrations.refuse_newer(database)
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        raise DataFolderError(f"The database in {source} is damaged: {found}.")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
