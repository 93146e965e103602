"""all-MiniLM-L6-v2 once more, in plain numpy and float32, from its published description.

Slow and obvious: the yardstick for the vectors that the engine makes.
"""

import json
import math
import struct
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float32]]

_HEADS = 12
_LAYERS = 6
_EPSILON = 1e-12
_IDEOGRAPHS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


class Reference:
    """The model in a folder with `model.safetensors` and `tokenizer.json`."""

    def __init__(self, folder: Path) -> None:
        self._weights = _read(folder / "model.safetensors")
        tokenizer = json.loads((folder / "tokenizer.json").read_bytes())
        self._vocabulary: dict[str, int] = tokenizer["model"]["vocab"]

    def tokens(self, text: str) -> list[int]:
        """Ids of the WordPiece pieces, [CLS] and [SEP] around them."""
        pieces = [piece for word in _words(text) for piece in self._pieces(word)]
        return [self._vocabulary[piece] for piece in ("[CLS]", *pieces, "[SEP]")]

    def embed(self, text: str) -> Array:
        """The mean over all tokens, of unit length."""
        hidden = self._embeddings(self.tokens(text))
        for layer in range(_LAYERS):
            hidden = self._layer(hidden, f"encoder.layer.{layer}")
        mean = hidden.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _pieces(self, word: str) -> list[str]:
        pieces: list[str] = []
        start = 0
        while start < len(word):
            end = len(word)
            while end > start:
                piece = ("##" if start else "") + word[start:end]
                if piece in self._vocabulary:
                    break
                end -= 1
            else:
                return ["[UNK]"]
            pieces.append(piece)
            start = end
        return pieces

    def _embeddings(self, tokens: list[int]) -> Array:
        name = "embeddings.{}_embeddings.weight"
        words = self._weights[name.format("word")][tokens]
        positions = self._weights[name.format("position")][: len(tokens)]
        kind = self._weights[name.format("token_type")][0]
        return self._norm(words + positions + kind, "embeddings.LayerNorm")

    def _layer(self, hidden: Array, name: str) -> Array:
        attended = self._attention(hidden, f"{name}.attention.self")
        attended = self._linear(attended, f"{name}.attention.output.dense")
        hidden = self._norm(hidden + attended, f"{name}.attention.output.LayerNorm")
        inner = _gelu(self._linear(hidden, f"{name}.intermediate.dense"))
        out = self._linear(inner, f"{name}.output.dense")
        return self._norm(hidden + out, f"{name}.output.LayerNorm")

    def _attention(self, hidden: Array, name: str) -> Array:
        query, key, value = (
            self._linear(hidden, f"{name}.{part}").reshape(len(hidden), _HEADS, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(1, 2) / math.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        return (shares @ value).swapaxes(0, 1).reshape(len(hidden), -1)

    def _linear(self, hidden: Array, name: str) -> Array:
        return hidden @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, hidden: Array, name: str) -> Array:
        centred = hidden - hidden.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + _EPSILON)
        return centred / spread * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _gelu(values: Array) -> Array:
    """With the error function of Abramowitz and Stegun 7.1.26, exact to 1.5e-7."""
    x = np.abs(values) / math.sqrt(2)
    t = 1 / (1 + 0.3275911 * x)
    series = np.polyval([1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592, 0], t)
    erf = np.sign(values) * (1 - series * np.exp(-x * x))
    return values * 0.5 * (1 + erf)


def _read(path: Path) -> dict[str, Array]:
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    kinds = {"F32": np.float32, "I64": np.int64}
    return {
        name: np.frombuffer(
            content[8 + length + entry["data_offsets"][0] : 8 + length + entry["data_offsets"][1]],
            kinds[entry["dtype"]],
        ).reshape(entry["shape"])
        for name, entry in header.items()
    }


def _words(text: str) -> Iterator[str]:
    """Lower case, without accents, split at spaces and around punctuation and CJK characters."""
    word = ""
    for character in unicodedata.normalize("NFD", text.lower()):
        category = unicodedata.category(character)
        alone = _is_punctuation(character, category) or _is_ideograph(ord(character))
        if _is_dropped(character, category):
            continue
        if not alone and not character.isspace():
            word += character
            continue
        if word:
            yield word
        word = ""
        if alone:
            yield character
    if word:
        yield word


def _is_dropped(character: str, category: str) -> bool:
    control = category.startswith("C") and character not in "\t\n\r"
    return control or category == "Mn" or character == "\ufffd"


def _is_ideograph(point: int) -> bool:
    return any(first <= point <= last for first, last in _IDEOGRAPHS)


def _is_punctuation(character: str, category: str) -> bool:
    return category.startswith("P") or (character.isascii() and category.startswith("S"))
