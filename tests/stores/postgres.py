"""A real PostgreSQL for tests: one server for the session, a database of its own for each test.

It comes with the package `pgserver`, where that has a wheel. Elsewhere, INHOUSE_TEST_DATABASE_URL
may name a database of a server whose user may create databases.
"""

import asyncio
import os
import shutil
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from inhouse.stores.postgres import migrate
from inhouse.stores.postgres.address import Address

VARIABLE = "INHOUSE_TEST_DATABASE_URL"


@dataclass(slots=True)
class Server:
    """A running PostgreSQL. `url` leads to a database from which others can be made."""

    url: str
    process: Any = None
    """What runs it; None if it is not ours, and cannot be stopped."""
    made: int = 0

    def url_of(self, name: str) -> str:
        """The URL of the database `name` on it."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def do(self, *statements: str, name: str | None = None) -> None:
        """Do `statements`, each in a transaction of its own."""

        async def work() -> None:
            connection = await asyncpg.connect(self.url_of(name) if name else self.url)
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        _in_a_thread(work())

    @contextmanager
    def database(self, template: str = "template0") -> Generator[str]:
        """The URL of a new database, which is dropped at the end."""
        self.made += 1
        name = f"test_{os.getpid()}_{self.made}"
        self.do(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield self.url_of(name)
        finally:
            self.do(f'DROP DATABASE "{name}" WITH (FORCE)')

    def control(self, *arguments: str) -> None:
        """`pg_ctl` with `arguments`: stop, start, restart."""
        import pgserver  # noqa: PLC0415 - only where there is a wheel

        pgserver.pg_ctl(
            [*arguments, "-w", "-l", str(self.process.log), "-o", f"-h '' -k {self.process.pgdata}"]
            if arguments[0] != "stop"
            else [*arguments, "-w"],
            pgdata=self.process.pgdata,
            user=self.process.system_user,
        )


def _in_a_thread(work: Any) -> None:
    """Run a coroutine, whether or not an event loop runs here."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


@contextmanager
def running() -> Generator[Server]:
    """A server with nothing in it. Skips the test where there is none to be had."""
    if url := os.environ.get(VARIABLE):
        yield Server(url)
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it asks for a folder that not every machine has
            import pgserver  # noqa: PLC0415 - only where there is a wheel
    except ImportError:
        pytest.skip(f"pgserver has no wheel for this machine, and {VARIABLE} is not set")
    folder = Path(tempfile.mkdtemp(prefix="inhouse-pg-"))  # a socket's path must be short
    try:
        process = pgserver.get_server(folder, cleanup_mode="stop")
        server = Server(process.get_uri(), process)
        # No test cuts the machine's power.
        server.do("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield server
        process.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def with_schema(server: Server) -> str:
    """The name of a database with the newest schema, from which others are copied."""
    name = f"schema_{os.getpid()}"
    server.do(f'CREATE DATABASE "{name}" TEMPLATE template0')
    migrate.migrated(Address(server.url_of(name)))
    return name
