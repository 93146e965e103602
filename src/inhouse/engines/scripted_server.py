"""A scripted upstream: an OpenAI-compatible server that generates nothing. Ships for tests and
benchmarks.

Answers GET /v1/models and POST /v1/chat/completions and /v1/completions, streamed or whole, with
`chunks` pieces of text, `delay` seconds apart (0: in one write). A fault may be set for all answers
(`server.fault = ...`) or named by one request as its `model` (`fault-reset`):

    hang      takes the request and stays silent       reset     closes in the middle of its answer
    stall     falls silent in the middle               error     sends an error event in the middle
    429, 500, 503, ... any status                      overflow  400, the context is too small
    cut       ends the stream without a finish reason  nonsense  sends what is not JSON

`guise` says for which kind of server it passes (`inhouse.engines.scripted_kinds`).

    python -m inhouse.engines.scripted_server --port 8000 --chunks 64 --delay 0.01
"""

import argparse
import asyncio
import contextlib
import json
import time
from typing import Any, cast

import httptools

from inhouse.engines.scripted_kinds import GUISES, Guise

_OVERFLOW = (
    "This model's maximum context length is 100 tokens. However, you requested 120 tokens "
    "(110 in the messages, 10 in the completion)."
)

_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


class ScriptedServer:
    """The server's settings, and what it saw: `requests` (path, headers, body) in order,
    `connections` made, `closed` answers whose client went away before they were whole."""

    def __init__(self, *, chunks: int = 8, delay: float = 0.0, fault: str | None = None) -> None:
        self.chunks = chunks
        self.delay = delay
        self.stamped = False
        """Whether streamed pieces are the times at which they left, for benchmarks of delays."""
        self.fault = fault
        self.guise = Guise()
        self.separate = False
        """Every event of a burst is an HTTP chunk of its own, as most servers send them."""
        self.keep_requests = True
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.connections = 0
        self.closed = 0
        self._server: asyncio.Server | None = None
        self._open: set[_Peer] = set()

    async def start(self, *, port: int = 0, unix: str | None = None) -> str:
        """Listen on loopback or on a Unix socket; returns the base URL."""
        loop = asyncio.get_running_loop()

        def peer() -> _Peer:
            return _Peer(self)

        if unix:
            self._server = await loop.create_unix_server(peer, unix)
            return f"unix://{unix}"
        self._server = await loop.create_server(peer, "127.0.0.1", port, backlog=1024)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def stop(self) -> None:
        """Close the listener and every connection."""
        if self._server:
            self._server.close()
        for peer in tuple(self._open):
            peer.abort()
        await asyncio.sleep(0)

    def joined(self, peer: "_Peer") -> None:
        """A client connected."""
        self.connections += 1
        self._open.add(peer)

    def left(self, peer: "_Peer", *, answering: bool) -> None:
        """A client is gone."""
        self._open.discard(peer)
        self.closed += answering


class _Peer(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        answering = self._task is not None and not self._task.done()
        if self._task:
            self._task.cancel()
        self._server.left(self, answering=answering)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        with contextlib.suppress(httptools.HttpParserError):
            self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        path = self._url.decode().partition("?")[0]
        body = json.loads(self._body) if self._body else None
        if self._server.keep_requests:
            self._server.requests.append((path, self._headers, body))
        self._begin()
        self._answer(path, body)

    def abort(self) -> None:
        """Reset the connection."""
        if self._transport:
            self._transport.abort()

    def _answer(self, path: str, body: Any) -> None:
        guise = self._server.guise
        if path not in {"/v1/chat/completions", "/v1/completions"} or not isinstance(body, dict):
            answer = guise.answer(path, body)
            missing = {"error": {"message": "no such route", "code": 404}}
            self._whole(404 if answer is None else 200, answer or missing)
            return
        if refused := guise.refused(body):
            message = f"Unsupported parameter: '{refused}' is not supported."
            self._whole(400, {"error": {"message": message, "param": refused, "code": None}})
            return
        fault = self._server.fault
        model = str(body.get("model"))
        if model.startswith("fault-"):
            fault = model.removeprefix("fault-")
        legacy = path == "/v1/completions"
        if fault and fault.isdigit():
            self._whole(int(fault), {"error": {"message": "scripted", "code": None}})
        elif fault == "overflow":
            self._whole(400, {"object": "error", "message": _OVERFLOW, "code": 400})
        elif fault != "hang" and body.get("stream"):
            self._task = asyncio.create_task(self._stream(body, fault, legacy=legacy))
        elif fault != "hang":
            self._task = asyncio.create_task(self._later(body, fault, legacy=legacy))

    async def _later(self, body: Any, fault: str | None, *, legacy: bool) -> None:
        """A whole answer, as late as its stream would end."""
        if self._server.delay:
            await asyncio.sleep(self._server.delay * self._server.chunks)
        if fault == "reset":
            self.abort()
            return
        text = "".join(_piece(at) for at in range(self._server.chunks))
        said = {"text": text} if legacy else {"message": {"role": "assistant", "content": text}}
        choices = [
            {"index": at, "finish_reason": "stop", **said} for at in range(body.get("n") or 1)
        ]
        self._whole(
            200, {**_frame(body, legacy=legacy), "choices": choices, "usage": self._usage()}
        )

    async def _stream(self, body: Any, fault: str | None, *, legacy: bool) -> None:
        self._write(_STREAM_HEAD)
        frame = _frame(body, legacy=legacy)
        events = self._events(frame, body, legacy=legacy)
        half = len(events) // 2
        for at, event in enumerate(events):
            if fault and at == half and self._broken(fault):
                if fault == "stall":
                    await asyncio.Event().wait()
                return
            self._chunk(_stamped(event, at) if self._server.stamped else event)
            if self._server.delay:
                await asyncio.sleep(self._server.delay)
            await self._writable.wait()
        self._chunk(b"data: [DONE]\n\n")
        self._write(b"0\r\n\r\n")

    def _events(self, frame: dict[str, Any], body: Any, *, legacy: bool) -> list[bytes]:
        numbers = range(body.get("n") or 1)
        events: list[Any] = []
        for at in range(self._server.chunks):
            said = {"text": _piece(at)} if legacy else {"delta": {"content": _piece(at)}}
            events += [{"index": choice, **said, "finish_reason": None} for choice in numbers]
        if body.get("logprobs") and not legacy and "logprobs" not in self._server.guise.ignores:
            events = [{**event, "logprobs": _logprobs(event)} for event in events]
        empty: dict[str, Any] = {"text": ""} if legacy else {"delta": {}}
        events += [{"index": choice, **empty, "finish_reason": "stop"} for choice in numbers]
        chunks = [_event({**frame, "choices": [choice]}) for choice in events]
        if (body.get("stream_options") or {}).get("include_usage"):
            chunks.append(_event({**frame, "choices": [], "usage": self._usage()}))
        if not (self._server.delay or self._server.fault or self._server.separate):
            return [b"".join(chunks)]
        return chunks

    def _broken(self, fault: str) -> bool:
        """Play a fault that comes in the middle; whether the stream ends here."""
        if fault == "reset":
            self.abort()
        elif fault == "error":
            self._chunk(_event({"error": {"message": "scripted", "code": 500}}))
            self._write(b"0\r\n\r\n")
        elif fault == "cut":
            self._write(b"0\r\n\r\n")
        elif fault == "nonsense":
            self._chunk(b"data: {nonsense\n\n")
        else:
            return fault == "stall"
        return True

    def _usage(self) -> dict[str, Any]:
        chunks = self._server.chunks
        return {"prompt_tokens": 10, "completion_tokens": chunks, "total_tokens": 10 + chunks}

    def _whole(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        retry = "retry-after: 7\r\n" if status in {429, 503} else ""
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{retry}"
        self._write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)

    def _chunk(self, data: bytes) -> None:
        self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def _write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)


def _piece(at: int) -> str:
    return f"{at} "


def _stamped(event: bytes, at: int) -> bytes:
    """The event with the time (seconds since the epoch) in the place of its piece."""
    return event.replace(json.dumps(_piece(at)).encode(), b'"%.4f "' % time.time())


def _logprobs(event: Any) -> Any:
    token = {"token": event["delta"]["content"], "logprob": -0.5, "bytes": None}
    return {"content": [{**token, "top_logprobs": []}]}


def _frame(body: Any, *, legacy: bool) -> dict[str, Any]:
    kind = "text_completion" if legacy else "chat.completion"
    if body.get("stream") and not legacy:
        kind += ".chunk"
    return {"id": "scripted-1", "object": kind, "created": 0, "model": body.get("model")}


def _event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


async def serve(arguments: argparse.Namespace) -> None:
    """Run until cancelled; the first line of output is the base URL."""
    server = ScriptedServer(
        chunks=arguments.chunks, delay=arguments.delay, fault=arguments.fault or None
    )
    server.keep_requests = False
    server.separate = arguments.separate
    server.stamped = arguments.stamped
    server.guise = GUISES[arguments.guise]
    base_url = await server.start(port=arguments.port, unix=arguments.unix)
    print(base_url, flush=True)  # noqa: T201 - whoever started it reads where it listens
    await asyncio.Event().wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="A scripted OpenAI-compatible server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--unix")
    parser.add_argument("--chunks", type=int, default=8)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--fault")
    parser.add_argument("--separate", action="store_true")
    parser.add_argument("--stamped", action="store_true")
    parser.add_argument("--guise", choices=GUISES, default="scripted")
    arguments = parser.parse_args()
    runner = asyncio.run
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 - not there on every platform

        runner = uvloop.run
    with contextlib.suppress(KeyboardInterrupt):
        runner(serve(arguments))


if __name__ == "__main__":
    main()
