"""`inhouse restore FILE`"""

import argparse
from pathlib import Path

from inhouse.cli import terminal
from inhouse.cli.failures import Failure
from inhouse.cli.parsing import Parser, add_settings, read_settings


def add(parser: Parser) -> None:
    """The file to read."""
    parser.add_argument("file", type=Path, metavar="FILE", help="what `inhouse backup` wrote")
    add_settings(parser, ("data", "config"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make an empty data folder what it was when the backup was made."""
    settings = read_settings(arguments)
    if settings.database_url:
        raise Failure("The database is on PostgreSQL: use pg_restore (docs/postgresql.md).")
    from inhouse.stores.backup import restore  # noqa: PLC0415 - --help needs no database

    restore(arguments.file.absolute(), settings.data)
    terminal.say(f"{settings.data} is restored. Start the server: inhouse serve")
    return 0
