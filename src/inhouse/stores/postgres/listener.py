"""Hears what other processes committed, over a connection of its own."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from inhouse.stores.postgres import faults
from inhouse.stores.postgres.address import Address
from inhouse.stores.postgres.session import opened
from inhouse.stores.postgres.transaction import CHANNEL, News

log = logging.getLogger(__name__)

_PING_SECONDS = 10.0
_PAUSE = 0.25

_decode = msgspec.json.Decoder(News).decode


class Listener:
    """Calls `heard` with all news, and `missed` when some may have been missed: at the start, and
    after every break of the connection.
    """

    def __init__(
        self, address: Address, heard: Callable[[News], None], missed: Callable[[], None]
    ) -> None:
        self._address = address
        self._heard = heard
        self._missed = missed
        self.listening = asyncio.Event()
        self._task = asyncio.create_task(self._listen_always(), name="inhouse-listener")

    async def close(self) -> None:
        """Stop listening."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _listen_always(self) -> None:
        told = False
        while True:
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001 - whatever broke, it must listen again
                if self.listening.is_set() or not told:  # once for each break, not for each try
                    log.warning("listening to the database broke: %s", faults.reason(error))
                    told = True
            self.listening.clear()
            self._missed()
            await asyncio.sleep(_PAUSE)

    async def _listen(self) -> None:
        connection = await opened(self._address)
        ended = asyncio.Event()
        try:

            def on_end(_connection: Any) -> None:
                ended.set()

            connection.add_termination_listener(on_end)
            await connection.add_listener(CHANNEL, self._on_news)
            self.listening.set()
            self._missed()
            while not ended.is_set():
                await self._ping_after_silence(connection, ended)
        finally:
            connection.terminate()

    async def _ping_after_silence(self, connection: Any, ended: asyncio.Event) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PING_SECONDS):
                await ended.wait()
                return
        await connection.execute("SELECT 1", timeout=5)

    def _on_news(self, _connection: Any, _pid: int, _channel: str, payload: Any) -> None:
        try:
            news = _decode(payload)
        except msgspec.DecodeError:  # not ours, or of another version
            self._missed()
        else:
            self._heard(news)
