"""Every answer that the suite receives is checked against the contract.

`Recorder` wraps the ASGI application: it passes everything on and keeps what was sent. What the
oracle finds wrong is collected, and the fixture that made the recorder fails its test.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tests import oracle

from inhouse.errors import APIError
from inhouse.operations import Table

Message = MutableMapping[str, Any]
App = Callable[..., Awaitable[None]]


class Recorder:
    """An ASGI application that checks what another one answers."""

    def __init__(self, app: App, table: Table) -> None:
        self._app = app
        self._table = table
        self.wrong: list[str] = []
        self.seen: set[str] = set()

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)
            await send(message)

        await self._app(scope, receive, keep)
        if scope["type"] == "http" and sent:
            self._check(scope, sent)
        if scope["type"] == "websocket":
            self._check_messages(sent)

    def _check(self, scope: Message, sent: list[Message]) -> None:
        status = sent[0]["status"]
        headers = dict(sent[0]["headers"])
        body = b"".join(message.get("body", b"") for message in sent[1:])
        path = scope["raw_path"].decode()
        for name in (b"x-request-id", b"openai-version", b"openai-processing-ms"):
            if name not in headers:
                self.wrong.append(f"{path}: no header {name.decode()}")
        if status >= 400:
            self._check_error(path, json.loads(body))
            return
        if not path.startswith("/v1/"):
            return
        try:
            key = self._table.match(scope["method"], path[3:])[0].key
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
                self._collect(lambda event=event: oracle.check_event(key, event))

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
                self._collect(lambda event=event: oracle.check_event("POST /responses", event))

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


def sent_whole(body: bytes) -> list[bytes]:
    """The frames that were sent to their end (a client may go away in the middle of one)."""
    return [frame for frame in body.split(b"\n\n")[:-1] if frame]
