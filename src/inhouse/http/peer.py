"""What an exchange talks to: the client at the other end of one request, however it is reached."""

from collections.abc import Callable
from typing import Protocol

from inhouse.errors import PayloadTooLarge


class ClientGone(Exception):
    """The client closed the connection before its request, or the answer to it, was whole."""


class Peer(Protocol):
    """One request's body, and the way for its answer: `respond`, or `begin` and `send` and `end`.

    `fields` are header lines, each ended by CRLF, without a length.
    """

    @property
    def lost(self) -> bool:
        """Whether the client has gone."""
        ...

    def watch(self, gone: Callable[[], None] | None) -> None:
        """Call `gone`, once, if the client goes before it has the whole answer."""
        ...

    async def body(self, limit: int) -> bytes:
        """The whole body. `PayloadTooLarge` over `limit` bytes, `ClientGone`."""
        ...

    async def respond(self, status: int, fields: bytes, body: bytes) -> None:
        """Send a whole answer. Nothing happens if the client has gone."""
        ...

    def begin(self, status: int, fields: bytes) -> None:
        """Begin an answer whose length is not known. Its head goes out with its first bytes."""
        ...

    async def send(self, data: bytes) -> None:
        """Send some of it, waiting while the client is slower. `ClientGone`."""
        ...

    async def end(self, data: bytes) -> None:
        """Send the rest, and end it. Nothing happens if the client has gone."""
        ...


def too_large(limit: int) -> PayloadTooLarge:
    """The 413 for a body of more than `limit` bytes; nobody reads on, so the connection ends."""
    return PayloadTooLarge(
        f"The request body is over the limit of {limit} bytes.",
        code="request_too_large",
        headers={"connection": "close"},
    )
