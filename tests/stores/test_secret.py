import threading
from pathlib import Path

import pytest

from inhouse.stores import DataFolderError
from inhouse.stores.postgres.driver import Postgres
from inhouse.stores.secret import agree, load


def test_the_first_start_makes_a_secret_that_later_ones_read(tmp_path: Path) -> None:
    made = load(tmp_path / "data")
    assert load(tmp_path / "data") == made
    assert load(tmp_path / "other") != made
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o777 == 0o600


def test_a_configured_secret_is_used_instead_and_no_file_made(tmp_path: Path) -> None:
    secret = load(tmp_path, ["n" * 16, "o" * 32])
    assert secret.values == (b"n" * 16, b"o" * 32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("configured", [["short"], ["l" * 16, "short"], [""]])
def test_a_short_secret_is_refused(tmp_path: Path, configured: list[str]) -> None:
    with pytest.raises(DataFolderError, match="at least 16"):
        load(tmp_path, configured)


def test_an_empty_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(DataFolderError, match="secret"):
        load(tmp_path)


def test_a_secret_file_that_others_can_read_is_closed(tmp_path: Path) -> None:
    load(tmp_path)
    (tmp_path / "secret").chmod(0o644)
    load(tmp_path)
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


def test_starts_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    found = list[tuple[bytes, ...]]()
    starts = [
        threading.Thread(target=lambda: found.append(load(tmp_path).values)) for _ in range(8)
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_each_purpose_has_a_key_of_its_own_and_none_shows_the_secret(tmp_path: Path) -> None:
    secret = load(tmp_path, ["n" * 16, "o" * 32])
    keys = {*secret.derive("a"), *secret.derive("b")}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)
    assert "nnnn" not in repr(secret)


async def test_processes_on_one_database_need_one_secret_and_it_can_be_changed(
    tmp_path: Path, postgres_url: str
) -> None:
    old, new, other = "o" * 16, "n" * 16, "x" * 16
    async with Postgres(postgres_url) as database:
        for configured in ([old], [old], [new, old], [new]):
            await agree(database, load(tmp_path, configured))
        for configured in ([other], [old]):
            with pytest.raises(DataFolderError, match="INHOUSE_SECRET is not the one"):
                await agree(database, load(tmp_path, configured))
        assert "n" * 16 not in str(await database.read("SELECT name, value FROM facts"))
