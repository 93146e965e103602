"""`inhouse doctor`: says what is missing on this machine. Exit code 1 if something is."""

import argparse
import asyncio
from dataclasses import asdict

from inhouse.cli import terminal
from inhouse.cli.parsing import Parser, add_settings, read_settings

_MARKS = {"ok": "ok", "warning": "warning", "missing": "MISSING"}


def add(parser: Parser) -> None:
    """Settings, because they say which folder, port and upstreams are meant."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--offline", action="store_true", help="do not contact the upstreams")
    add_settings(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make every check and print what it found."""
    from inhouse.cli.checks import data, machine, network  # noqa: PLC0415 - not for --help

    settings = read_settings(arguments)
    findings = [*machine.findings(settings), *asyncio.run(data.findings(settings))]
    findings += network.findings(settings, upstreams=not arguments.offline)
    if arguments.json:
        terminal.say_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            terminal.say(f"{_MARKS[finding.state]:<8} {finding.what}: {finding.detail}")
    return int(any(finding.state == "missing" for finding in findings))
