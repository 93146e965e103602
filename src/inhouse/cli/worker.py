"""`inhouse worker`: does jobs beside servers that share a database on PostgreSQL."""

import argparse
import asyncio

import uvloop

from inhouse.cli import terminal
from inhouse.cli.failures import Failure
from inhouse.cli.parsing import Parser, add_settings, read_settings
from inhouse.settings import Settings

READY = "inhouse works as "
"""How the line begins that says the process's id."""


def add(parser: Parser) -> None:
    """A flag for every setting that may be seen in a process list."""
    add_settings(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT."""
    settings = read_settings(arguments)
    if not settings.database_url:
        raise Failure(
            "A worker shares a database on PostgreSQL with servers (docs/postgresql.md): set"
            " INHOUSE_DATABASE_URL. On SQLite the server does the jobs."
        )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(settings))
    return 0


async def _work(settings: Settings) -> None:
    from inhouse.cli.first_start import prepare  # noqa: PLC0415 - --help needs no database
    from inhouse.worker import work  # noqa: PLC0415 - likewise

    await prepare(settings)
    await work(settings, lambda services: terminal.say(f"{READY}{services.worker.server}"))
