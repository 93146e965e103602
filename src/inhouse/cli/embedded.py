"""A server for one command: the one that runs, or one started for as long as the command lasts."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

from inhouse.cli import parts, terminal
from inhouse.cli.checks.network import running
from inhouse.cli.client import Client
from inhouse.cli.failures import Failure
from inhouse.cli.serve import READY
from inhouse.settings import Settings

_SILENCE = 300.0
_STOP_SECONDS = 40.0


@contextmanager
def client(settings: Settings, key: str | None) -> Generator[Client]:
    """A client of the server of `settings`, with a key made for this, or else with `key`."""
    if running(settings):
        with _key(settings) as made:
            yield _accepted(settings, [made, key])
        return
    first = asyncio.run(_bootstrap(settings))
    if first:
        terminal.note(f"The owner's key, shown only now:\n  {first}")
    with _key(settings) as made, _started(settings) as url:
        yield Client(url, made, _SILENCE)


def _accepted(settings: Settings, keys: list[str | None]) -> Client:
    """A client with the first of `keys` that the server takes."""
    certificate = str(settings.tls_certificate) if settings.tls_certificate else None
    failure = Failure("no key")
    for key in keys:
        made = Client(f"{settings.url}/v1", key, _SILENCE, certificate)
        try:
            made.get("/models")
        except Failure as error:
            failure = error
        else:
            return made
    raise Failure(f"{failure} Set OPENAI_API_KEY to a key of the server at {settings.url}.")


async def _bootstrap(settings: Settings) -> str | None:
    async with parts.access(settings) as access:
        made = await access.bootstrap(settings.bootstrap_key)
    return made.value if made else None


@contextmanager
def _key(settings: Settings) -> Generator[str]:
    """A key of the data folder that is valid until the block ends."""

    async def make() -> tuple[str, str]:
        async with parts.access(settings) as access:
            made = await access.create_key("inhouse chat")
        return made.key.id, made.value

    async def revoke(key_id: str) -> None:
        async with parts.access(settings) as access:
            await access.revoke_key(key_id)

    key_id, value = asyncio.run(make())
    try:
        yield value
    finally:
        asyncio.run(revoke(key_id))


@contextmanager
def _started(settings: Settings) -> Generator[str]:
    """The base URL of a server of its own, on a free port; it ends with the block."""
    environ = os.environ | {
        "INHOUSE_DATA": str(settings.data),
        "INHOUSE_MODELS": str(settings.models),
        "INHOUSE_HOST": "127.0.0.1",
        "INHOUSE_PORT": "0",
    }
    if settings.config:
        environ["INHOUSE_CONFIG"] = str(settings.config)
    terminal.note("No server is running; starting one for this conversation ...")
    server = subprocess.Popen(
        [sys.executable, "-m", "inhouse.cli", "serve"],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C stops an answer, not the server
    )
    try:
        yield _url(server)
    finally:
        server.terminate()
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        if server.stdout:
            server.stdout.close()


def _url(server: subprocess.Popen[str]) -> str:
    for line in server.stdout or ():
        if line.startswith(READY):
            return line.removeprefix(READY).strip()
    raise Failure(f"The server could not be started (exit code {server.wait()}).")
