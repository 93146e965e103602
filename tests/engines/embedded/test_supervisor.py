"""The child process: it starts, it says why it cannot, it comes back, and it never outlives its
parent."""

import asyncio
import os
import re
import signal
import stat
import sys
from pathlib import Path

import psutil
import pytest

from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.embedded.spec import Adapter, ChildSpec, Launch
from inhouse.engines.embedded.supervisor import Child, ChildFailed
from inhouse.engines.embedded.text import EmbeddedText
from inhouse.engines.text import TextCall
from inhouse.errors import ServerError, Unavailable

PARENT = """
import asyncio, sys
from pathlib import Path
from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.embedded.spec import ChildSpec
from inhouse.engines.embedded.supervisor import Child

async def main():
    child = Child(ChildSpec(Path(sys.argv[1]), context_length=256, parallel=1), Path(sys.argv[2]))
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def gone(pid: int) -> bool:
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        await asyncio.sleep(0.05)
    return False


def test_a_launch_line_reads_back_as_it_was_written() -> None:
    spec = ChildSpec(Path("/m.gguf"), mmproj=Path("/p.gguf"), lora=(Adapter(Path("/a.gguf"), 0.5),))
    launch = Launch(spec, "/run/e.sock", "key", 7)
    assert Launch.decode(launch.encode()) == launch


async def test_a_file_that_is_no_model_is_named_with_the_reason(tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"not a model")
    child = Child(ChildSpec(bad), tmp_path / "run")
    with pytest.raises(ChildFailed, match=r"bad\.gguf could not be loaded\. .*fail") as caught:
        await child.start()
    assert str(tmp_path) not in caught.value.message
    assert child.pid is None


async def test_a_child_that_was_never_started_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await Child(ChildSpec(tmp_path / "none.gguf"), tmp_path).wait_ready()


@pytest.mark.model
async def test_the_socket_lies_in_a_folder_of_the_owner_alone(child: Child) -> None:
    socket = Path(child.base_url.removeprefix("unix://"))
    assert stat.S_ISSOCK(socket.stat().st_mode)  # noqa: ASYNC240 - one stat in a test
    assert socket.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.model
async def test_a_killed_child_comes_back_under_the_same_address(child: Child) -> None:
    before, address = child.pid, child.base_url
    assert before
    os.kill(before, signal.SIGKILL)
    assert await gone(before)
    await asyncio.sleep(0.05)
    await child.wait_ready(30)
    assert child.pid not in {None, before}
    assert (child.base_url, child.restarts) == (address, 1)


@pytest.mark.model
async def test_a_stopped_child_is_gone_with_its_socket(weights: Path, tmp_path: Path) -> None:
    child = Child(ChildSpec(weights, context_length=256, parallel=1), tmp_path / "run")
    await child.start()
    pid = child.pid
    assert pid
    await child.stop()
    assert await gone(pid)
    assert list((tmp_path / "run").iterdir()) == []
    with pytest.raises(Unavailable):
        await child.wait_ready()


@pytest.mark.model
async def test_a_deep_folder_is_no_hindrance(weights: Path, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    child = Child(ChildSpec(weights, context_length=256, parallel=1), deep)
    await child.start()
    socket = Path(child.base_url.removeprefix("unix://"))
    await child.stop()
    assert len(str(socket)) < 100
    assert not socket.parent.exists()


@pytest.mark.model
async def test_where_sockets_are_impossible_the_child_chooses_a_port(
    weights: Path, tmp_path: Path
) -> None:
    child = Child(ChildSpec(weights, context_length=256, parallel=1), tmp_path, unix=False)
    await child.start()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", child.base_url)
    engine = EmbeddedText(child)
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
    assert [batch async for batch in engine.generate(TextCall("chat", body))]
    await engine.close()
    await child.stop()


@pytest.mark.model
async def test_nobody_without_the_key_is_answered(child: Child) -> None:
    for key in (None, "wrong"):
        endpoints = Endpoints([child.base_url], api_key=key, retries=0)
        with pytest.raises(ServerError):
            await endpoints.post("/completions", b'{"prompt":"x"}')
        await endpoints.close()


@pytest.mark.model
async def test_no_child_outlives_a_parent_that_is_killed(weights: Path, tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(weights), str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    assert await gone(pid)
