"""What an embedding engine is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Embeddings:
    """What came back.

    `vectors`: one vector of unit length (float32 values) per input, in order.
    `tokens`: input tokens, counted by the model's own tokenizer.
    """

    vectors: Sequence[Sequence[float]]
    tokens: int


class EmbeddingEngine(Protocol):
    """Turns texts into vectors.

    An input over the model's context is a `BadRequest` that names it. `dimensions` is only given to
    engines whose model has the ability `dimensions`.
    """

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, project: str = ""
    ) -> Embeddings: ...
