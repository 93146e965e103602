"""The embedded engine's vectors: batches for a child process that runs an encoder."""

import asyncio
import unicodedata
from collections.abc import Sequence

from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.embedded.line import Line
from inhouse.engines.embedded.supervisor import Child
from inhouse.engines.embedding_calls import context_overflow, embed
from inhouse.engines.embeddings import Embeddings
from inhouse.engines.queue import Turns
from inhouse.engines.text import CHARACTERS_PER_TOKEN
from inhouse.errors import BadRequest, ServerError

_INPUTS = 32
"""Inputs of one call of the child. Small enough that requests take turns and a cancelled one ends
soon, large enough to keep all of the child's slots busy."""
_IN_FLIGHT = 2
"""Calls of the child at once: one is worked on, the next one is there when it ends."""


class EmbeddedEmbeddings:
    """An `EmbeddingEngine` over a child.

    `context_length` is in tokens per input. Requests take turns, call by call of the child, within
    the bounds of a queue of `length` and `wait_seconds`. `wordpiece` says that the model's
    vocabulary is of characters without accents, as BERT's is: the child's tokenizer takes composed
    letters apart, but not composed Hangul, which it would not know.
    """

    def __init__(
        self,
        child: Child,
        context_length: int,
        dimensions: int,
        *,
        length: int = 256,
        wait_seconds: float = 120.0,
        wordpiece: bool = False,
    ) -> None:
        self._child = child
        self._context_length = context_length
        self._dimensions = dimensions
        self._wordpiece = wordpiece
        self._line = Line(child, _IN_FLIGHT)
        self._turns = Turns(_IN_FLIGHT, length=length, wait_seconds=wait_seconds)

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, project: str = ""
    ) -> Embeddings:
        """See `EmbeddingEngine`."""
        if dimensions not in {None, self._dimensions}:
            raise BadRequest(
                f"The vectors of this model have {self._dimensions} dimensions.", param="dimensions"
            )
        self._check(texts)
        if self._wordpiece:
            texts = [_decomposed(text) for text in texts]
        results: dict[int, Embeddings] = {}
        starts = range(0, len(texts), _INPUTS)
        left = iter(starts)

        async def work() -> None:
            for start in left:
                results[start] = await self._part(texts, start, project)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in starts[:_IN_FLIGHT]:
                    group.create_task(work())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        ordered = [results[start] for start in starts]
        vectors = [vector for result in ordered for vector in result.vectors]
        return Embeddings(vectors, sum(result.tokens for result in ordered))

    async def close(self) -> None:
        """Close what connections are kept. The child is its owner's to stop."""
        self._line.close()

    def _check(self, texts: Sequence[str]) -> None:
        """Refuse at once what is far over the context; the count that it tells is a lower bound."""
        for index, text in enumerate(texts):
            if len(text) > self._context_length * CHARACTERS_PER_TOKEN:
                tokens = len(text) // CHARACTERS_PER_TOKEN
                raise context_overflow(self._context_length, tokens, _param(texts, index))

    async def _part(self, texts: Sequence[str], start: int, project: str) -> Embeddings:
        """The call of the child for the inputs from `start` on."""
        await self._turns.take(project=project, begun=start > 0)
        try:
            endpoints = await self._line.ready()
            try:
                part = texts[start : start + _INPUTS]
                return await embed(endpoints, self._child.spec.path.stem, part)
            except (BadRequest, ServerError):
                await self._find_too_long(endpoints, texts, start)
                raise
        finally:
            self._turns.give()

    async def _find_too_long(self, endpoints: Endpoints, texts: Sequence[str], start: int) -> None:
        """The engine's refusal does not say which input is over the context, nor always that one
        is."""
        for index, text in enumerate(texts[start : start + _INPUTS], start):
            answer = await endpoints.ask("/tokenize", {"content": text, "add_special": True})
            tokens = len(answer["tokens"])
            if tokens > self._context_length:
                raise context_overflow(self._context_length, tokens, _param(texts, index))


def _decomposed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFD", text)


def _param(texts: Sequence[str], index: int) -> str:
    return f"input[{index}]" if len(texts) > 1 else "input"
