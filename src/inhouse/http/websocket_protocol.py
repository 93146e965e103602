"""uvicorn's WebSocket protocol with what it lacks.

An answer to a head that it cannot read, time for running answers when the server stops, patience
with a client that is not read from, a bound on fragments, an end for a client that never reads.
"""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from inhouse.errors import BadRequest
from inhouse.http import frames

MOST_FRAGMENTS = 1024
"""Pieces of one message. Its bytes are bounded by uvicorn's `ws_max_size`, its pieces by nothing,
and each costs more than what it carries.
"""
_TOO_BIG = 1009


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One upgraded connection."""

    end_seconds = 10.0

    def data_received(self, data: bytes) -> None:
        """The first data is the whole head; what is none, by its size or its method, is refused."""
        super().data_received(data)
        if not self.handshake_initiated and not self.transport.is_closing():
            reason = BadRequest("Invalid WebSocket handshake.", code="invalid_websocket_handshake")
            self.transport.write(frames.refusal(b"400 Bad Request", reason))
            self.transport.close()

    async def send(self, message: Any) -> None:
        """A handshake that was refused is over: uvicorn would take it for forgotten."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True

    def shutdown(self) -> None:
        """Let the application finish what it answers; it closes the connection then."""
        if self.handshake_complete and not self.close_sent:
            self.queue.put_nowait({"type": "websocket.draining"})  # pyright: ignore[reportArgumentType]
        else:
            super().shutdown()

    def keepalive_timeout(self) -> None:
        """A pong that stands behind messages which are not read yet is not late."""
        if self.read_paused:
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
        else:
            super().keepalive_timeout()

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= MOST_FRAGMENTS:
            self.conn.fail(_TOO_BIG, "too many fragments")
            self.handle_parser_exception()
        else:
            super().handle_cont(event)

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        """Drop what the client has not read some seconds after the end."""
        super().on_task_complete(task)
        self.loop.call_later(self.end_seconds, self._abort)

    def _abort(self) -> None:
        transport: Any = self.transport
        if not self.disconnected:
            transport.abort()
