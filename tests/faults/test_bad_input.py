"""Input that no well-behaved client sends: each is refused in the envelope, and does no harm.

The oracle of `house` checks the form of every answer; a 500 fails these tests by its status.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from tests.conftest import House, running
from tests.faults.asking import CHAT, STREAM, USER, Asker, Json

from inhouse.engines.scripted import Scripted
from inhouse.settings import Settings

ROUTES = ["/chat/completions", "/completions", "/embeddings"]
DEEP = 100_000


def deep(levels: int) -> bytes:
    """A chat whose metadata nests."""
    inner = b'{"a":' * levels + b"1" + b"}" * levels
    return b'{"model":"scripted","messages":[{"role":"user","content":"x"}],"metadata":%b}' % inner


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"model": "scripted",}',
        b"{'model': 'scripted'}",
        b'{"model": NaN}',
        b'{"model": Infinity}',
        b"\xff\xfe{}",
        b'{"model": "\xc3\x28"}',
        b'{"model": "\xed\xa0\x80"}',
        b'{"model": "\\ud800"}',
        b'{"model": "a\x00b"}',
        b"\x00",
        b"[" * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        b"1" * 100_000,
        b"null",
        b"[]",
        b'"text"',
        b"\x1f\x8b\x08\x00",
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_what_is_no_json_object_is_a_400(asker: Asker, body: bytes) -> None:
    for route in ROUTES:
        answer = await asker.post(body, route)
        assert answer.status == 400
        assert answer.error["type"] == "invalid_request_error"
        assert len(answer.body) < 2000


@pytest.mark.parametrize("levels", [150, 250, 1000, DEEP])
async def test_deep_nesting_is_refused(asker: Asker, levels: int) -> None:
    assert (await asker.post(deep(levels))).status == 400


@pytest.mark.parametrize("levels", [30, 90, 180])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_deep_schema_is_taken_or_refused(asker: Asker, levels: int, stream: object) -> None:
    schema: Json = {"type": "string"}
    for _ in range(levels // 2):
        schema = {"type": "object", "properties": {"a": schema}}
    formed = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = await asker.post({**CHAT, "response_format": formed, "stream": stream})
    assert answer.status in {200, 400}


async def test_deeply_bracketed_queries_are_refused_or_ignored(asker: Asker) -> None:
    for query in ("metadata" + "[a]" * 5000, "metadata" + "[" * 5000, "metadata[]" * 500):
        assert (await asker.get(f"/chat/completions?{query}=1")).status in {200, 400}


WRONG: list[tuple[Json, str]] = [
    ({"model": 5}, "model"),
    ({"model": None}, "model"),
    ({"model": ["scripted"]}, "model"),
    ({"messages": "Hi"}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": [5]}, "messages[0]"),
    ({"messages": [{"role": "nobody", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": 2.5}, "temperature"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"n": 0}, "n"),
    ({"n": 10**30}, "n"),
    ({"stream": "yes"}, "stream"),
    ({"stop": [1]}, "stop"),
    ({"logit_bias": {"a": "b"}}, "logit_bias"),
    ({"tools": {}}, "tools"),
    ({"tools": [{"type": "functoin"}]}, "tools[0].type"),
    ({"metadata": {"k": 1}}, "metadata"),
    ({"metadata": {"k": "v" * 513}}, "metadata"),
    ({"response_format": {"type": "xml"}}, "response_format"),
]


@pytest.mark.parametrize(
    ("change", "param"), WRONG, ids=[json.dumps(change)[:40] for change, _ in WRONG]
)
async def test_a_wrong_value_is_a_400_that_names_it(asker: Asker, change: Json, param: str) -> None:
    answer = await asker.post({**CHAT, **change})
    assert answer.status == 400
    assert str(answer.error["param"]).startswith(param)


@pytest.mark.parametrize("route", ROUTES)
async def test_an_unknown_field_is_refused_by_name(asker: Asker, route: str) -> None:
    given = {"prompt": "Hi"} if route == "/completions" else {"input": "Hi"}
    body = CHAT if route == "/chat/completions" else {"model": "scripted", **given}
    answer = await asker.post({**body, "tempreature": 1}, route)
    assert (answer.status, answer.error["param"]) == (400, "tempreature")
    assert answer.error["code"] == "unknown_parameter"


@pytest.fixture
async def narrow(
    settings: Settings, engine: Scripted, session: aiohttp.ClientSession
) -> AsyncIterator[Asker]:
    """A server that takes bodies of at most 100 kB."""
    async with running(replace(settings, max_body_bytes=100_000), engine) as house:
        yield Asker(session, house.url, house.key)


async def pieces(count: int) -> AsyncIterator[bytes]:
    """A body of unknown length."""
    for _ in range(count):
        yield b" " * 10_000


@pytest.mark.parametrize("route", ROUTES)
async def test_a_body_over_the_limit_is_a_413(narrow: Asker, route: str) -> None:
    for body in (b" " * 100_001, pieces(11)):
        answer = await narrow.post(body, route)
        assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    content = "x" * (99_990 - len(json.dumps({**CHAT, "messages": [{**USER, "content": ""}]})))
    assert (await narrow.post({**CHAT, "messages": [{**USER, "content": content}]})).status == 200


async def test_a_large_body_within_the_limit_is_answered(asker: Asker) -> None:
    many = [{"role": "user", "content": "word " * 20} for _ in range(10_000)]
    assert (await asker.post({**CHAT, "messages": many})).status in {200, 400}


@pytest.mark.parametrize("stream", [True, False])
async def test_nul_in_texts_is_taken_and_comes_back(
    house: House, asker: Asker, stream: object
) -> None:
    message = {"role": "user", "content": "a\x00b", "name": "n\x00"}
    body = {**CHAT, "messages": [message], "metadata": {"k\x00": "v\x00w"}, "store": True}
    answer = await asker.post({**body, "stream": stream})
    assert answer.status == 200
    assert house.engine.calls[0].body["messages"][0]["content"] == "a\x00b"
    stored = await asker.get("/chat/completions?limit=1")
    (found,) = stored.json()["data"]
    assert found["metadata"] == {"k\x00": "v\x00w"}
    kept = await asker.get(f"/chat/completions/{found['id']}/messages")
    assert kept.json()["data"][0]["content"] == "a\x00b"
    filtered = await asker.get("/chat/completions?metadata[k%00]=v%00w")
    assert [each["id"] for each in filtered.json()["data"]] == [found["id"]]


@pytest.mark.parametrize(
    "path",
    [
        "/models/%00",
        "/models/scripted%00",
        "/models/%ff%fe",
        "/models/" + "x" * 5000,
        "/chat/completions/%00",
        "/chat/completions/..%2f..%2fetc",
        "/chat/completions?after=%00",
        "/chat/completions?after=%ff",
        "/chat/completions?limit=%00",
        "/chat/completions?order=%F0%9F%92%A9",
        "/chat/completions?model=%00",
        "/chat/completions?limit=" + "9" * 500,
        "/chat/completions?limit=-1",
        "/chat/completions?limit=NaN",
        "/chat/completions/x/messages?after=%00",
    ],
    ids=lambda path: path[:40],
)
async def test_odd_paths_and_queries_are_no_defect(asker: Asker, path: str) -> None:
    assert (await asker.get(path)).status in {200, 400, 404}


async def test_a_model_name_with_nul_is_not_found(asker: Asker) -> None:
    for name in ("scripted\x00", "\x00", "gpt-\x00", "x" * 100_000, "../../etc/passwd"):
        answer = await asker.post({**CHAT, "model": name})
        assert answer.status in {200, 404}
        if answer.status == 404:
            assert answer.error["code"] == "model_not_found"


BAD_IMAGES = [
    "data:image/png;base64,@@@@",
    "data:image/png;base64,",
    "data:image/png;base64,AAA",
    "data:image/png;base64,bm90IGFuIGltYWdl",
    "data:text/html;base64,PGI+",
    "data:image/png,raw",
    "data:",
    "",
    "not a url",
    "file:///etc/passwd",
    "ftp://example.com/a.png",
    "http://127.0.0.1:1/a.png",
    "http://169.254.169.254/latest",
    "http://[::1]/a.png",
    "http://\x00/",
    "data:image/png;base64,\x00",
    "\ud83d\ude00",
]


@pytest.mark.parametrize("url", BAD_IMAGES)
async def test_an_image_that_is_none_is_a_400(asker: Asker, url: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}
    for stream in (True, False):
        body = {**CHAT, "stream": stream, "messages": [{"role": "user", "content": [part]}]}
        answer = await asker.post(body)
        assert answer.status == 400
        assert str(answer.error["param"]).startswith("messages[0].content[0]")


@pytest.mark.parametrize(
    "given",
    ["", [], [""], [[]], [[-1]], [[10**9]], [1.5], [None], ["x"] * 2049, {"a": 1}, 5, [["x"]]],
    ids=lambda given: json.dumps(given)[:20],
)
async def test_inputs_of_embeddings_that_are_none_are_a_400(asker: Asker, given: Any) -> None:
    answer = await asker.post({"model": "vectors", "input": given}, "/embeddings")
    assert answer.status == 400
    assert str(answer.error["param"]).startswith("input")


async def test_a_client_request_id_is_taken_or_refused_and_never_a_defect(asker: Asker) -> None:
    assert (await asker.post(CHAT, X_Client_Request_Id="my-id-1")).status == 200
    answer = await asker.post(CHAT, X_Client_Request_Id="x" * 513)
    assert (answer.status, answer.error["code"]) == (400, "invalid_client_request_id")
    assert answer.headers["x-request-id"].startswith("req_")
    answer = await asker.post(STREAM, X_Client_Request_Id="é")
    assert answer.status == 400


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer \xff", "Bearer " + "x" * 8000]
)
async def test_keys_that_are_none_are_a_401(asker: Asker, value: str) -> None:
    answer = await asker.post(CHAT, authorization=value)
    assert answer.status == 401
    assert len(answer.body) < 1000
