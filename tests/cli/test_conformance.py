"""inhouse conformance: its lines, sums and forms."""

from dataclasses import dataclass

from inhouse.cli import conformance


@dataclass(frozen=True)
class Spec:
    key: str
    name: str
    deprecated: bool = False


SPECS = [
    Spec("GET /models", "models.list"),
    Spec("POST /embeddings", "embeddings.create"),
    Spec("GET /files", "files.list"),
    Spec("POST /files", "files.create"),
]
LINES = conformance.lines(
    SPECS, {"GET /models", "POST /embeddings"}, {"GET /models", "POST /files"}
)


def test_an_operation_is_tested_only_if_it_is_implemented():
    states = {line.operation: line.state for line in LINES}
    assert states == {
        "GET /models": "tested",
        "POST /embeddings": "implemented",
        "GET /files": "pending",
        "POST /files": "pending",
    }


def test_tested_operations_are_implemented_ones():
    assert conformance.summary(LINES) == {
        "operations": 4,
        "implemented": 2,
        "tested": 1,
        "pending": 2,
    }


def test_markdown_lists_what_works_and_counts_the_rest():
    text = conformance.markdown(LINES)
    assert text.startswith("2 of 4 operations are implemented, 1 of them tested")
    assert "| `GET /models` | `models.list` | yes |" in text
    assert "| `POST /embeddings` | `embeddings.create` | no |" in text
    assert text.endswith("Pending: files (2).")
