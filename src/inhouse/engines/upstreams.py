"""The servers that the operator configured: what models they offer, and engines for them."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from inhouse.engines import abilities, upstream_tokens
from inhouse.engines.client import ASSUMED, OpenAICompatible
from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.client_fields import FieldMap
from inhouse.engines.model import Model
from inhouse.engines.queue import Queue
from inhouse.engines.text import Json
from inhouse.engines.upstream_embeddings import UpstreamEmbeddings
from inhouse.engines.wire import Limits
from inhouse.errors import APIError
from inhouse.settings import SettingsError, Upstream

_LOG = logging.getLogger(__name__)
_REFRESH_SECONDS = 60.0
ABLE = ASSUMED | {abilities.VISION, abilities.EMBEDDINGS, abilities.DIMENSIONS}
"""What an upstream is taken to be able to do: it answers itself for what its model cannot."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A model of an upstream."""

    model: Model
    source: "Source"


class Source:
    """One upstream: its endpoints, what it offers, and a queue in front of each of its models; see
    `Turns` for `length` and `wait_seconds`."""

    def __init__(
        self, settings: Upstream, *, length: int = 256, wait_seconds: float = 120.0
    ) -> None:
        self.settings = settings
        self._length = length
        self._wait_seconds = wait_seconds
        self.endpoints = Endpoints(
            settings.base_urls,
            api_key=settings.api_key,
            limits=Limits(
                settings.connect_seconds, settings.first_byte_seconds, settings.idle_seconds
            ),
            retries=settings.retries,
        )
        self._able = ABLE if settings.abilities is None else frozenset(settings.abilities)
        try:
            self._fields = FieldMap(settings.fields)
        except ValueError as error:
            raise SettingsError(f"upstream {settings.name}: {error}") from error
        self.queues: dict[str, Queue] = {}
        """Those of the models that were asked for, by name."""

    def text(self, name: str) -> Queue:
        """The engine of its model `name`, behind its queue."""
        queue = self.queues.get(name)
        if queue is None:
            engine = OpenAICompatible(self.endpoints, name, able=self._able, fields=self._fields)
            queue = self.queues[name] = Queue(
                engine,
                self.settings.parallel,
                length=self._length,
                wait_seconds=self._wait_seconds,
            )
        return queue

    def embeddings(self, name: str) -> UpstreamEmbeddings:
        """The vectors of its model `name`, which take turns with its texts."""
        return UpstreamEmbeddings(self.endpoints, name, self.text(name).turns)

    async def count_chat(self, name: str, body: Json) -> int | None:
        """Tokens of a chat's prompt by its model `name`; None if it cannot say."""
        return await upstream_tokens.count_chat(self.endpoints, name, self._fields, body)

    async def listing(self) -> list[Json]:
        """What it lists, or the models that the settings name. Raises `Unavailable`."""
        named = self.settings.models
        if named is not None:
            return [{"id": name} for name in named]
        return (await self.endpoints.get("/models")).get("data") or []

    def model(self, listed: Json) -> Model:
        """A listed model as clients see it."""
        length = self.settings.context_length or listed.get("max_model_len")
        created = listed.get("created")
        return Model(
            id=str(listed["id"]),
            created=created if isinstance(created, int) else 0,
            owned_by=str(listed.get("owned_by") or self.settings.name),
            abilities=self._able,
            engine="upstream",
            source=f"upstream:{self.settings.name}",
            context_length=length if isinstance(length, int) else None,
        )


class Upstreams:
    """All upstreams, in the order of the settings; of equal names the first one's model wins."""

    def __init__(
        self, settings: Iterable[Upstream], *, length: int = 256, wait_seconds: float = 120.0
    ) -> None:
        self._sources = [
            Source(upstream, length=length, wait_seconds=wait_seconds) for upstream in settings
        ]
        self._offers: list[dict[str, Offer]] = [{} for _ in self._sources]
        self._discovered = asyncio.Event()
        self._refreshing: asyncio.Task[None] | None = None
        self.generation = 0

    async def start(self) -> None:
        """Begin to discover models and to probe endpoints, in the background."""
        for index, source in enumerate(self._sources):
            if source.settings.models is not None:
                self._keep(index, await source.listing())
            source.endpoints.start()
        if all(source.settings.models is not None for source in self._sources):
            self._discovered.set()
        else:
            self._refreshing = asyncio.create_task(self._refresh_forever())

    async def close(self) -> None:
        """Stop what `start` began."""
        if self._refreshing:
            self._refreshing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._refreshing
        for source in self._sources:
            await source.endpoints.close()

    def offers(self) -> Mapping[str, Offer]:
        """What is offered, by name."""
        merged: dict[str, Offer] = {}
        for offers in reversed(self._offers):
            merged |= offers
        return merged

    async def discovered(self, seconds: float) -> None:
        """Wait until every upstream was asked once, at most `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._discovered.wait()

    async def refresh(self) -> None:
        """Ask every discovered upstream for its models; one that fails keeps what it had."""
        await asyncio.gather(*(self._refresh(index) for index in range(len(self._sources))))
        self._discovered.set()

    async def _refresh_forever(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(_REFRESH_SECONDS)

    async def _refresh(self, index: int) -> None:
        source = self._sources[index]
        if source.settings.models is not None:
            return
        try:
            self._keep(index, await source.listing())
        except APIError as error:
            _LOG.warning("upstream %s: %s", source.settings.name, error.message)

    def _keep(self, index: int, listed: Sequence[Json]) -> None:
        source = self._sources[index]
        models = [source.model(value) for value in listed if value.get("id")]
        offers = {model.id: Offer(model, source) for model in models}
        if offers != self._offers[index]:
            self._offers[index] = offers
            self.generation += 1
