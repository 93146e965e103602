"""inhouse doctor: what each check says of good and of bad machines."""

import hashlib
import json
import resource
import socket
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from inhouse.cli import main
from inhouse.cli.checks import data, machine, network
from inhouse.engines.catalogue import Entry
from inhouse.settings import Settings, Upstream


def test_an_old_sqlite_is_missing():
    assert machine.sqlite((3, 7, 0)).state == "missing"
    assert machine.sqlite(sqlite3.sqlite_version_info).state == "ok"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import libgomp_that_is_not_there", "apt install libgomp1"),
        ("import os; os.abort()", "ended by signal 6"),
    ],
)
def test_an_engine_that_cannot_be_loaded_is_missing(code, said):
    found = machine.engine((sys.executable, "-c", code))
    assert found.state == "missing"
    assert said in found.detail


def test_the_engine_of_this_machine_can_be_loaded():
    assert machine.engine().state == "ok"


@pytest.mark.parametrize(
    ("budget", "state"), [(0, "ok"), (31 * 2**30, "warning"), (2**20, "warning")]
)
def test_a_memory_budget_that_does_not_fit_is_a_warning(budget, state):
    settings = Settings(memory_budget_bytes=budget)
    assert machine.memory(settings, 32 * 2**30).state == state


def test_few_open_files_are_a_warning():
    assert machine.open_files((256, 256)).state == "warning"
    assert machine.open_files((256, resource.RLIM_INFINITY)).state == "ok"


def test_a_clock_before_the_installation_is_wrong():
    assert machine.clock(0.0).state == "missing"
    assert machine.clock(time.time()).state == "ok"


def test_a_data_folder_that_others_can_read_is_a_warning(tmp_path):
    tmp_path.chmod(0o755)
    assert data.folder(tmp_path).state == "warning"
    tmp_path.chmod(0o700)
    assert data.folder(tmp_path).state == "ok"


def test_a_file_is_no_data_folder(tmp_path):
    path = tmp_path / "file"
    path.touch()
    assert data.folder(path).state == "missing"


def test_a_database_that_is_none_is_missing(tmp_path):
    (tmp_path / "inhouse.db").write_bytes(b"x" * 4096)
    assert data.database(tmp_path).state == "missing"


def test_a_database_of_a_newer_program_is_missing(tmp_path):
    main(["keys", "create", "--data", str(tmp_path)])
    assert data.database(tmp_path).state == "ok"
    connection = sqlite3.connect(tmp_path / "inhouse.db")
    with connection:
        connection.execute("INSERT INTO migrations VALUES (9999, 'later', 0)")
    connection.close()
    found = data.database(tmp_path)
    assert found.state == "missing"
    assert "newer" in found.detail


def entry(path: Path, content: bytes) -> Entry:
    path.write_bytes(content)
    return Entry(
        id="tiny",
        source=f"file:{path}",
        abilities=frozenset({"text"}),
        context_length=64,
        sha256=hashlib.sha256(b"GGUF").hexdigest(),
    )


def test_weights_are_held_against_their_sum(tmp_path):
    assert data.weights(entry(tmp_path / "a.gguf", b"GGUF"), tmp_path).state == "ok"
    damaged = data.weights(entry(tmp_path / "b.gguf", b"GGUX"), tmp_path)
    assert damaged.state == "missing"
    assert "damaged" in damaged.detail


def test_weights_that_are_not_there_are_a_warning(tmp_path):
    gone = entry(tmp_path / "a.gguf", b"GGUF")
    (tmp_path / "a.gguf").unlink()
    assert data.weights(gone, tmp_path).state == "warning"


async def test_doctor_makes_no_data_folder(tmp_path):
    settings = Settings(data=tmp_path / "data", models=tmp_path / "models")
    found = {finding.what: finding.state for finding in await data.findings(settings)}
    assert found["Model smollm2-135m-instruct"] == "warning"
    assert not (tmp_path / "data").exists()


def test_a_port_of_another_program_is_missing():
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = Settings(port=other.getsockname()[1])
        other.close()
        assert network.port(settings).state == "ok"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        assert network.port(Settings(port=other.getsockname()[1])).state == "missing"


def test_an_upstream_out_of_reach_is_missing():
    entry = Upstream(name="gpu", base_urls=("http://127.0.0.1:9/v1",), connect_seconds=1)
    found = network.upstream(entry, entry.base_urls[0])
    assert found.state == "missing"
    assert "Connection refused" in found.detail


def test_doctor_prints_json_and_fails_if_something_is_missing(tmp_path, capsys):
    code = main(["doctor", "--json", "--data", str(tmp_path), "--port", "0"])
    found = {entry["what"]: entry["state"] for entry in json.loads(capsys.readouterr().out)}
    assert found["Python"] == "ok"
    assert code == int("missing" in found.values())
