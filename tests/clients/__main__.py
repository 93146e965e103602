"""Runs unmodified clients against a server: `python -m tests.clients [name ...]`.

Each program says what it did, one line each, and fails when an answer is not what it must be. The
server runs in this process with a model that follows `actor.py`; what asks for it runs again with
the embedded model. Every answer is checked against the contract, as in all tests.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.clients.actor import act
from tests.clients.clients import CLIENTS, Client
from tests.clients.environments import command, environ
from tests.conftest import House, running, serving

from inhouse.engines.catalogue import seed
from inhouse.engines.catalogue.pull import present
from inhouse.engines.scripted import Scripted
from inhouse.services import Services
from inhouse.settings import Settings

_SECONDS = 300
CACHE = Path(os.environ.get("INHOUSE_MODELS", Path.home() / ".cache/inhouse/models"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one program's run went; `lines` are what it printed."""

    client: str
    model: str
    works: bool
    seconds: float
    lines: Sequence[str]


async def run(client: Client, house: House, model: str) -> Outcome:
    """Run a client's program against `house`."""
    started = time.monotonic()
    try:
        arguments = await asyncio.to_thread(command, client)
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stdout", None) or error)
        said = f"not installed: {said}"
        return Outcome(client.name, model, works=False, seconds=0.0, lines=said.splitlines())
    with tempfile.TemporaryDirectory(prefix="inhouse-client-") as folder:
        given = environ(client, house.url, house.key) | {"CLIENT_MODEL": model}
        process = await asyncio.create_subprocess_exec(
            *arguments,
            cwd=folder,
            env=given,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_SECONDS):
                said, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            said = await process.communicate() and b"took too long"
    wrong, house.recorder.wrong[:] = list(house.recorder.wrong), []
    lines = [*said.decode(errors="replace").splitlines(), *wrong]
    works = process.returncode == 0 and not wrong
    seconds = time.monotonic() - started
    return Outcome(client.name, model, works=works, seconds=seconds, lines=lines)


@asynccontextmanager
async def scripted() -> AsyncIterator[House]:
    """A server whose models follow the actor's script."""
    with tempfile.TemporaryDirectory(prefix="inhouse-clients-") as folder:
        settings = Settings(data=Path(folder) / "data", default_models=False)
        async with running(settings, Scripted(act)) as house:
            yield house


@asynccontextmanager
async def embedded() -> AsyncIterator[House | None]:
    """A server with the default text model; None if its weights are not on this machine."""
    known = seed()
    entry = known.entries[known.defaults[0]]
    if present(entry, CACHE) is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="inhouse-clients-") as folder:
        settings = Settings(
            data=Path(folder) / "data", models=CACHE, default_models=False, context_length=5632
        )
        services = await Services.open(settings)
        await services.model_store.put(entry.id, entry.json())
        await services.model_store.put_alias("gpt-*", entry.id)
        async with serving(services, Scripted([])) as house:
            yield house


async def run_all(clients: Sequence[Client]) -> list[Outcome]:
    """All clients, one after the other; what they print is shown as it comes."""
    outcomes: list[Outcome] = []
    async with scripted() as house:
        for client in clients:
            outcomes.append(await run(client, house, "scripted"))
            _show(outcomes[-1])
    real = [client for client in clients if client.real]
    if real:
        async with embedded() as house:
            for client in real if house else []:
                assert house
                outcomes.append(await run(client, house, "embedded"))
                _show(outcomes[-1])
    return outcomes


def _show(outcome: Outcome) -> None:
    print(f"\n== {outcome.client} ({outcome.model})", flush=True)
    for line in outcome.lines[-60:]:
        print("  ", line, flush=True)


def main() -> int:
    """Print a table; 1 if a client does not work."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=__doc__)
    parser.add_argument("names", nargs="*", help="which clients; all if none is named")
    names = parser.parse_args().names
    unknown = set(names) - {client.name for client in CLIENTS}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    clients = [client for client in CLIENTS if not names or client.name in names]
    outcomes = asyncio.run(run_all(clients))
    print()
    for outcome in outcomes:
        verdict = "works" if outcome.works else "FAILS"
        print(f"{outcome.client:16} {outcome.model:9} {verdict}  {outcome.seconds:5.1f} s")
    return 0 if all(outcome.works for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
