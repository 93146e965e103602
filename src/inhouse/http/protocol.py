"""uvicorn's HTTP protocol with what it lacks: a bound on a request's head, and errors as this API
writes them.

Its parser takes headers and trailers without end, from clients without a key too.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from inhouse.errors import APIError, BadRequest
from inhouse.http import frames

LONGEST_HEAD = 128 * 1024
"""Bytes of a request line with its headers, and of trailers; a read (256 KiB) may go over it."""


class Protocol(HttpToolsProtocol):
    """One connection. Counts the bytes since the last that were a body's or ended a head."""

    _unused = 0

    def data_received(self, data: bytes) -> None:
        self._unused += len(data)
        super().data_received(data)
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
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unused = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        self._refuse(b"400 Bad Request", BadRequest(msg, code="invalid_http_request"))

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: what no operation takes is answered as the plain request that it is too."""

    def _refuse(self, status: bytes, error: APIError) -> None:
        """Answer and close: nobody knows where the next request would begin."""
        body = frames.body(error.envelope())
        self.transport.write(
            b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%b" % (status, len(body), body)
        )
        self.transport.close()
