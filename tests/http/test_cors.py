"""Pages of other origins may call the API only when the operator names them."""

from typing import Any

from tests.asgi import ask

from inhouse.http import cors


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def test_without_origins_nothing_is_wrapped() -> None:
    assert cors.allow(hello, ()) is hello


async def test_a_named_origin_may_preflight_and_read_the_limits() -> None:
    app = cors.allow(hello, ["https://app.example"])
    headers = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    preflight = await ask(app, "OPTIONS", "/v1/chat/completions", headers=headers)
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    answer = await ask(app, "POST", "/v1/models", headers={"origin": "https://app.example"})
    assert "x-ratelimit-remaining-tokens" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_another_origin_is_told_nothing() -> None:
    app = cors.allow(hello, ["https://app.example"])
    answer = await ask(app, "GET", "/v1/models", headers={"origin": "https://other.example"})
    assert "access-control-allow-origin" not in answer.headers
