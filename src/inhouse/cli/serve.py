"""`inhouse serve`: fetches what is missing, serves, says where and how, drains on SIGTERM."""

import argparse
import asyncio
import json
import resource
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

import uvloop

from inhouse.cli import terminal
from inhouse.cli.failures import Failure
from inhouse.cli.parsing import Parser, add_settings, read_settings
from inhouse.settings import Settings

if TYPE_CHECKING:
    from inhouse.cli.first_start import Prepared
    from inhouse.services import Services

READY = "inhouse is ready at "
"""How the line begins that says the base URL."""
_HELLO = {"role": "user", "content": "Say hello."}


def add(parser: Parser) -> None:
    """A flag for every setting that may be seen in a process list."""
    add_settings(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. The server logs to stderr; the rest goes to stdout."""
    settings = read_settings(arguments)
    _check_certificate(settings)
    with _bound(settings) as listener:
        settings = replace(settings, port=listener.getsockname()[1])
        _allow_many_connections()
        stop = _Stop()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, listener, stop))
    return 0


async def _serve(settings: Settings, listener: socket.socket, stop: "_Stop") -> None:
    from inhouse import app  # noqa: PLC0415 - --help needs no server
    from inhouse.cli.first_start import prepare  # noqa: PLC0415 - likewise

    prepared = await prepare(settings)
    greetings: list[asyncio.Task[None]] = []

    def on_ready(services: "Services") -> None:
        stop.ready = True
        terminal.say(f"{READY}{settings.url}/v1")
        greetings.append(asyncio.create_task(_greet(services, prepared)))

    await app.serve(settings, on_ready, [listener])


async def _greet(services: "Services", prepared: "Prepared") -> None:
    """Say the rest, once upstreams had the time to say what they offer."""
    model = prepared.model
    if model is None:
        offered = await services.models.list()
        model = next((each.id for each in offered if each.engine == "upstream"), None)
    aliases = await services.models.aliases()
    terminal.say(greeting(services.settings, prepared.key, model, aliases))


class _Stop:
    """What SIGTERM and SIGINT do when the server does not handle them itself.

    Before it is ready they end the start. While it serves, its own handlers drain; afterwards it
    raises the signal again, and by then nothing is left to do.
    """

    def __init__(self) -> None:
        self.ready = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self)

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        if not self.ready:
            raise KeyboardInterrupt


def _bound(settings: Settings) -> socket.socket:
    """A socket on the server's address. Raises OSError that names it."""
    found = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, _, _, _, address = found[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        place = f"{settings.host}:{settings.port}"
        raise OSError(error.errno, error.strerror, place) from None
    return listener


def _check_certificate(settings: Settings) -> None:
    """Raises Failure if the TLS files cannot be used: better now than after everything else."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        return
    import ssl  # noqa: PLC0415 - most servers have no certificate

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror
        raise Failure(f"tls_certificate {certificate}, tls_key {key}: {reason}") from None


def _allow_many_connections() -> None:
    """Raise the limit on open files as far as the system lets: a connection is a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS refuses values that it reports itself
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def greeting(
    settings: Settings, key: str | None, model: str | None, aliases: Mapping[str, str]
) -> str:
    """What is printed below the address. `key` is the first key, at the first start only.

    `model` is one to try, or None if there is none.
    """
    lines: list[str] = []
    if key:
        lines += ["", "The owner's key, shown only now:", f"  {key}"]
    if model:
        lines += ["", "Try it:", f"  {curl(settings, key, model)}"]
    else:
        lines += ["", "No model is here yet: inhouse models pull --defaults"]
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
