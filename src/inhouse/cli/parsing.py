"""Finds the command and reads its arguments. Flags of settings are made from the settings."""

import argparse
import difflib
import importlib
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from inhouse.settings import Option, Settings, load, options

COMMANDS = {
    "serve": "Serve the API until SIGTERM or Ctrl-C.",
    "worker": "Do jobs beside servers that share a database on PostgreSQL.",
    "chat": "Talk to a model in the terminal.",
    "models": "List, pull, show, alias and remove models.",
    "keys": "Create, list and revoke API keys.",
    "conformance": "List the operations that are implemented, tested, pending.",
    "doctor": "Say what is missing on this machine.",
    "backup": "Copy the data folder's state into one file, while the server runs.",
    "restore": "Bring a backup back into an empty data folder.",
    "version": "Print the version.",
}
"""Every command and what it does. Each is a module here, with a function `add(parser)`."""

Run = Callable[[argparse.Namespace], int]
_SETTING = "setting_"


class UsageError(Exception):
    """The command line is wrong."""


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake is one line, and abbreviations of flags are not guessed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)
        self._commands: Any = None

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\nTry '{self.prog} --help'.")

    def command(self, name: str, run: Run, help: str) -> "Parser":  # noqa: A002 - argparse's word
        """A subcommand that is done by `run`."""
        if self._commands is None:
            self._commands = self.add_subparsers(
                title="commands", metavar="COMMAND", required=True, parser_class=Parser
            )
        made = self._commands.add_parser(name, help=help, description=help)
        made.set_defaults(run=run)
        return made


def parse(argv: Sequence[str]) -> tuple[Run, argparse.Namespace]:
    """The function to run and its arguments. Raises UsageError; `--help` prints and exits."""
    if not argv or argv[0] in {"-h", "--help", "help"}:
        return _overview, argparse.Namespace()
    name = "version" if argv[0] == "--version" else argv[0]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f" Did you mean {near[0]}?" if near else " Try 'inhouse --help'."
        raise UsageError(f"there is no command {name!r}.{hint}")
    arguments = parser(name).parse_args(argv[1:])
    return arguments.run, arguments


def parser(name: str) -> Parser:
    """The parser of one command."""
    made = Parser(prog=f"inhouse {name}", description=COMMANDS[name])
    importlib.import_module(f"inhouse.cli.{name}").add(made)
    return made


def _overview(_: argparse.Namespace) -> int:
    from inhouse.cli.terminal import say  # noqa: PLC0415 - not needed to serve

    say("inhouse: the OpenAI API platform on your own machines.\n\nCommands:")
    for name, text in COMMANDS.items():
        say(f"  {name:<12} {text}")
    say("\n'inhouse COMMAND --help' says more.")
    return 0


def add_settings(parser: Parser, names: Iterable[str] | None = None) -> None:
    """Add a flag for each setting that has one, or those in `names`.

    `read_settings` reads them.
    """
    wanted = None if names is None else set(names)
    group = parser.add_argument_group("settings")
    for option in options():
        if option.flag and (wanted is None or option.name in wanted):
            _add_flag(group, option)


def _add_flag(group: Any, option: Option) -> None:
    flag, destination = str(option.flag), _SETTING + option.name
    text = f"{option.help} Default: {option.shown}.".replace("%", "%%").replace("`", "")
    if option.kind.name == "boolean":
        value = "false" if option.shown == "true" else "true"
        group.add_argument(flag, dest=destination, action="store_const", const=value, help=text)
    else:
        metavar = option.kind.name.upper()
        group.add_argument(flag, dest=destination, metavar=metavar, help=text)


def read_settings(arguments: argparse.Namespace) -> Settings:
    """The settings from flags, environment and TOML file. SettingsError."""
    flags = {
        name.removeprefix(_SETTING): value
        for name, value in vars(arguments).items()
        if name.startswith(_SETTING)
    }
    return load(os.environ, flags)
