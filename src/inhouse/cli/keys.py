"""`inhouse keys create | list | revoke`: on the data folder, also while a server runs on it."""

import argparse
import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from inhouse.cli import terminal
from inhouse.cli.parsing import Parser, add_settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from inhouse.access import Access
    from inhouse.stores.keys import Key

T = TypeVar("T")


def add(parser: Parser) -> None:
    """The three subcommands."""
    create = parser.command("create", _create, "Make a key and print it, once.")
    create.add_argument("--name", default="Key", help="what the key is for")
    create.add_argument("--project", metavar="ID", help="the project (else the default project)")
    create.add_argument("--owner", action="store_true", help="make it a key of an owner")
    create.add_argument(
        "--permission",
        action="append",
        metavar="NAME",
        help="allow only this, such as models.read; may be repeated (else everything)",
    )
    listing = parser.command("list", _list, "List the keys that are valid.")
    revoke = parser.command("revoke", _revoke, "Make a key invalid.")
    revoke.add_argument("id", metavar="ID", help="the key's id: key_...")
    for command in (create, listing):
        command.add_argument("--json", action="store_true", help="print JSON")
    for command in (create, listing, revoke):
        add_settings(command, ("data", "config"))


def _create(arguments: argparse.Namespace) -> int:
    made = _with_access(
        arguments,
        lambda access: access.create_key(
            arguments.name,
            project=arguments.project,
            role="owner" if arguments.owner else "member",
            permissions=arguments.permission or ("*",),
        ),
    )
    if arguments.json:
        terminal.say_json(_wire(made.key) | {"value": made.value})
    else:
        terminal.note(f"{made.key.id}, {made.key.name!r}. The key is shown once:")
        terminal.say(made.value)
    return 0


def _list(arguments: argparse.Namespace) -> int:
    keys = _with_access(arguments, lambda access: access.list_keys())
    if arguments.json:
        terminal.say_json([_wire(key) for key in keys])
    else:
        headings = ("ID", "NAME", "KEY", "ROLE", "CREATED", "LAST USED")
        terminal.table(headings, [_row(key) for key in keys])
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    _with_access(arguments, lambda access: access.revoke_key(arguments.id))
    terminal.say(f"{arguments.id} is revoked.")
    return 0


def _with_access(
    arguments: argparse.Namespace, use: "Callable[[Access], Coroutine[Any, Any, T]]"
) -> "T":
    """What `use` makes of the keys of the data folder that the arguments mean."""
    settings = read_settings(arguments)

    async def work() -> "T":
        from inhouse.cli import parts  # noqa: PLC0415 - --help needs no database

        async with parts.access(settings) as access:
            return await use(access)

    return asyncio.run(work())


def _row(key: "Key") -> tuple[str, ...]:
    return (key.id, key.name, key.redacted, key.role, _when(key.created), _when(key.last_used))


def _wire(key: "Key") -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "redacted_value": key.redacted,
        "role": key.role,
        "organization": key.organization,
        "project": key.project,
        "permissions": sorted(key.permissions),
        "created_at": key.created,
        "last_used_at": key.last_used,
    }


def _when(seconds: int | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M") if seconds else "never"
