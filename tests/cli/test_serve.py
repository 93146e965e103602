"""inhouse serve: what it prints, how it starts and ends. The models are a scripted upstream's."""

import http.client
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from inhouse.cli.serve import curl, greeting
from inhouse.settings import Settings

KEY = "sk-first-0123456789"
ALIASES = {"gpt-*": "small", "text-embedding-*": "vectors"}


def test_the_first_greeting_has_the_key_and_a_curl_line_with_it():
    text = greeting(Settings(), KEY, "small", ALIASES)
    assert text.count(KEY) == 2
    assert f'-H "Authorization: Bearer {KEY}"' in text
    assert "  gpt-* -> small\n" in f"{text}\n"


def test_later_greetings_take_the_key_from_the_environment():
    text = greeting(Settings(), None, "small", {})
    assert '-H "Authorization: Bearer $OPENAI_API_KEY"' in text
    assert "Alias" not in text


def test_without_a_model_the_greeting_says_how_to_get_one():
    text = greeting(Settings(), None, None, {})
    assert "inhouse models pull" in text
    assert "curl" not in text


def test_without_keys_the_curl_line_has_none():
    assert "Authorization" not in curl(Settings(no_auth=True), KEY, "small")


def test_the_curl_line_is_one_command():
    words = shlex.split(curl(Settings(), KEY, "small"))
    assert words[:2] == ["curl", "http://127.0.0.1:8420/v1/chat/completions"]
    assert json.loads(words[-1])["model"] == "small"


@dataclass(slots=True)
class Served:
    """A running `inhouse serve`. `greeting` is what it printed until it was ready, and after."""

    process: subprocess.Popen[str]
    port: int
    lines: list[str]
    opened: list[Any] = field(default_factory=list)

    def ask(self, path: str, body: dict | None = None, key: str = KEY):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(
            "POST" if body else "GET",
            f"/v1{path}",
            json.dumps(body) if body else None,
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        response = connection.getresponse()
        self.opened += [connection, response]
        return response

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


def command(data: Path, environ: dict[str, str], *flags: str) -> subprocess.Popen[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    return subprocess.Popen(
        [sys.executable, "-m", "inhouse.cli", "serve", "--data", str(data), "--port", "0", *flags],
        env=kept | environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def serving(data: Path, environ: dict[str, str], *flags: str) -> Iterator[Served]:
    process = command(data, environ, *flags)
    assert process.stdout
    assert process.stderr
    lines: list[str] = []
    ready = re.search(r":(\d+)/v1$", process.stdout.readline().strip())
    try:
        assert ready, process.stderr.read()
        reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
        reader.start()
        served = Served(process, int(ready[1]), lines)
        yield served
    finally:
        for each in served.opened if ready else ():
            each.close()
        process.kill()
        process.wait()
        if ready:
            reader.join()
        process.stdout.close()
        process.stderr.close()


@pytest.fixture
def environ(upstream, tmp_path) -> dict[str, str]:
    """A configuration whose only models are the upstream's."""
    config = tmp_path / "inhouse.toml"
    config.write_text(
        f"default_models = false\n[[upstreams]]\nname = 'scripted'\nbase_url = '{upstream.url}'\n"
    )
    return {"INHOUSE_CONFIG": str(config), "INHOUSE_BOOTSTRAP_KEY": KEY}


def chat(stream: bool) -> dict:  # noqa: FBT001 - reads well below
    messages = [{"role": "user", "content": "Hello"}]
    return {"model": "scripted", "messages": messages, "stream": stream}


def test_a_server_answers_as_soon_as_it_says_so_and_ends_with_0(tmp_path, environ):
    with serving(tmp_path / "data", environ) as server:
        assert server.ask("/models").status == 200
        assert server.ask("/models", key="sk-wrong").status == 401
        assert server.end() == 0


def test_ctrl_c_ends_it_with_0_too(tmp_path, environ):
    with serving(tmp_path / "data", environ) as server:
        assert server.end(signal.SIGINT) == 0


def test_the_first_key_is_printed_once(tmp_path, environ):
    del environ["INHOUSE_BOOTSTRAP_KEY"]
    with serving(tmp_path / "data", environ) as server:
        server.end()
    (key,) = set(re.findall(r"sk-[\w-]+", "".join(server.lines)))
    with serving(tmp_path / "data", environ) as server:
        assert server.ask("/models", key=key).status == 200
        server.end()
    assert "sk-" not in "".join(server.lines)


def test_sigterm_lets_a_stream_end_properly(tmp_path, environ, upstream):
    upstream.server.delay = 0.1
    with serving(tmp_path / "data", environ) as server:
        response = server.ask("/chat/completions", chat(stream=True))
        assert response.status == 200
        first = response.readline()
        server.process.send_signal(signal.SIGTERM)
        rest = response.read()
        assert server.process.wait(30) == 0
    said = re.findall(rb'"content": ?"(\d) "', first + rest)
    assert said == [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7"]
    assert rest.endswith(b"data: [DONE]\n\n")


def test_draining_is_bounded(tmp_path, environ, upstream):
    upstream.server.fault = "stall"
    upstream.server.delay = 0.01
    with serving(tmp_path / "data", environ, "--drain-seconds", "1") as server:
        response = server.ask("/chat/completions", chat(stream=True))
        assert response.status == 200
        started = time.monotonic()
        assert server.end() == 0
        assert 0.5 < time.monotonic() - started < 10


def failure(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = process.communicate(timeout=30)
    return process.returncode, said


def test_a_port_in_use_is_one_line_and_exit_code_1(tmp_path, environ):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, said = failure(command(tmp_path / "data", environ, "--port", str(port)))
    assert (code, said) == (1, f"inhouse: 127.0.0.1:{port}: Address already in use\n")


def test_a_second_server_on_a_data_folder_is_refused_in_one_line(tmp_path, environ):
    with serving(tmp_path / "data", environ) as server:
        code, said = failure(command(tmp_path / "data", environ))
        assert code == 1
        assert f"(pid {server.process.pid}) is already running" in said
        assert said.count("\n") == 1


def test_a_wrong_setting_is_one_line_and_exit_code_2(tmp_path, environ):
    code, said = failure(command(tmp_path / "data", environ | {"INHOUSE_PROT": "1"}))
    assert code == 2
    assert said.startswith("inhouse: Unknown environment variable INHOUSE_PROT.")


def test_no_auth_needs_no_key_and_shows_none(tmp_path, environ):
    del environ["INHOUSE_BOOTSTRAP_KEY"]
    with serving(tmp_path / "data", environ, "--no-auth") as server:
        assert server.ask("/models", key="").status == 200
        server.end()
    assert "Authorization" not in "".join(server.lines)
