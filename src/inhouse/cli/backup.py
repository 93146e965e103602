"""`inhouse backup FILE`"""

import argparse
from pathlib import Path

from inhouse.cli import terminal
from inhouse.cli.failures import Failure
from inhouse.cli.parsing import Parser, add_settings, read_settings


def add(parser: Parser) -> None:
    """The file to write."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="a new file, such as inhouse.tar.gz"
    )
    add_settings(parser, ("data", "config"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Copy the data folder, without model weights, into one file. A server may run meanwhile."""
    settings = read_settings(arguments)
    if settings.database_url:
        raise Failure("The database is on PostgreSQL: use pg_dump (docs/postgresql.md).")
    from inhouse.stores.backup import backup  # noqa: PLC0415 - --help needs no database

    target = arguments.file.absolute()
    backup(settings.data, target)
    terminal.say(f"{target} ({terminal.size(target.stat().st_size)})")
    if not settings.secret:
        terminal.note("It contains the server's secret: keep it as safe as the server.")
    return 0
