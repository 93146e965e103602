"""The servers that the operator configured: what models they offer, and engines for them."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from inhouse.engines import upstream_tokens
from inhouse.engines.client import OpenAICompatible
from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.client_fields import FieldMap, Profile
from inhouse.engines.model import Model
from inhouse.engines.queue import Queue
from inhouse.engines.text import Json
from inhouse.engines.upstream_embeddings import UpstreamEmbeddings
from inhouse.engines.upstream_facts import Facts, able, field_map
from inhouse.engines.upstream_probe import identified, probe
from inhouse.engines.wire import Limits
from inhouse.errors import APIError
from inhouse.settings import SettingsError, Upstream

_LOG = logging.getLogger(__name__)
_REFRESH_SECONDS = 60.0
_PROBE_AGAIN_SECONDS = 300.0
"""After a probe that failed."""


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
        self.facts = Facts()
        self._profile = self._judged(self.facts)
        self._engines: dict[str, OpenAICompatible] = {}
        self.queues: dict[str, Queue] = {}
        """Those of the models that were asked for, by name."""
        self._probing: asyncio.Task[None] | None = None
        self._probe_at = 0.0
        self.generation = 0

    async def close(self) -> None:
        """End what it does in the background, and its connections."""
        if self._probing:
            self._probing.cancel()
            await asyncio.wait([self._probing])
        await self.endpoints.close()

    def text(self, name: str) -> Queue:
        """The engine of its model `name`, behind its queue. The first call of any has the server
        probed beside it."""
        self._probe_with(name)
        return self._queue(name)

    def embeddings(self, name: str) -> UpstreamEmbeddings:
        """The vectors of its model `name`, which take turns with its texts."""
        return UpstreamEmbeddings(self.endpoints, name, self._queue(name).turns)

    def _queue(self, name: str) -> Queue:
        queue = self.queues.get(name)
        if queue is None:
            engine = self._engines[name] = OpenAICompatible(self.endpoints, name)
            engine.profile = self._profile
            queue = self.queues[name] = Queue(
                engine,
                self.settings.parallel,
                length=self._length,
                wait_seconds=self._wait_seconds,
            )
        return queue

    def _probe_with(self, name: str) -> None:
        """Begin to probe, unless that was done, is being done, or failed a short while ago."""
        if self.facts.whole or self._probing or not self.settings.probe:
            return
        now = asyncio.get_running_loop().time()
        if now >= self._probe_at:
            self._probe_at = now + _PROBE_AGAIN_SECONDS
            self._probing = asyncio.create_task(self._probe(name))

    async def _probe(self, name: str) -> None:
        found = await probe(self.endpoints, name)
        if found.whole or found.server:
            self.learn(found)
        self._probing = None

    def learn(self, facts: Facts) -> None:
        """Go by these facts from now on."""
        if facts != self.facts:
            self.facts = facts
            self._profile = self._judged(facts)
            self.generation += 1
            for engine in self._engines.values():
                engine.profile = self._profile

    def _judged(self, facts: Facts) -> Profile:
        try:
            fields = FieldMap(field_map(self.settings, facts))
        except ValueError as error:
            raise SettingsError(f"upstream {self.settings.name}: {error}") from error
        return Profile(able(self.settings, facts), fields)

    async def count_chat(self, name: str, body: Json) -> int | None:
        """Tokens of a chat's prompt by its model `name`; None if it cannot say."""
        return await upstream_tokens.count_chat(self.endpoints, name, self._profile.fields, body)

    async def listing(self) -> list[Json]:
        """What it lists, or the models that the settings name. Raises `Unavailable`."""
        named = self.settings.models
        if named is not None:
            return [{"id": name} for name in named]
        listed: list[Json] = (await self.endpoints.get("/models")).get("data") or []
        told = identified(listed)
        if told.server and not self.facts.server:
            self.learn(told)
        return listed

    def model(self, listed: Json) -> Model:
        """A listed model as clients see it."""
        length = self.settings.context_length or listed.get("max_model_len")
        created = listed.get("created")
        return Model(
            id=str(listed["id"]),
            created=created if isinstance(created, int) else 0,
            owned_by=str(listed.get("owned_by") or self.settings.name),
            abilities=self._profile.able,
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
        self._listed: list[dict[str, Json]] = [{} for _ in self._sources]
        self._discovered = asyncio.Event()
        self._refreshing: asyncio.Task[None] | None = None
        self._generation = 0

    @property
    def generation(self) -> int:
        """Changes when the offers may have."""
        return self._generation + sum(source.generation for source in self._sources)

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
            await source.close()

    def offers(self) -> Mapping[str, Offer]:
        """What is offered, by name."""
        merged: dict[str, Offer] = {}
        for source, listed in zip(reversed(self._sources), reversed(self._listed), strict=True):
            merged |= {name: Offer(source.model(each), source) for name, each in listed.items()}
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
        found = {str(value["id"]): value for value in listed if value.get("id")}
        if found != self._listed[index]:
            self._listed[index] = found
            self._generation += 1
