"""`inhouse version`"""

import argparse

from inhouse import __version__
from inhouse.cli.parsing import Parser
from inhouse.cli.terminal import say


def add(parser: Parser) -> None:
    """Takes no arguments."""
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print the version, and nothing else."""
    say(__version__)
    return 0
