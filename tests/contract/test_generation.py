"""The committed data file is what the generator makes; the document's facts are all in it."""

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tools.contract import __main__ as command
from tools.contract.build import build, write
from tools.contract.document import Constraints, bodies, operations
from tools.contract.merge import merge, references
from tools.contract.types import Types

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "contract"
FOLDER = ROOT / "src" / "inhouse" / "contract"

needs_document = pytest.mark.skipif(
    not (SHARED / "openapi.json").exists(), reason="the published document is not here"
)


@cache
def made() -> tuple[dict[str, Any], Constraints]:
    published = json.loads((SHARED / "openapi.json").read_text())
    rules = tomllib.loads((FOLDER / "overlay.toml").read_text())
    return build(published, rules)


@needs_document
def test_generating_again_gives_the_committed_file() -> None:
    contract, _ = made()
    assert write(contract) == (FOLDER / "contract.json").read_text(), (
        "run: python -m tools.contract --document ../shared/contract/openapi.json"
    )


@needs_document
def test_the_command_writes_the_files(tmp_path: Path) -> None:
    output = tmp_path / "contract.json"
    command.main(["--document", str(SHARED / "openapi.json"), "--output", str(output)])
    for name in ("contract.json", "answers.json"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), name


@needs_document
def test_nearly_every_constraint_of_the_document_has_its_place() -> None:
    _, constraints = made()
    reachable = {
        leaf.label
        for key, _, operation in operations(constraints.published)
        for schema in bodies(operation)
        for leaf in constraints.leaves.reachable(schema, key)
    }
    table = (SHARED / "constraints.tsv").read_text().splitlines()[1:]
    rows = [row for row in table if row.split("\t")[0] in reachable]
    lost = [row for row in rows if row.split("\t")[0] not in constraints.mapped]
    assert len(rows) > 800
    assert len(lost) / len(rows) <= 0.01, lost


@needs_document
def test_nearly_every_limit_of_the_document_is_applied() -> None:
    """Limits, by keyword: to have a place is not enough."""
    _, constraints = made()
    reachable = {
        leaf.label
        for key, _, operation in operations(constraints.published)
        for schema in bodies(operation)
        for leaf in constraints.leaves.reachable(schema, key)
    }
    said = {(label, keyword) for (_, keyword), by in constraints._said.items() for label in by}
    said |= {(label, "minimum") for label, keyword in said if keyword == "exclusiveMinimum"}
    table = (SHARED / "constraints.tsv").read_text().splitlines()[1:]
    rows = [row.split("\t")[:2] for row in table]
    limits = [row for row in rows if row[0] in reachable and row[1] not in ("default", "format")]
    lost = [row for row in limits if tuple(row) not in said]
    assert len(limits) > 400
    assert len(lost) / len(limits) <= 0.01, lost


@needs_document
def test_the_document_hardly_contradicts_itself() -> None:
    _, constraints = made()
    assert len(constraints.conflicts) <= 1, constraints.conflicts


@pytest.mark.parametrize("name", ["contract.json", "answers.json"])
def test_a_data_file_has_one_entry_a_line_in_order(name: str) -> None:
    text = (FOLDER / name).read_text()
    data = json.loads(text)
    entries = [json.dumps(entry) for part in data.values() for entry in sorted(part)]
    lines = [line for line in text.splitlines() if line[0] == '"' and not line.endswith(":{")]
    assert [line.partition(":{")[0] for line in lines] == entries


def test_the_data_file_has_no_texts_of_the_document() -> None:
    text = (FOLDER / "contract.json").read_text()
    assert '"description":"' not in text
    assert len(text) < 800_000


def test_equal_definitions_are_merged_even_in_circles() -> None:
    def node(other: str) -> dict[str, Any]:
        return {"type": "object", "properties": {"next": {"$ref": f"#/$defs/{other}"}}}

    definitions = {"LongA": node("LongB"), "LongB": node("LongA"), "C": node("C"), "D": {}}
    root = {"anyOf": [{"$ref": "#/$defs/LongA"}, {"$ref": "#/$defs/C"}, {"$ref": "#/$defs/D"}]}
    merged = merge(definitions, [root])
    assert set(merged) == {"C", "D"}
    assert references(root) == ["C", "C", "D"]
    assert merged["C"] == node("C")


def test_types_become_schemas() -> None:
    schema = Types().schema
    assert schema(str) == {"type": "string"}
    assert schema(list[str] | None) == {"type": ["array", "null"], "items": {"type": "string"}}
    assert schema(dict[str, object]) == {"type": "object", "additionalProperties": True}
    with pytest.raises(TypeError):
        schema(set[str])
