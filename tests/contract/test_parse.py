"""Only clean JSON gets in."""

import pytest

from inhouse.contract import parse
from inhouse.errors import BadRequest

OPENING = "We could not parse the JSON body of your request."


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"  \n",
        b"{",
        b"{'model': 'm'}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\udc00\\ud800"}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\x00"}',
        b"\xef\xbb\xbf{}",
        b'{"a": 1} {"b": 2}',
        b"--boundary\r\nContent-Disposition: form-data",
        b'{"a": 01}',
    ],
)
def test_what_is_no_clean_json_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest) as raised:
        parse(data)
    assert raised.value.message.startswith(OPENING)
    assert raised.value.status == 400
    assert raised.value.envelope()["error"]["type"] == "invalid_request_error"


def test_an_empty_body_is_called_empty() -> None:
    with pytest.raises(BadRequest, match="the body is empty"):
        parse(b"")


def test_the_place_of_a_fault_is_named() -> None:
    with pytest.raises(BadRequest, match="at line 2 column 5"):
        parse(b'{"a":\n 1, x}')


@pytest.mark.parametrize("levels", [201, 1_000, 2_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_deep_nesting_is_refused(levels: int, opening: str, closing: str) -> None:
    data = opening * levels + "1" + closing * levels
    with pytest.raises(BadRequest, match="nested deeper than 200 levels"):
        parse(data.encode())


@pytest.mark.parametrize("text", ["x", "]", "[[[[", "}{", '\\"]'])
def test_brackets_in_texts_do_not_count(text: str) -> None:
    deep = '{"a":' * 199 + f'["{text}"]' + "}" * 199
    assert parse(deep.encode())["a"]
    wide = "[" + ",".join([f'{{"a": "{text}"}}'] * 500) + "]"
    assert len(parse(wide.encode())) == 500
    too_deep = '{"a":' * 200 + f'["{text}"]' + "}" * 200
    with pytest.raises(BadRequest, match="levels"):
        parse(too_deep.encode())


def test_many_shallow_objects_are_not_deep() -> None:
    assert len(parse(b"[" + b",".join([b'{"a": [1]}'] * 10_000) + b"]")) == 10_000
    assert len(parse(b"[" + b",".join([b"[[]]"] * 300_000) + b"]")) == 300_000


def test_plain_json_is_read() -> None:
    assert parse('{"a": [1, 2.5, "ä\\u0000😀", null, true]}'.encode()) == {
        "a": [1, 2.5, "ä\0😀", None, True]
    }
