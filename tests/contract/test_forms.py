"""Queries and forms become JSON, and are checked as JSON is."""

from typing import Any

import pytest

from inhouse.contract import Contract
from inhouse.contract.forms import nest
from inhouse.errors import BadRequest

CONTRACT = Contract.load()
CHATS = CONTRACT.operations["GET /chat/completions"]
AUDIT = CONTRACT.operations["GET /organization/audit_logs"]
UPLOAD = CONTRACT.operations["POST /files"]
EDIT = CONTRACT.operations["POST /images/edits"]
SPEECH = CONTRACT.operations["POST /audio/transcriptions"]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], {}),
        ([("a", "1")], {"a": "1"}),
        ([("a", "1"), ("a", "2"), ("a", "3")], {"a": ["1", "2", "3"]}),
        ([("a[]", "1")], {"a": ["1"]}),
        ([("a[]", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
        ([("a", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
        ([("a[b]", "1"), ("a[c]", "2")], {"a": {"b": "1", "c": "2"}}),
        ([("a[b][c]", "1")], {"a": {"b": {"c": "1"}}}),
        ([("a[b][]", "1"), ("a[b][]", "2")], {"a": {"b": ["1", "2"]}}),
        ([("a[][b]", "1"), ("a[][c]", "2"), ("a[][b]", "3")],
         {"a": [{"b": "1", "c": "2"}, {"b": "3"}]}),
        ([("a[b", "1"), ("]", "2"), ("", "3")], {"a[b": "1", "]": "2", "": "3"}),
        ([("a" + "[b]" * 9, "1")], {"a" + "[b]" * 9: "1"}),
    ],
)  # fmt: skip
def test_brackets_nest(pairs: list[tuple[str, str]], expected: Any) -> None:
    assert nest(pairs) == expected


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], {}),
        ([("limit", "5"), ("order", "desc")], {"limit": 5, "order": "desc"}),
        ([("metadata[a]", "1"), ("metadata[b]", "x")], {"metadata": {"a": "1", "b": "x"}}),
        ([("utm_source", "x"), ("limit", "1")], {"limit": 1}),
    ],
)
def test_a_query_is_read(pairs: list[tuple[str, str]], expected: Any) -> None:
    assert CHATS.read_query(pairs) == expected


def test_a_query_of_ranges_and_lists_is_read() -> None:
    query = [("effective_at[gte]", "1"), ("event_types[]", "project.created"), ("limit", "100")]
    assert AUDIT.read_query(query) == {
        "effective_at": {"gte": 1},
        "event_types": ["project.created"],
        "limit": 100,
    }


def test_a_single_value_makes_a_list_where_only_a_list_fits() -> None:
    assert AUDIT.read_query([("project_ids", "proj_1")]) == {"project_ids": ["proj_1"]}


@pytest.mark.parametrize(
    ("pairs", "message", "param", "code"),
    [
        (
            [("limit", "abc")],
            "Invalid type for 'limit': expected an integer, but got a string instead.",
            "limit",
            "invalid_type",
        ),
        (
            [("limit", "1.0")],
            "Invalid type for 'limit': expected an integer, but got a string instead.",
            "limit",
            "invalid_type",
        ),
        (
            [("limit", "1"), ("limit", "2")],
            "Invalid type for 'limit': expected an integer, but got an array instead.",
            "limit",
            "invalid_type",
        ),
        (
            [("limit", "0")],
            "Invalid 'limit': integer below minimum value. "
            "Expected a value >= 1, but got 0 instead.",
            "limit",
            "integer_below_min_value",
        ),
        (
            [("limit", "101")],
            "Invalid 'limit': integer above maximum value. "
            "Expected a value <= 100, but got 101 instead.",
            "limit",
            "integer_above_max_value",
        ),
        (
            [("limit", "9" * 400)],
            "Invalid type for 'limit': expected an integer, but got a string instead.",
            "limit",
            "invalid_type",
        ),
        (
            [("order", "up")],
            "Invalid value: 'up'. Supported values are: 'asc' and 'desc'.",
            "order",
            "invalid_value",
        ),
        (
            [("after[x]", "1")],
            "Invalid type for 'after': expected a string, but got an object instead.",
            "after",
            "invalid_type",
        ),
    ],
)
def test_a_wrong_query_is_refused(
    pairs: list[tuple[str, str]], message: str, param: str, code: str
) -> None:
    with pytest.raises(BadRequest) as raised:
        CHATS.read_query(pairs)
    assert (raised.value.message, raised.value.param, raised.value.code) == (message, param, code)


def test_a_form_keeps_its_files() -> None:
    file = object()
    form = UPLOAD.read_form(
        [
            ("file", file),
            ("purpose", "batch"),
            ("expires_after[anchor]", "created_at"),
            ("expires_after[seconds]", "3600"),
        ]
    )
    assert form == {
        "file": file,
        "purpose": "batch",
        "expires_after": {"anchor": "created_at", "seconds": 3600},
    }


def test_one_image_or_many_can_be_sent() -> None:
    first, second = object(), object()
    assert EDIT.read_form([("image", first), ("prompt", "p")])["image"] is first
    form = EDIT.read_form([("image[]", first), ("image[]", second), ("prompt", "p"), ("n", "2")])
    assert form == {"image": [first, second], "prompt": "p", "n": 2}


def test_booleans_decimals_and_lists_of_a_form_are_read() -> None:
    form = SPEECH.read_form(
        [
            ("file", object()),
            ("model", "whisper-1"),
            ("temperature", "0.5"),
            ("stream", "true"),
            ("timestamp_granularities[]", "word"),
            ("chunking_strategy", "auto"),
        ]
    )
    assert form["temperature"] == 0.5
    assert form["stream"] is True
    assert form["timestamp_granularities"] == ["word"]
    assert form["chunking_strategy"] == "auto"


def test_a_number_that_names_a_model_stays_text() -> None:
    assert SPEECH.read_form([("file", b""), ("model", "1")])["model"] == "1"


def test_an_unknown_field_of_a_form_is_refused() -> None:
    with pytest.raises(BadRequest, match="Unknown parameter: 'foo'"):
        UPLOAD.read_form([("file", b""), ("purpose", "batch"), ("foo", "1")])


def test_a_form_without_its_file_is_refused() -> None:
    with pytest.raises(BadRequest, match="Missing required parameter: 'file'"):
        UPLOAD.read_form([("purpose", "batch")])
