"""The parts that short commands work with, opened on the data folder beside a running server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from inhouse.access import Access, Limits
from inhouse.clock import SystemClock
from inhouse.ids import Ids
from inhouse.settings import Settings
from inhouse.stores import Database, secret

FOLDER = ("data", "config")
"""The settings that say which data folder is meant."""


@asynccontextmanager
async def database(settings: Settings) -> AsyncGenerator[Database]:
    """The data folder's database. Raises DataFolderError."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with Database.open(settings.data, url=settings.database_url) as opened:
        yield opened


def keys(settings: Settings, database: Database) -> Access:
    """The keys of an open database. Raises DataFolderError."""
    limits = Limits(settings.requests_per_minute, settings.tokens_per_minute)
    peppers = secret.load(settings.data, settings.secret)
    return Access(database, peppers, SystemClock(), Ids(), limits=limits)


@asynccontextmanager
async def access(settings: Settings) -> AsyncGenerator[Access]:
    """The keys of the data folder. Raises DataFolderError."""
    async with database(settings) as opened:
        await secret.agree(opened, secret.load(settings.data, settings.secret))
        yield keys(settings, opened)
