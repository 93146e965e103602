"""A raw server that says exactly what a test wants, and asking it."""

import asyncio
from collections.abc import Awaitable, Callable

from inhouse.engines.wire import Limits, Origin, Wire

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

CHUNKED = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
)
SIZED = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Raw:
    """A server that reads requests and answers each by `answer`; counts what it saw."""

    def __init__(self) -> None:
        self.answer: Answer = self.say(SIZED)
        self.requests: list[bytes] = []
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.asked = asyncio.Event()
        self.gone = asyncio.Event()

    @staticmethod
    def say(*parts: bytes) -> Answer:
        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)

        return answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
                self.requests.append(head + await reader.readexactly(size))
                self.asked.set()
                await self.answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()
        finally:
            writer.close()


async def fetch(wire: Wire, origin: Origin, **limits: float) -> bytes:
    response = await wire.request(origin, "POST", "/x", body=b"{}", limits=Limits(**limits))
    try:
        return await response.read()
    finally:
        response.close()
