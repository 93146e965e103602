"""The embeddings of an upstream's model."""

from collections.abc import Sequence

from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.embedding_calls import embed
from inhouse.engines.embeddings import Embeddings
from inhouse.engines.queue import Turns

_INPUTS = 256
"""Inputs of one call: servers bound them, most at 2048 or at less memory than that needs."""


class UpstreamEmbeddings:
    """An `EmbeddingEngine`: the upstream's `model` over its endpoints, in turn with others."""

    def __init__(self, endpoints: Endpoints, model: str, turns: Turns) -> None:
        self._endpoints = endpoints
        self._model = model
        self._turns = turns

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, project: str = ""
    ) -> Embeddings:
        """See `EmbeddingEngine`. Calls one after the other, each in its turn."""
        vectors: list[Sequence[float]] = []
        tokens = 0
        for start in range(0, len(texts), _INPUTS):
            part = texts[start : start + _INPUTS]
            await self._turns.take(project=project, begun=start > 0)
            try:
                result = await embed(self._endpoints, self._model, part, dimensions)
            finally:
                self._turns.give()
            vectors += result.vectors
            tokens += result.tokens
        return Embeddings(vectors, tokens)
