"""Images by URL: fetched by the server, guarded, and shown to the engine as data."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
from openai import BadRequestError
from tests.conftest import House, running

from inhouse.engines.scripted import Scripted
from inhouse.settings import Settings

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


@pytest.fixture
async def gallery() -> AsyncGenerator[int]:
    """The port of a server on loopback that answers everything with a picture."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%b" % (len(PNG), PNG)
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def seeing(port: int) -> dict[str, Any]:
    url = {"url": f"http://127.0.0.1:{port}/a.png"}
    content = [{"type": "image_url", "image_url": url}]
    return {"model": "scripted", "messages": [{"role": "user", "content": content}]}


async def test_an_image_of_an_allowed_place_is_fetched(
    settings: Settings, engine: Scripted, gallery: int
) -> None:
    allowed = replace(settings, fetch_allow=(f"127.0.0.1:{gallery}",))
    async with running(allowed, engine) as house:
        await house.client().chat.completions.create(**seeing(gallery))
    (part,) = engine.calls[0].body["messages"][0]["content"]
    data = base64.b64encode(PNG).decode()
    assert part["image_url"]["url"] == f"data:image/png;base64,{data}"


async def test_an_image_on_our_own_network_is_not(house: House, gallery: int) -> None:
    with pytest.raises(BadRequestError) as caught:
        await house.client().chat.completions.create(**seeing(gallery))
    assert caught.value.param == "messages[0].content[0].image_url.url"
    assert caught.value.code == "invalid_image_url"
    assert house.engine.calls == []
