"""uvicorn's HTTP protocol with what it lacks: bounds on a request's head, errors as this API
writes them, and one write for an answer's head and body.

Its parser takes headers and trailers without end and waits for them for ever, also from clients
without a key.
"""

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from inhouse.errors import APIError, BadRequest
from inhouse.http import frames
from inhouse.http.gathered import Gathered

LONGEST_HEAD = 128 * 1024
"""Bytes of a request line with its headers, and of trailers; a read (256 KiB) may go over it."""


class Protocol(HttpToolsProtocol):
    """One connection. Counts the bytes since the last that were a body's or ended a head.

    `head_seconds` is how long a head may take, from the connection's or the head's first byte.
    """

    head_seconds = 30.0
    _unused = 0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(cast("asyncio.Transport", Gathered(transport, self.loop)))
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unused += len(data)
        super().data_received(data)
        if self._unused and self._patience is None:
            self._wait_for_head()
        if self._unused > LONGEST_HEAD and not self.transport.is_closing():
            self._refuse(
                b"431 Request Header Fields Too Large",
                BadRequest(
                    f"The request's headers are over the limit of {LONGEST_HEAD} bytes.",
                    code="request_headers_too_large",
                ),
            )

    def on_headers_complete(self) -> None:
        self._unused = 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unused = 0
        self._stop_waiting()
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        self._refuse(b"400 Bad Request", BadRequest(msg, code="invalid_http_request"))

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: what no operation takes is answered as the plain request that it is too."""

    def _wait_for_head(self) -> None:
        self._patience = self.loop.call_later(self.head_seconds, self._late)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _late(self) -> None:
        """The head has not come in time. In the middle of a request only its end can say so."""
        cycle = self.cycle  # None before the first request, whatever its type says
        if self._unused and (cycle is None or cycle.response_complete):  # pyright: ignore[reportUnnecessaryComparison]
            error = BadRequest("The request's headers took too long.", code="request_timeout")
            self._refuse(b"408 Request Timeout", error)
        else:
            self.transport.close()

    def _refuse(self, status: bytes, error: APIError) -> None:
        """Answer and close: nobody knows where the next request would begin."""
        body = frames.body(error.envelope())
        self.transport.write(
            b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%b" % (status, len(body), body)
        )
        self.transport.close()
