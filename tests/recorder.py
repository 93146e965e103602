"""Every answer that the suite receives is checked against the contract.

`Recorder` wraps the edge: it passes everything on and keeps what was sent. What the oracle finds
wrong is collected, and the fixture that made the recorder fails its test.
"""

import json
from collections.abc import Callable, MutableMapping
from typing import Any

from tests import oracle, stream_events

from inhouse.errors import APIError
from inhouse.http.edge import Edge
from inhouse.http.peer import Peer
from inhouse.http.request import Head
from inhouse.operations import Table

Message = MutableMapping[str, Any]


class Recorder:
    """An application that checks what the edge answers."""

    def __init__(self, edge: Edge, table: Table) -> None:
        self._edge = edge
        self._table = table
        self.wrong: list[str] = []
        self.seen: set[str] = set()
        self.events: set[str] = set()

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)
            await send(message)

        await self._edge(scope, receive, keep)
        if scope["type"] == "websocket":
            self._check_messages(sent)

    async def exchange(self, head: Head, peer: Peer) -> None:
        kept = _Kept(peer)
        await self._edge.exchange(head, kept)
        if kept.status:
            self._check(head, kept)

    def _check(self, head: Head, kept: "_Kept") -> None:
        status, headers, path = kept.status, kept.headers, head.path
        body = b"".join(kept.pieces)
        for name in (b"x-request-id", b"openai-version", b"openai-processing-ms"):
            if name not in headers:
                self.wrong.append(f"{path}: no header {name.decode()}")
        if status >= 400:
            self._check_error(path, json.loads(body))
            return
        if not path.startswith("/v1/"):
            return
        try:
            key = self._table.match(head.method, path[3:])[0].key
        except APIError:
            self.wrong.append(f"{path}: {status} for a route that is not in the contract")
            return
        self.seen.add(key)
        if headers[b"content-type"].startswith(b"text/event-stream"):
            self._check_events(key, body)
        else:
            self._collect(lambda: oracle.check_response(key, status, json.loads(body)))

    def _check_events(self, key: str, body: bytes) -> None:
        whole = sent_whole(body)
        for frame in whole:
            data = frame.rpartition(b"data: ")[2]
            if data == b"[DONE]":
                continue
            event = json.loads(data)
            if "error" in event:
                self._check_error(key, event)
            else:
                self._check_event(key, event)

    def _check_messages(self, sent: list[Message]) -> None:
        """The events of a connection are those of a stream, with the name of their lane."""
        for message in sent:
            if message["type"] != "websocket.send":
                continue
            event = json.loads(message["text"])
            event.pop("stream_id", None)
            if event["type"] == "error":
                self._check_error("WS /responses", event)
            elif not event["type"].startswith("response.steer."):
                self._check_event("POST /responses", event)

    def _check_event(self, key: str, event: Any) -> None:
        if "type" in event:  # chunks of a completion have none
            self.events.add(event["type"])
            stream_events.SEEN.add(event["type"])
        self._collect(lambda: oracle.check_event(key, event))

    def _check_error(self, where: str, body: Any) -> None:
        error = body.get("error") if isinstance(body, dict) else None
        fields = {"message", "type", "param", "code"}
        if not isinstance(error, dict) or not fields <= set(error):
            self.wrong.append(f"{where}: not the error envelope: {body}")

    def _collect(self, check: Callable[[], object]) -> None:
        try:
            check()
        except AssertionError as error:
            self.wrong.append(str(error))


class _Kept:
    """A peer that passes everything on and keeps what was sent."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.pieces: list[bytes] = []

    @property
    def lost(self) -> bool:
        return self._peer.lost

    def watch(self, gone: Callable[[], None] | None) -> None:
        self._peer.watch(gone)

    async def body(self, limit: int) -> bytes:
        return await self._peer.body(limit)

    async def respond(self, status: int, fields: bytes, body: bytes) -> None:
        self._keep_head(status, fields)
        self.pieces.append(body)
        await self._peer.respond(status, fields, body)

    def begin(self, status: int, fields: bytes) -> None:
        self._keep_head(status, fields)
        self._peer.begin(status, fields)

    async def send(self, data: bytes) -> None:
        self.pieces.append(data)
        await self._peer.send(data)

    async def end(self, data: bytes) -> None:
        self.pieces.append(data)
        await self._peer.end(data)

    def _keep_head(self, status: int, fields: bytes) -> None:
        self.status = status
        pairs = [line.partition(b": ") for line in fields.split(b"\r\n")[:-1]]
        self.headers = {name: value for name, _, value in pairs}


def sent_whole(body: bytes) -> list[bytes]:
    """The frames that were sent to their end (a client may go away in the middle of one)."""
    return [frame for frame in body.split(b"\n\n")[:-1] if frame]
