"""A client that may send anything, over real HTTP: the official one is too well-behaved."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import aiohttp

Json = dict[str, Any]
USER: Json = {"role": "user", "content": "Hi"}
CHAT: Json = {"model": "scripted", "messages": [USER]}
STREAM: Json = {**CHAT, "stream": True}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Json:
        """The error of the envelope."""
        return self.json()["error"]

    def events(self) -> list[Any]:
        """The data of each frame; `[DONE]` as text."""
        return [datum(frame) for frame in self.body.split(b"\n\n") if frame]


@dataclass(slots=True)
class Asker:
    """Sends requests to `url` (with /v1) under `key`."""

    session: aiohttp.ClientSession
    url: str
    key: str

    async def post(
        self, body: Any, path: str = "/chat/completions", method: str = "POST", **headers: str
    ) -> Answer:
        """Send JSON, or bytes (or pieces of them) as they are, and read the answer to its end."""
        async with self.open(body, path, method, **headers) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **headers: str) -> Answer:
        """GET."""
        return await self.post(None, path, "GET", **headers)

    def open(
        self, body: Any, path: str = "/chat/completions", method: str = "POST", **headers: str
    ) -> Any:
        """The request as a context manager whose answer is not read yet."""
        data = json.dumps(body).encode() if isinstance(body, dict | list) else body
        if isinstance(data, bytes):
            data = BytesIO(data)
        sent = {
            "authorization": f"Bearer {self.key}",
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.session.request(method, f"{self.url}{path}", data=data, headers=sent)


async def begun(asker: Asker, **asked: Any) -> Json:
    """A response that has just begun in the background."""
    body = {"model": "scripted", "input": "Count.", "background": True, **asked}
    answer = await asker.post(body, "/responses")
    assert answer.status == 200, answer.body
    return answer.json()


async def frames(answer: aiohttp.ClientResponse) -> AsyncIterator[Any]:
    """The data of each frame of a stream, as they come."""
    async for line in answer.content:
        if line.startswith(b"data: "):
            yield datum(line)


def datum(frame: bytes) -> Any:
    """The data of one frame."""
    data = frame.rpartition(b"data: ")[2].strip()
    return "[DONE]" if data == b"[DONE]" else json.loads(data)


def said(events: list[Any]) -> str:
    """The text of a chat stream's only choice."""
    chunks = [event for event in events if event != "[DONE]" and event.get("choices")]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is watched knows no event
            await asyncio.sleep(0.01)
