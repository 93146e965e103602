"""A server with the default models, started as a user starts it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.blocks import Reader

KEY = "sk-docs-0123456789abcdef"


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The URL of `inhouse serve`, and its data folder."""
    data = tmp_path_factory.mktemp("docs") / "data"
    kept = ("PATH", "HOME", "INHOUSE_MODELS", "INHOUSE_PIP_ARGS", "OMP_WAIT_POLICY")
    environ = {name: os.environ[name] for name in kept if name in os.environ}
    environ |= {"INHOUSE_DATA": str(data), "INHOUSE_PORT": "0", "INHOUSE_BOOTSTRAP_KEY": KEY}
    process = subprocess.Popen(
        [sys.executable, "-m", "inhouse.cli", "serve"],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        ready = re.search(r"http://[^/]+", process.stdout.readline())
        assert ready, "the server did not start"
        yield ready[0], data
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


@pytest.fixture
def reader(server, tmp_path) -> Reader:
    """Somebody who reads a document."""
    url, data = server
    return Reader(url, KEY, data, tmp_path, {"__name__": "__main__"})
