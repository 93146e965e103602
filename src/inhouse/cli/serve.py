"""`inhouse serve`: fetches what is missing, serves, says where and how, drains on SIGTERM."""

import argparse
import json

from inhouse.cli.parsing import Parser, add_settings
from inhouse.settings import Settings

READY = "inhouse is ready at "
"""How the line begins that says the base URL."""
_HELLO = {"role": "user", "content": "Say hello."}


def add(parser: Parser) -> None:
    """A flag for every setting that may be seen in a process list."""
    add_settings(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. The server logs to stderr; the rest goes to stdout."""
    raise NotImplementedError


def greeting(settings: Settings, key: str | None, model: str, aliases: dict[str, str]) -> str:
    """What is printed once the server answers. `key` is the first key, at the first start only."""
    lines = [f"{READY}{settings.url}/v1", ""]
    if key:
        lines += ["The owner's key, shown only now:", f"  {key}", ""]
    lines += ["Try it:", f"  {curl(settings, key, model)}"]
    if aliases:
        lines += ["", "Alias rules (inhouse models alias):"]
        lines += [f"  {name} -> {target}" for name, target in aliases.items()]
    return "\n".join(lines)


def curl(settings: Settings, key: str | None, model: str) -> str:
    """A command that asks `model` something; works as pasted, given the key in $OPENAI_API_KEY."""
    parts = [f"curl {settings.url}/v1/chat/completions", '-H "Content-Type: application/json"']
    if not settings.no_auth:
        parts.append(f'-H "Authorization: Bearer {key or "$OPENAI_API_KEY"}"')
    body = json.dumps({"model": model, "messages": [_HELLO]})
    return " ".join([*parts, f"-d '{body}'"])
