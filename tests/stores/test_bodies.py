import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.stores import bodies

# Every code point, surrogates and NUL included, but no pair of surrogates: JSON reads a pair as one
# character.
texts = st.text(st.characters(exclude_categories=())).filter(
    lambda text: text == json.loads(json.dumps(text))
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


@given(values)
def test_a_body_comes_back_as_it_was_and_is_text_for_both_databases(value: Any) -> None:
    text = bodies.dump(value)
    assert bodies.load(text) == value
    assert "\0" not in text
    text.encode()


@given(texts)
def test_lifted_text_is_for_both_databases_and_stays_if_it_can(text: str) -> None:
    lifted = bodies.lifted(text)
    assert "\0" not in lifted
    lifted.encode()
    assert bodies.lifted(lifted) == lifted
    if "\0" not in text and not any(0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        assert lifted == text


@pytest.mark.parametrize(
    ("text", "lifted"), [("a\0", "a\ufffd"), ("\ud800b", "\ufffdb"), ("ü😀", "ü😀")]
)
def test_what_a_column_cannot_hold_is_replaced(text: str, lifted: str) -> None:
    assert bodies.lifted(text) == lifted


def test_text_that_is_no_json_is_an_error() -> None:
    with pytest.raises(ValueError, match="line 1"):
        bodies.load("{nope")
