"""Brings the schema of a PostgreSQL database up to this version, however many processes start."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from asyncpg import PostgresError

from inhouse.stores import migrations
from inhouse.stores.errors import DatabaseError, DataTooNew
from inhouse.stores.migrations import Migration
from inhouse.stores.postgres import faults
from inhouse.stores.postgres.address import Address
from inhouse.stores.postgres.session import opened

OLDEST_SERVER = 13
_PATIENCE = 5.0
_PAUSE = 0.1
_LOCK = 0x696E686F757365  # "inhouse"
_LOCK_SECONDS = 60
_APPLIED = "SELECT COALESCE(MAX(number), 0) FROM migrations"


@dataclass(frozen=True, slots=True)
class State:
    """The server's version, and the number of the newest migration; 0 if none."""

    version: str
    applied: int


def migrated(address: Address, steps: Sequence[Migration] | None = None) -> None:
    """Apply the `steps` (all known migrations) that are missing, in one transaction.

    Blocks the caller, for a few seconds at most if the database does not answer; runs in an event
    loop of its own. DatabaseError, DataTooNew.
    """
    steps = migrations.known("postgres") if steps is None else steps
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _migrate(address, steps)).result()


async def inspected(address: Address) -> State:
    """How the database is; nothing is changed. DatabaseError."""
    connection = await _connected(address, time.monotonic())
    try:
        version = connection.get_server_version()
        return State(f"{version.major}.{version.minor}", await _applied(connection))
    finally:
        connection.terminate()


async def _migrate(address: Address, steps: Sequence[Migration]) -> None:
    connection = await _connected(address, time.monotonic() + _PATIENCE)
    try:
        await _check(connection, address)
        if not _missing(steps, await _applied(connection), address):
            return
        # The lock is the session's: a transaction that begins after it sees what others made.
        await connection.execute(f"SET lock_timeout = '{_LOCK_SECONDS}s'")
        await connection.execute(f"SELECT pg_advisory_lock({_LOCK})")
        async with connection.transaction():
            for step in _missing(steps, await _applied(connection), address):
                await connection.execute(step.sql)
                await connection.execute(
                    "INSERT INTO migrations (number, name, applied) VALUES ($1, $2, $3)",
                    step.number,
                    step.name,
                    int(time.time()),
                )
    except (PostgresError, OSError) as error:
        raise DatabaseError(
            f"The database {address} cannot be migrated: {faults.reason(error)}."
        ) from None
    finally:
        connection.terminate()


async def _connected(address: Address, deadline: float) -> Any:
    """A connection, tried for until `deadline`. DatabaseError, which shows no secret."""
    while True:
        try:
            return await opened(address)
        except Exception as error:  # noqa: BLE001 - also what is wrong with the URL
            if not faults.gone(error) or time.monotonic() > deadline:
                raise DatabaseError(
                    f"The database {address} cannot be opened: {faults.reason(error)}."
                ) from None
        await asyncio.sleep(_PAUSE)


async def _check(connection: Any, address: Address) -> None:
    version = connection.get_server_version()
    if version.major < OLDEST_SERVER:
        raise DatabaseError(
            f"The database {address} is PostgreSQL {version.major}; {OLDEST_SERVER} or newer is"
            " needed."
        )
    encoding = connection.get_settings().server_encoding
    if encoding != "UTF8":
        raise DatabaseError(
            f"The database {address} has the encoding {encoding}; make one with ENCODING 'UTF8'."
        )


async def _applied(connection: Any) -> int:
    if await connection.fetchval("SELECT to_regclass('migrations')") is None:
        return 0
    return await connection.fetchval(_APPLIED)


def _missing(steps: Sequence[Migration], there: int, address: Address) -> list[Migration]:
    here = steps[-1].number
    if there > here:
        raise DataTooNew(
            f"The database {address} was written by a newer version of inhouse (its schema is"
            f" number {there}, this version knows {here}). Update inhouse, or restore a backup."
        )
    return [step for step in steps if step.number > there]
