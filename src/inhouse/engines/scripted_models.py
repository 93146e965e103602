"""Models without weights. Ships for tests: a `Loader` whose models follow a script.

Token ids are code points, a chat's tokens are its words, vectors are made from characters, nothing
is learned.
"""

import json
from array import array
from collections.abc import Sequence
from math import sqrt

from inhouse.engines import abilities
from inhouse.engines.catalogue import Entry
from inhouse.engines.embeddings import EmbeddingEngine, Embeddings
from inhouse.engines.messages import parts
from inhouse.engines.residence import Running
from inhouse.engines.scripted import EVERYTHING
from inhouse.engines.text import Json, TextEngine
from inhouse.errors import BadRequest

DIMENSIONS = 8


def scripted_entry(
    name: str, able: frozenset[str] = EVERYTHING, *, context_length: int = 4096
) -> Entry:
    """A catalogue entry for a model that the loader below can load."""
    dimensions = DIMENSIONS if abilities.EMBEDDINGS in able else None
    return Entry(
        id=name,
        source=f"file:/nowhere/{name}.gguf",
        abilities=able,
        context_length=context_length,
        dimensions=dimensions,
    )


class ScriptedLoader:
    """Loads every entry as `engine`; `loaded` and `stopped` name what was, in order.

    `bytes` is what each takes of the memory budget.
    """

    def __init__(self, engine: TextEngine, *, size: int = 1) -> None:
        self.engine = engine
        self.size = size
        self.loaded: list[str] = []
        self.stopped: list[str] = []

    def estimate(self, entry: Entry) -> int:
        del entry
        return self.size

    async def load(self, entry: Entry) -> Running:
        self.loaded.append(entry.id)
        return _ScriptedModel(self, entry)


class ScriptedEmbeddings:
    """Vectors of `DIMENSIONS` values, of unit length, equal for equal texts."""

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, project: str = ""
    ) -> Embeddings:
        del project
        size = dimensions or DIMENSIONS
        vectors = [_vector(text, size) for text in texts]
        return Embeddings(vectors, sum(len(text.split()) for text in texts))


class _ScriptedModel:
    """One loaded model."""

    def __init__(self, loader: ScriptedLoader, entry: Entry) -> None:
        self._loader = loader
        self._entry = entry
        self.bytes = loader.size

    @property
    def text(self) -> TextEngine:
        return self._loader.engine

    @property
    def embeddings(self) -> EmbeddingEngine:
        return ScriptedEmbeddings()

    async def tokenize(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    async def detokenize(self, ids: Sequence[int]) -> str:
        try:
            return "".join(map(chr, ids))
        except (ValueError, OverflowError):
            raise BadRequest("Not all token ids are of this model.", param="input") from None

    async def count_chat(self, body: Json) -> int | None:
        """The words of the messages' texts, and those of the tools and of the format as JSON with
        spaces."""
        messages: list[Json] = body["messages"]
        said = [
            message["content"] for message in messages if isinstance(message.get("content"), str)
        ]
        said += [part.get("text") or "" for part in parts(messages)]
        described = (body.get(name) for name in ("tools", "functions", "response_format"))
        said += [json.dumps(each) for each in described if each]
        return sum(len(text.split()) for text in said)

    async def stop(self) -> None:
        self._loader.stopped.append(self._entry.id)


def _vector(text: str, size: int) -> "array[float]":
    values = [0.0] * size
    for index, character in enumerate(text):
        values[(ord(character) + index) % size] += 1.0
    length = sqrt(sum(value * value for value in values)) or 1.0
    return array("f", (value / length for value in values))
