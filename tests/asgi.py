"""Calls an ASGI application directly: one request, in this loop, with a connection to break."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

App = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as the client sees it; `pieces` are the writes of its body."""

    status: int
    headers: dict[str, str]
    pieces: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """The data of each SSE frame; `[DONE]` as text."""
        frames = [frame for frame in self.body.decode().split("\n\n") if frame]
        data = [frame.rpartition("data: ")[2] for frame in frames]
        return [one if one == "[DONE]" else json.loads(one) for one in data]


async def ask(
    app: App,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | Sequence[bytes] = b"",
    gone: asyncio.Event | None = None,
) -> Received:
    """Send one request. When `gone` is set the client closes the connection."""
    raw, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": raw,
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in {"host": "127.0.0.1", **(headers or {})}.items()
        ],
    }
    pieces = [body] if isinstance(body, bytes) else list(body)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if pieces:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if not sent:
        return Received(0, {}, [])
    head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Received(sent[0]["status"], head, [message["body"] for message in sent[1:]])
