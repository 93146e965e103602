"""Brings models with weights into memory: each in a supervised child process of its own."""

import os
from collections.abc import Sequence
from pathlib import Path

from inhouse.engines import abilities
from inhouse.engines.catalogue import Entry
from inhouse.engines.catalogue.pull import present, projector
from inhouse.engines.embedded.spec import ChildSpec
from inhouse.engines.embedded.supervisor import Child
from inhouse.engines.embedded.text import EmbeddedText
from inhouse.engines.embedded_embeddings import EmbeddedEmbeddings
from inhouse.engines.embeddings import EmbeddingEngine
from inhouse.engines.residence import Running
from inhouse.engines.text import Json, TextEngine
from inhouse.errors import BadRequest, ServerError, Unavailable
from inhouse.settings import Settings

_MIB = 2**20
_OVERHEAD = 96 * _MIB
"""The child's own memory: its interpreter, the library, compute buffers."""
_LONGEST_CONTEXT = 8192
_CACHE_SHARE = 16
"""The prompt cache of a model may take one part in this many of the memory budget."""
_CACHE_MIB = 512
_TOO_LARGE_ID = 2**31
"""llama.cpp cuts larger ids off to other ones."""


def memory_budget(settings: Settings) -> int:
    """Bytes that loaded models may take: what is set, or half of the machine's memory."""
    if settings.memory_budget_bytes:
        return settings.memory_budget_bytes
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


class Local:
    """A `Loader` of catalogue entries whose weights are in the model cache.

    `folder` takes the children's sockets.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        share = memory_budget(settings) // _CACHE_SHARE // _MIB
        self._cache_mib = min(_CACHE_MIB, share)

    def estimate(self, entry: Entry) -> int:
        """Weights, key-value cache of all slots, prompt cache, overhead; in bytes."""
        weights = self._weights(entry).stat().st_size
        eyes = projector(entry, self._settings.models)
        if eyes is not None:
            weights += eyes.stat().st_size
        if abilities.TEXT not in entry.abilities:
            return weights + _OVERHEAD
        tokens = self._context(entry) * self._settings.parallel
        return weights + tokens * _bytes_per_token(weights) + self._cache_mib * _MIB + _OVERHEAD

    async def load(self, entry: Entry) -> Running:
        """Start a child and wait until it can answer. Raises `Unavailable` when it cannot."""
        spec = self.spec(entry)
        child = Child(spec, self._folder)
        await child.start()
        vectors = EmbeddedEmbeddings(
            child,
            spec.context_length,
            entry.dimensions or 0,
            length=self._settings.queue_length,
            wait_seconds=self._settings.queue_wait_seconds,
            wordpiece=entry.convert == "bert-gguf",
        )
        return _Resident(child, vectors, self.estimate(entry))

    def spec(self, entry: Entry) -> ChildSpec:
        """What the entry's child runs. Raises `Unavailable` if its weights are not here."""
        text = abilities.TEXT in entry.abilities
        return ChildSpec(
            path=self._weights(entry),
            embedding=not text,
            context_length=self._context(entry),
            parallel=self._settings.parallel,
            threads=self._settings.threads,
            cache_mib=self._cache_mib if text else 0,
            mmproj=projector(entry, self._settings.models),
        )

    def _context(self, entry: Entry) -> int:
        wanted = self._settings.context_length or _LONGEST_CONTEXT
        return min(entry.context_length, wanted)

    def _weights(self, entry: Entry) -> Path:
        path = present(entry, self._settings.models)
        if path is None:
            raise Unavailable(
                f"The weights of the model `{entry.id}` are not on this machine. "
                f"The server's operator can fetch them: inhouse models pull {entry.id}",
                code="model_not_pulled",
            )
        return path


def _bytes_per_token(weights: int) -> int:
    """About what one token of context takes in the key-value cache (f16).

    A rule of thumb over the models in use: 23 KiB at 135M parameters, 144 KiB at 8B.
    """
    return 16 * 1024 + min(weights // 16_384, 512 * 1024)


class _Resident:
    """A model in a running child."""

    def __init__(self, child: Child, embeddings: EmbeddedEmbeddings, size: int) -> None:
        self._child = child
        self.bytes = size
        self._text = EmbeddedText(child)
        self._embeddings = embeddings

    @property
    def text(self) -> TextEngine:
        return self._text

    @property
    def embeddings(self) -> EmbeddingEngine:
        return self._embeddings

    async def tokenize(self, text: str) -> list[int]:
        return await self._text.tokenize(text)

    async def detokenize(self, ids: Sequence[int]) -> str:
        try:
            if all(0 <= each < _TOO_LARGE_ID for each in ids):
                return await self._text.detokenize(ids)
        except ServerError:  # what llama.cpp says to ids beyond its vocabulary
            pass
        raise BadRequest("Not all of the token ids are of this model.", code="invalid_token_ids")

    async def count_chat(self, body: Json) -> int | None:
        return await self._text.count_chat(body)

    async def stop(self) -> None:
        await self._text.close()
        await self._embeddings.close()
        await self._child.stop()
