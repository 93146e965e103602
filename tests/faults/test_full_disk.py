"""A full disk, seen through the API: a clean refusal, a server that lives, and work again after."""

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from tests.conftest import House, running
from tests.faults.asking import CHAT, STREAM, Asker, said

from inhouse.engines.scripted import Scripted
from inhouse.settings import Settings
from inhouse.stores.sqlite import SQLite

LARGE = {**CHAT, "store": True, "messages": [{"role": "user", "content": "x" * 100_000}]}


def limit_pages(house: House, more: int | None) -> None:
    """Let the database grow by `more` pages only; None: without a bound."""
    database = house.services.database
    assert isinstance(database, SQLite)
    connection = database._writer._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    most = 2**31 if more is None else pages + more
    connection.execute(f"PRAGMA max_page_count = {most}")


@pytest.mark.parametrize("stream", [True, False])
async def test_what_cannot_be_stored_is_a_clean_503_and_works_again_after(
    house: House, asker: Asker, stream: object
) -> None:
    assert (await asker.post(CHAT)).status == 200
    limit_pages(house, 2)
    for _ in range(3):
        answer = await asker.post({**LARGE, "stream": stream})
        if answer.status == 200:
            assert answer.events()[-1]["error"]["code"] == "storage_full"
        else:
            assert (answer.status, answer.error["code"]) == (503, "storage_full")
    assert (await asker.get("/models")).status == 200
    assert (await asker.get("/chat/completions")).json()["data"] == []
    limit_pages(house, None)
    assert (await asker.post({**LARGE, "stream": stream})).status == 200
    assert len((await asker.get("/chat/completions")).json()["data"]) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_disk_that_fills_up_under_load_loses_nothing_that_was_acknowledged(
    settings: Settings, engine: Scripted, session: aiohttp.ClientSession, small_disk: Path
) -> None:
    data = small_disk / "data"
    async with running(replace(settings, data=data), engine) as house:
        asker = Asker(session, house.url, house.key)
        ballast = small_disk / "ballast"
        ballast.write_bytes(b"x" * 2_000_000)
        answers = [await asker.post(LARGE) for _ in range(3)]
        answers += await asyncio.gather(*(asker.post(LARGE) for _ in range(40)))
        assert {answer.status for answer in answers} == {200, 503}
        refused = {answer.error["code"] for answer in answers if answer.status == 503}
        assert refused == {"storage_full"}
        acknowledged = {answer.json()["id"] for answer in answers if answer.status == 200}
        assert (await asker.get("/models")).status == 200
        ballast.unlink()
        assert said((await asker.post(STREAM)).events()) == "Hello there."
        assert (await asker.post(LARGE)).status == 200
        listed = (await asker.get("/chat/completions?limit=100")).json()["data"]
        assert acknowledged < {each["id"] for each in listed}
    async with running(replace(settings, data=data), engine) as again:
        asker = Asker(session, again.url, again.key)
        listed = (await asker.get("/chat/completions?limit=100")).json()["data"]
        assert acknowledged < {each["id"] for each in listed}


async def test_the_server_starts_with_a_clear_error_on_a_disk_that_is_full(
    settings: Settings, engine: Scripted, small_disk: Path
) -> None:
    (small_disk / "ballast").write_bytes(b"x" * (4 * 2**20 - 8192))
    with pytest.raises(Exception, match=r"full|space") as caught:
        async with running(replace(settings, data=small_disk / "data"), engine):
            pass
    assert "Error" in type(caught.value).__name__ or caught.value.args
