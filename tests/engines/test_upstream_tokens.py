"""Counting a chat's tokens where the upstream renders and counts, where it only renders, and where
it does neither."""

import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.client_fields import FieldMap
from inhouse.engines.upstream_tokens import count_chat
from inhouse.errors import BadRequest

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CHAT: dict[str, Any] = {
    "messages": [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": "Hello there"},
    ],
    "tools": [TOOL],
    "max_completion_tokens": 7,
    "temperature": 0.5,
    "stream": True,
}
SEEN = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
Routes = dict[str, Callable[[dict[str, Any]], Any]]


@asynccontextmanager
async def serving(routes: Routes) -> AsyncGenerator[tuple[Endpoints, list[tuple[str, Any]]]]:
    """Endpoints of a server with these routes at its root, and what it was asked."""
    asked: list[tuple[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        asked.append((request.path, body))
        route = routes.get(request.path)
        value = route(body) if route else 404
        if isinstance(value, int):
            return web.json_response({"error": {"message": "no"}}, status=value)
        return web.json_response(value)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    endpoints = Endpoints([url], probe_seconds=0, retries=0)
    try:
        yield endpoints, asked
    finally:
        await endpoints.close()
        await runner.cleanup()


async def test_a_server_that_renders_and_counts_is_asked_once() -> None:
    async with serving({"/tokenize": lambda _: {"count": 12, "tokens": []}}) as (server, asked):
        assert await count_chat(server, "m", FieldMap({}), CHAT) == 12
    messages = [{"role": "system", "content": "Be short."}, CHAT["messages"][1]]
    assert asked == [("/tokenize", {"model": "m", "messages": messages, "tools": [TOOL]})]


async def test_a_server_that_renders_is_asked_for_the_prompt_and_its_tokens() -> None:
    def tokenize(body: dict[str, Any]) -> Any:
        return {"tokens": list(range(len(body.get("content", "").split())))}

    def render(body: dict[str, Any]) -> Any:
        assert body["tools"] == [TOOL]
        return {"prompt": " ".join(each["content"] for each in body["messages"])}

    async with serving({"/tokenize": tokenize, "/apply-template": render}) as (server, asked):
        assert await count_chat(server, "m", FieldMap({}), CHAT) == 4
        assert await count_chat(server, "m", FieldMap({}), {"messages": SEEN}) is None
    assert asked[2][1] == {"content": "Be short. Hello there", "add_special": True} | {
        "parse_special": True
    }


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"/tokenize": 500},
        {"/tokenize": 422, "/apply-template": 400},
        {"/tokenize": {"tokens": []}},
        {"/tokenize": {"count": "12"}, "/apply-template": {"prompt": 3}},
    ],
)
async def test_a_server_that_cannot_say_leaves_it_unknown(answers: dict[str, Any]) -> None:
    def routed(path: str) -> Callable[[dict[str, Any]], Any]:
        return lambda _: answers[path]

    async with serving({path: routed(path) for path in answers}) as (server, _):
        assert await count_chat(server, "m", FieldMap({}), CHAT) is None


async def test_what_the_field_map_refuses_is_refused_in_counting_too() -> None:
    async with serving({}) as (server, asked):
        with pytest.raises(BadRequest, match="'tools' is not supported"):
            await count_chat(server, "m", FieldMap({"tools": False}), CHAT)
    assert asked == []
