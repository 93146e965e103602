import asyncio
import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from inhouse.stores import Database, DataFolderError, DataTooNew, Statement, secret
from inhouse.stores.backup import backup, restore

INSERT = "INSERT INTO facts (name, value) VALUES (?, ?)"


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    async with Database.open(folder) as database:
        secret.load(folder)
        (folder / "blobs" / "ab").mkdir(parents=True)
        (folder / "blobs" / "ab" / "cdef").write_bytes(bytes(range(256)) * 5000)
        await database.write(Statement(INSERT, ("a", "b")))
    return folder


async def test_a_backup_while_writing_is_whole_and_can_be_restored(
    data: Path, tmp_path: Path
) -> None:
    target, back = tmp_path / "backup.tar.gz", tmp_path / "back"
    async with Database.open(data, server=True) as database:
        written = 0
        done = asyncio.get_running_loop().run_in_executor(None, backup, data, target)
        while not done.done() or written < 100:
            halves = (Statement(INSERT, (f"{written}-{half}", "x" * 200)) for half in "ab")
            await database.write(*halves)
            written += 1
        await done
    restore(target, back)
    async with Database.open(back, server=True) as restored:
        names = {row[0] for row in await restored.read("SELECT name FROM facts")}
    assert "a" in names
    assert {f"{name[:-1]}b" for name in names - {"a"} if name.endswith("a")} <= names
    assert {f"{name[:-1]}a" for name in names - {"a"} if name.endswith("b")} <= names
    assert secret.load(back) == secret.load(data)
    blob = "blobs/ab/cdef"
    assert (back / blob).read_bytes() == (data / blob).read_bytes()


def test_only_its_owner_can_read_a_backup_and_what_it_restores(data: Path, tmp_path: Path) -> None:
    target, back = tmp_path / "backup.tar.gz", tmp_path / "back"
    backup(data, target)
    assert target.stat().st_mode & 0o077 == 0
    restore(target, back)
    for path in [back, *(path for path in back.rglob("*") if path.is_file())]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "backup.tar.gz", "data"]


def test_a_backup_never_overwrites(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup.tar.gz"
    target.write_text("precious")
    with pytest.raises(DataFolderError, match="exists already"):
        backup(data, target)
    assert target.read_text() == "precious"


def test_a_folder_without_data_has_no_backup(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="no inhouse data"):
        backup(tmp_path, tmp_path / "backup.tar.gz")
    assert not (tmp_path / "backup.tar.gz").exists()


def test_a_folder_with_something_in_it_is_not_restored_into(data: Path, tmp_path: Path) -> None:
    target, back = tmp_path / "backup.tar.gz", tmp_path / "back"
    backup(data, target)
    (back / "lost+found").mkdir(parents=True)
    restore(target, back)  # an empty one is fine, a volume's top folder too
    with pytest.raises(DataFolderError, match="not empty"):
        restore(target, back)
    with pytest.raises(DataFolderError, match="not empty"):
        restore(target, data)


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def packed(path: Path, contents: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return path


def test_a_damaged_backup_is_refused_and_nothing_made(data: Path, tmp_path: Path) -> None:
    target, back = tmp_path / "backup.tar.gz", tmp_path / "back"
    backup(data, target)
    contents = members(target)
    whole = target.read_bytes()
    bad = tmp_path / "bad"
    bad.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataFolderError, match="not a whole backup"):
        restore(bad, back)
    bad.write_bytes(gzip.compress(b"nothing"))
    with pytest.raises(DataFolderError, match="not a whole backup"):
        restore(bad, back)
    packed(bad, {**contents, "blobs/ab/cdef": b"changed"})
    with pytest.raises(DataFolderError, match="differ from its manifest"):
        restore(bad, back)
    packed(bad, {name: content for name, content in contents.items() if name != "manifest.json"})
    with pytest.raises(DataFolderError, match="manifest is missing"):
        restore(bad, back)
    with pytest.raises(DataFolderError, match="not a whole backup"):
        restore(tmp_path / "nowhere", back)
    assert not back.exists()
    assert not list(tmp_path.glob(".restore-*"))


@pytest.mark.parametrize("name", ["../evil", "/srv/evil", "blobs/../../evil"])
def test_a_backup_cannot_write_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    bad = packed(tmp_path / "bad", {name: b"x", "manifest.json": b'{"sha256": {}}'})
    with pytest.raises(DataFolderError, match="points out of the folder"):
        restore(bad, tmp_path / "deep" / "back")
    assert not list(tmp_path.rglob("evil"))


def test_links_in_a_backup_are_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    with tarfile.open(bad, "w:gz") as tar:
        link = tarfile.TarInfo("secret")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(DataFolderError, match="is not a file"):
        restore(bad, tmp_path / "back")


async def test_a_backup_of_a_newer_version_is_refused(data: Path, tmp_path: Path) -> None:
    async with Database.open(data) as database:
        await database.write(
            Statement("INSERT INTO migrations (number, name, applied) VALUES (9999, 'future', 0)")
        )
    backup(data, tmp_path / "backup.tar.gz")
    with pytest.raises(DataTooNew):
        restore(tmp_path / "backup.tar.gz", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_the_manifest_names_everything(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "backup.tar.gz")
    contents = members(tmp_path / "backup.tar.gz")
    manifest = json.loads(contents.pop("manifest.json"))
    assert manifest["format"] == 1
    assert manifest["sha256"].keys() == contents.keys() == {"inhouse.db", "secret", "blobs/ab/cdef"}
