"""Whatever comes in, it is taken or refused; nothing else happens."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.contract import Contract, parse
from inhouse.errors import BadRequest

CONTRACT = Contract.load()
SPECS = [spec for spec in CONTRACT.operations.values() if spec.query_schema["properties"]]
FORMS = [spec for spec in CONTRACT.operations.values() if spec.multipart]
BODIES = [spec for spec in CONTRACT.operations.values() if spec.body]

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["true", "false", "null", "1", "-1", "1.5", "1e5", "asc", "[1]", "{}", "{", "9" * 30]
    ),
)
BYTES = st.binary(max_size=40) | st.text(max_size=40).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)
INTEGERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
relaxed = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def fields(schema: dict[str, Any]) -> list[str]:
    """The fields of a body; of all its forms if it has several."""
    forms = schema.get("anyOf", [schema])
    return sorted({name for form in forms for name in form["properties"]})


@st.composite
def pairs(draw: st.DrawFn, schema: dict[str, Any]) -> list[tuple[str, str]]:
    """Names that a schema knows, with brackets of all sorts, and texts."""
    names = st.sampled_from([*fields(schema), "x"])
    brackets = st.sampled_from(
        ["", "", "[]", "[a]", "[a][]", "[][a]", "[0]", "[1]", "[", "]", "[[]]"]
    )
    return draw(st.lists(st.tuples(st.builds(str.__add__, names, brackets), TEXTS), max_size=8))


def outcome(read: Callable[[], Any]) -> Any:
    """What comes of reading: a value, or a refusal that says something."""
    try:
        return read()
    except BadRequest as error:
        return error


@given(st.data())
@relaxed
def test_any_query_is_read_or_refused(data: st.DataObject) -> None:
    spec = data.draw(st.sampled_from(SPECS))
    query = data.draw(pairs(spec.query_schema))
    result = outcome(lambda: spec.read_query(query))
    if isinstance(result, BadRequest):
        assert result.message
        assert result.code
    else:
        assert result.keys() <= spec.query_schema["properties"].keys()
        json.dumps(result, allow_nan=False)


@given(st.data())
@relaxed
def test_any_form_is_read_or_refused(data: st.DataObject) -> None:
    spec = data.draw(st.sampled_from(FORMS))
    form = [*data.draw(pairs(spec.body_schema)), ("file", b"data")]
    result = outcome(lambda: spec.read_form(form))
    assert isinstance(result, dict) or result.message


@given(st.data())
@relaxed
def test_any_body_is_taken_or_refused(data: st.DataObject) -> None:
    spec = data.draw(st.sampled_from(BODIES))
    names = st.sampled_from([*fields(spec.body_schema), "x"])
    body = data.draw(st.dictionaries(names, VALUES, max_size=5))
    result = outcome(lambda: spec.check_body(body))
    assert result is body or result.code


@given(BYTES)
@relaxed
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    result = outcome(lambda: parse(data))
    if isinstance(result, BadRequest):
        assert result.message.startswith("We could not parse the JSON body of your request.")
    else:
        assert json.loads(data) == result


@given(VALUES)
@relaxed
def test_clean_json_is_read_as_it_is(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert json.dumps(parse(text.encode())) == json.dumps(json.loads(text))
