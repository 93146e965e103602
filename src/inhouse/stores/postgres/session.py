"""One connection to PostgreSQL: statements are prepared once, and values made to fit them."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from inhouse.stores.database import Row
from inhouse.stores.errors import StorageUnavailable
from inhouse.stores.postgres import faults, sql
from inhouse.stores.postgres.address import Address

log = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds in which a lost database may come back before requests are refused."""

_CONNECT_SECONDS = 5
_STATEMENTS_KEPT = 512
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5
_SETTINGS = {
    "application_name": "inhouse",
    "default_transaction_isolation": "read committed",
    "idle_in_transaction_session_timeout": "60s",
    "synchronous_commit": "on",
    "timezone": "UTC",
}

Prepared = tuple[Any, tuple[sql.Convert, ...]]


async def opened(
    address: Address, settings: Mapping[str, str] | None = None, seconds: float | None = None
) -> Any:
    """A new connection of asyncpg, with its errors; a command may take `seconds`."""
    return await asyncpg.connect(
        address.url,
        timeout=_CONNECT_SECONDS,
        command_timeout=seconds,
        statement_cache_size=0,  # a session keeps them, with their converters
        server_settings={**_SETTINGS, **(settings or {})},
    )


class Session:
    """A connection, used by one task at a time. Its errors are asyncpg's; see `faults`."""

    __slots__ = ("_connection", "_prepared")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._prepared: dict[str, Prepared] = {}

    @classmethod
    async def open(cls, address: Address, *, read_only: bool, seconds: float) -> "Session":
        """A new connection on which a statement may take `seconds`; the server ends it then, and
        if it does not, so does this side a little later.
        """
        settings = {
            "default_transaction_read_only": "on" if read_only else "off",
            "statement_timeout": str(round(seconds * 1000)),
        }
        connection = await opened(address, settings, seconds + 2)
        try:
            await connection.set_type_codec(
                "numeric", schema="pg_catalog", encoder=str, decoder=sql.number, format="text"
            )
        except BaseException:
            connection.terminate()
            raise
        return cls(connection)

    @property
    def closed(self) -> bool:
        """Whether it is known to be of no use any more."""
        return self._connection.is_closed()

    async def fetch(self, text: str, params: Sequence[object] = ()) -> list[Row]:
        """The rows of one query."""
        statement, converters = self._prepared.get(text) or await self._prepare(text)
        rows = await statement.fetch(*sql.converted(converters, params))
        return list(map(tuple, rows))

    async def touch(self, text: str, params: Sequence[object] = ()) -> int:
        """Do one statement. How many rows it touched; -1 if it is of a kind that touches none."""
        statement, converters = self._prepared.get(text) or await self._prepare(text)
        await statement.fetch(*sql.converted(converters, params))
        number = statement.get_statusmsg().rpartition(" ")[2]
        return int(number) if number.isdigit() else -1

    async def script(self, text: str) -> str:
        """Do statements without values, as written, with one message to the server. What the
        server says of the last one.
        """
        return await self._connection.execute(text)

    async def close(self) -> None:
        """Say goodbye, but do not wait long for an answer."""
        try:
            await self._connection.close(timeout=1)
        except Exception:  # noqa: BLE001 - it is gone one way or the other
            self.drop()

    def drop(self) -> None:
        """Let go of it at once."""
        self._prepared.clear()
        self._connection.terminate()

    async def _prepare(self, text: str) -> Prepared:
        if len(self._prepared) >= _STATEMENTS_KEPT:
            del self._prepared[next(iter(self._prepared))]
        statement = await self._connection.prepare(sql.translated(text))
        converters = tuple(sql.converter(kind.name) for kind in statement.get_parameters())
        prepared = self._prepared[text] = (statement, converters)
        return prepared


async def connected(
    address: Address, *, read_only: bool, seconds: float, patience: float = PATIENCE
) -> Session:
    """A new session, tried for until `patience` seconds are over. StorageUnavailable."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + patience, _FIRST_PAUSE
    while True:
        try:
            return await Session.open(address, read_only=read_only, seconds=seconds)
        except Exception as error:
            if not faults.gone(error) or loop.time() + pause > deadline:
                log.warning("%s cannot be reached: %s", address, faults.reason(error))
                raise StorageUnavailable from error
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
