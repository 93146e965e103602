"""Embeddings over HTTP, as OpenAI-compatible servers speak them, the embedded engine included.

Vectors travel as base64 where the server can, and stay packed floats on the way through.
"""

import base64
import binascii
import re
import sys
from array import array
from collections.abc import Sequence
from math import hypot
from typing import Any

import msgspec

from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.embeddings import Embeddings
from inhouse.engines.text import Json
from inhouse.engines.wire import WireError
from inhouse.errors import BadRequest, ServerError

_NEARLY_ONE = 1e-3
_ANSWER_BYTES = 256 * 2**20
_OVERFLOW = re.compile(r"(\d+) tokens\D*(\d+) tokens")


class _Item(msgspec.Struct):
    embedding: str | list[float]
    index: int = 0


class _Counts(msgspec.Struct):
    prompt_tokens: int = 0


class _Answer(msgspec.Struct):
    data: list[_Item]
    usage: _Counts | None = None


_DECODER = msgspec.json.Decoder(_Answer)


async def embed(
    endpoints: Endpoints, model: str, texts: Sequence[str], dimensions: int | None = None
) -> Embeddings:
    """One call of `POST {base}/embeddings`. Raises `APIError`."""
    body: Json = {"model": model, "input": texts, "encoding_format": "base64"}
    if dimensions is not None:
        body["dimensions"] = dimensions
    try:
        reply = await endpoints.post("/embeddings", msgspec.json.encode(body))
    except BadRequest as error:
        raise _in_our_words(error) from error
    try:
        content = reply.first + await reply.response.read(_ANSWER_BYTES)
        answer = _DECODER.decode(content)
        vectors = [_vector(item.embedding) for item in sorted(answer.data, key=_index)]
    except WireError as error:
        raise ServerError("The connection to the model's server was lost.") from error
    except (msgspec.DecodeError, binascii.Error, ValueError) as error:
        raise ServerError("The model's server sent an answer that cannot be read.") from error
    finally:
        reply.response.close()
    if len(vectors) != len(texts):
        raise ServerError("The model's server sent fewer vectors than it was asked for.")
    return Embeddings(vectors, answer.usage.prompt_tokens if answer.usage else 0)


def context_overflow(limit: int, tokens: int, param: str = "input") -> BadRequest:
    """OpenAI's answer to an input, at `param`, that is longer than the model's context."""
    return BadRequest(
        f"This model's maximum context length is {limit} tokens, however you requested {tokens} "
        f"tokens ({tokens} in your prompt; 0 for the completion). Please reduce your prompt; or "
        "completion length.",
        param=param,
        code="context_length_exceeded",
    )


def _in_our_words(error: BadRequest) -> BadRequest:
    """What the server refused speaks of an input, not of messages."""
    if error.code != "context_length_exceeded":
        return error
    found = _OVERFLOW.search(error.message)
    if found:
        return context_overflow(int(found[1]), int(found[2]))
    return BadRequest(error.message, param="input", code=error.code)


def _index(item: _Item) -> int:
    return item.index


def _vector(value: str | list[float]) -> "array[float]":
    """float32 values of unit length."""
    vector: array[Any] = array("f")
    if isinstance(value, str):
        vector.frombytes(base64.b64decode(value, validate=True))
        if sys.byteorder == "big":
            vector.byteswap()
    else:
        vector.extend(value)
    length = hypot(*vector)
    if not length or abs(length - 1.0) < _NEARLY_ONE:
        return vector
    return array("f", [each / length for each in vector])
