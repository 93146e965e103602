"""The rules between the rooms hold, checked by the tools that know them."""

import subprocess
import sys
from pathlib import Path

import pytest

from inhouse import services
from inhouse.contract import Contract

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def test_imports_point_down() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pending_operations_are_exactly_those_without_a_handler() -> None:
    contract = Contract.load()
    implemented = {operation.name for operation in services.operations()}
    assert implemented <= set(contract.operations)
    assert set(contract.pending) == set(contract.operations) - implemented


@pytest.mark.parametrize(
    "module", ["openai", "numpy", "xllamacpp", "gguf", "huggingface_hub", "quicktok", "aiohttp"]
)
def test_a_starting_server_does_not_import(module: str) -> None:
    code = f"import inhouse.app, sys; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_longer_than_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "common", "helpers", "helper", "misc", "base"}
    assert [path for path in SOURCES if path.stem in drawers] == []
