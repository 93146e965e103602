"""The models of a server: which there are, under which names, and the engines that run them."""

import asyncio
import logging
import shutil
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from fnmatch import fnmatchcase

from inhouse.engines import upstream_tokens
from inhouse.engines.catalogue import Entry, seed
from inhouse.engines.catalogue.install import entries, prepare
from inhouse.engines.embeddings import EmbeddingEngine, Embeddings
from inhouse.engines.local import Local, memory_budget
from inhouse.engines.model import Model
from inhouse.engines.queue import Queue
from inhouse.engines.residence import Loader, Residence, State
from inhouse.engines.text import Delta, Json, TextCall, TextEngine
from inhouse.engines.upstreams import Offer, Source, Upstreams
from inhouse.errors import NotFound, PermissionDenied
from inhouse.settings import Settings
from inhouse.stores.models import ModelStore

__all__ = ["Load", "Model", "Models"]

_LOG = logging.getLogger(__name__)
_DISCOVERY_SECONDS = 5.0
_MOST_NAMES = 10_000
_LONGEST_NAME = 256
"""Names that are remembered with what they mean: this many, none longer than this."""


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a model is: whether it is in memory (that of an upstream is taken to be), calls that
    wait, calls that run."""

    model: str
    state: State
    waiting: int
    running: int


class Models:
    """All models: those with weights here, and those of upstreams.

    A name is looked up as an id of a model here, an id of an upstream's model, an alias, an alias
    rule with `*` (the longest that fits). `loader` is handed in by tests.
    """

    def __init__(
        self, settings: Settings, store: ModelStore, *, loader: Loader | None = None
    ) -> None:
        self._settings = settings
        self._store = store
        loader = loader or Local(settings, settings.data / "run")
        self._residence = Residence(
            loader, memory_budget(settings), wait_seconds=settings.queue_wait_seconds
        )
        self._upstreams = Upstreams(
            settings.upstreams,
            length=settings.queue_length,
            wait_seconds=settings.queue_wait_seconds,
        )
        self._entries: Mapping[str, Entry] = {}
        self._offers: Mapping[str, Offer] = {}
        self._aliases: Mapping[str, str] = {}
        self._found: dict[str, Model] = {}
        self._read_at: tuple[int, int] | None = None
        self._text: dict[str, Queue] = {}

    async def start(self) -> None:
        """Read the store and begin, in the background, to load the defaults and ask upstreams."""
        if self._settings.default_models:
            await prepare(self._store, aliases=self._settings.aliases)
        await self._upstreams.start()
        await self._read()
        for name in seed().defaults:
            entry = self._entries.get(name)
            if entry is not None:
                self._begin(entry)

    async def close(self) -> None:
        """End all engines."""
        await self._residence.close()
        await self._upstreams.close()

    async def list(self) -> "list[Model]":
        """All models, by id; aliases are not models."""
        await self._fresh()
        await self._upstreams.discovered(_DISCOVERY_SECONDS)
        await self._fresh()
        models = {name: offer.model for name, offer in self._offers.items()}
        models |= {name: entry.model() for name, entry in self._entries.items()}
        return sorted(models.values(), key=lambda model: model.id)

    async def aliases(self) -> Mapping[str, str]:
        """Names and rules, and the ids that they lead to."""
        await self._fresh()
        return self._aliases

    async def resolve(self, name: str) -> Model:
        """The model that `name` means. Raises NotFound (`model_not_found`)."""
        await self._fresh()
        found = self._found.get(name)
        if found is not None:
            return found
        found = self._look_up(name)
        if found is None:
            await self._upstreams.discovered(_DISCOVERY_SECONDS)
            await self._fresh()
            found = self._look_up(name)
        if found is None:
            raise _not_found(name)
        if len(self._found) < _MOST_NAMES and len(name) <= _LONGEST_NAME:  # from clients
            self._found[name] = found
        return found

    def text(self, model: Model) -> TextEngine:
        """The engine of a model that makes text; it loads when it is first asked."""
        if model.engine == "upstream":
            return self._source(model).text(model.id)
        queue = self._text.get(model.id)
        if queue is None:
            queue = self._text[model.id] = self._queue(self._entry(model))
        return queue

    def embeddings(self, model: Model) -> EmbeddingEngine:
        """The engine of a model that makes embeddings; it loads when it is first asked."""
        if model.engine == "upstream":
            return self._source(model).embeddings(model.id)
        return _LoadedEmbeddings(self._residence, self._entry(model))

    async def tokenize(self, model: Model, text: str) -> "list[int]":
        """Token ids by the model's own tokenizer. BadRequest if its server has none to offer."""
        if model.engine == "upstream":
            return await upstream_tokens.tokenize(self._source(model).endpoints, model.id, text)
        async with self._residence.use(self._entry(model)) as running:
            return await running.tokenize(text)

    async def detokenize(self, model: Model, ids: Sequence[int]) -> str:
        """The text of token ids, likewise."""
        if model.engine == "upstream":
            return await upstream_tokens.detokenize(self._source(model).endpoints, model.id, ids)
        async with self._residence.use(self._entry(model)) as running:
            return await running.detokenize(ids)

    async def count_chat(self, model: Model, body: Json) -> int | None:
        """Input tokens of a chat in the form of `TextCall.body`, tools and formats included, by the
        model's own chat template. None if its server cannot say.

        Raises `BadRequest` for what the model does not take.
        """
        if model.engine == "upstream":
            return await self._source(model).count_chat(model.id, body)
        async with self._residence.use(self._entry(model)) as running:
            return await running.count_chat(body)

    async def delete(self, name: str) -> None:
        """Remove a model. NotFound; PermissionDenied for an upstream's model.

        Its weights go too where the model cache is the data folder's own: another one may be
        shared with other servers.
        """
        await self._fresh()
        entry = self._entries.get(name)
        if entry is None:
            if name in self._offers:
                raise PermissionDenied(
                    f"The model `{name}` belongs to an upstream of this server's configuration "
                    "and cannot be deleted here."
                )
            raise NotFound(f"The model '{name}' does not exist", code="model_not_found")
        await self._store.remove(name)
        await self._fresh()
        cache = self._settings.models
        if cache.is_relative_to(self._settings.data):
            await asyncio.to_thread(shutil.rmtree, cache / name, ignore_errors=True)

    def loads(self) -> "list[Load]":
        """How busy the models are that were asked for."""
        here = [
            Load(name, self._residence.state(name), queue.waiting, queue.running)
            for name, queue in self._text.items()
        ]
        there = [
            Load(name, "loaded", queue.waiting, queue.running)
            for name, offer in self._offers.items()
            if name not in self._text and (queue := offer.source.queues.get(name))
        ]
        return here + there

    def _begin(self, entry: Entry) -> None:
        def told(task: "asyncio.Task[object]") -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                _LOG.error("%s: %s", entry.id, error)

        try:
            self._residence.begin(entry).add_done_callback(told)
        except Exception as error:  # noqa: BLE001 - a model that cannot load must not stop the start
            _LOG.error("%s: %s", entry.id, error)

    def _entry(self, model: Model) -> Entry:
        """NotFound if the model was removed since it was resolved."""
        entry = self._entries.get(model.id)
        if entry is None:
            raise _not_found(model.id)
        return entry

    def _source(self, model: Model) -> Source:
        """Likewise, for an upstream's model."""
        offer = self._offers.get(model.id)
        if offer is None:
            raise _not_found(model.id)
        return offer.source

    def _queue(self, entry: Entry) -> Queue:
        settings = self._settings
        return Queue(
            _Loaded(self._residence, entry),
            settings.parallel,
            length=settings.queue_length,
            wait_seconds=settings.queue_wait_seconds,
        )

    async def _fresh(self) -> None:
        if self._read_at != (self._store.generation, self._upstreams.generation):
            await self._read()

    async def _read(self) -> None:
        """Read entries and aliases again; what was found by name holds no longer."""
        at = (self._store.generation, self._upstreams.generation)
        before, self._entries = self._entries, await entries(self._store)
        for name, entry in before.items():
            if self._entries.get(name) != entry:  # removed, or pulled anew, perhaps by the CLI
                self._residence.retire(name)
                self._text.pop(name, None)
        self._aliases = await self._store.aliases()
        self._offers = self._upstreams.offers()
        self._found.clear()
        self._read_at = at

    def _look_up(self, name: str) -> Model | None:
        return self._by_id(name) or self._by_alias(name)

    def _by_id(self, name: str) -> Model | None:
        entry = self._entries.get(name)
        if entry is not None:
            return entry.model()
        offer = self._offers.get(name)
        return None if offer is None else offer.model

    def _by_alias(self, name: str) -> Model | None:
        target = self._aliases.get(name)
        if target is None:
            rules = [rule for rule in self._aliases if fnmatchcase(name, rule)]
            target = self._aliases[max(rules, key=len)] if rules else None
        return None if target is None else self._by_id(target)


def _not_found(name: str) -> NotFound:
    return NotFound(
        f"The model `{name}` does not exist or you do not have access to it.",
        param="model",
        code="model_not_found",
    )


class _Loaded:
    """The text of a model that is loaded when it is asked, and stays while it answers."""

    def __init__(self, residence: Residence, entry: Entry) -> None:
        self._residence = residence
        self._entry = entry

    @property
    def abilities(self) -> frozenset[str]:
        return self._entry.abilities

    async def generate(self, call: TextCall) -> AsyncGenerator[Sequence[Delta], None]:
        async with (
            self._residence.use(self._entry) as running,
            aclosing(running.text.generate(call)) as batches,
        ):
            async for batch in batches:
                yield batch


class _LoadedEmbeddings:
    """The vectors of such a model."""

    def __init__(self, residence: Residence, entry: Entry) -> None:
        self._residence = residence
        self._entry = entry

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, project: str = ""
    ) -> Embeddings:
        async with self._residence.use(self._entry) as running:
            return await running.embeddings.embed(texts, dimensions=dimensions, project=project)
