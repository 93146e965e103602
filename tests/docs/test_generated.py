"""What is generated in README and docs is current, and complete."""

from pathlib import Path

import pytest

from inhouse.cli import COMMANDS
from inhouse.settings import Settings, Upstream, options
from tools import docs

FILES = list(docs.files())


@pytest.mark.parametrize(
    ("path", "text"), FILES, ids=[str(path.relative_to(docs.ROOT)) for path, _ in FILES]
)
def test_a_file_with_generated_parts_is_current(path: Path, text: str):
    assert path.read_text("utf-8") == text, "run: make docs"


def test_every_setting_is_documented():
    text = (docs.ROOT / "docs" / "settings.md").read_text("utf-8")
    for option in options(Settings):
        assert f"`{option.env or option.key}`" in text
    for option in options(Upstream):
        assert f"`{option.name}`" in text


def test_every_command_is_documented():
    text = (docs.ROOT / "docs" / "cli.md").read_text("utf-8")
    for name in COMMANDS:
        assert f"inhouse {name}" in text


def test_a_call_on_a_client_in_a_test_counts_as_tested(tmp_path: Path):
    (tmp_path / "test_x.py").write_text(
        "def test_a(client):\n"
        "    client.chat.completions.with_raw_response.create(model='m')\n"
        "    client.models.list().data\n"
        "async def test_b(client):\n"
        "    await client.embeddings.create(input='x')\n"
        "def unused(client):\n"
        "    client.models.delete('m')\n"
    )
    assert docs.tested(tmp_path) == {
        "POST /chat/completions",
        "GET /models",
        "POST /embeddings",
    }


def test_helpers_of_the_sdk_count_as_the_operation_they_call(tmp_path: Path):
    (tmp_path / "test_x.py").write_text(
        "def test_a(client):\n    client.chat.completions.parse(model='m')\n"
    )
    assert docs.tested(tmp_path) == {"POST /chat/completions"}
