"""client.embeddings"""

import base64
from array import array
from collections.abc import Sequence
from typing import Any

from inhouse.context import Context
from inhouse.engines import abilities
from inhouse.engines.models import Model
from inhouse.errors import BadRequest
from inhouse.operations import Json, operation

MAX_INPUTS = 2048
"""Inputs of one request, as the published document limits them."""

MAX_TOKENS = 300_000
"""Tokens over all inputs of one request, as OpenAI documents it."""

_CLOUD_ENCODINGS = {"text-embedding-": "cl100k_base"}
"""Token ids that a client sends for a cloud model's name are of that model's encoding."""


@operation("POST /embeddings", permission="model.request", model=True)
async def create(ctx: Context, body: Json) -> Json:
    """Vectors for texts or token ids, as floats or base64 of little-endian float32."""
    model = ctx.model
    assert model is not None  # noqa: S101 - dispatch resolved it
    if abilities.EMBEDDINGS not in model.abilities:
        raise BadRequest(
            f"The model `{model.id}` does not make embeddings.",
            param="model",
            code="model_not_supported",
        )
    dimensions = _dimensions(model, body.get("dimensions"))
    texts = await _texts(ctx, model, body["input"])
    engine = ctx.models.embeddings(model)
    result = await engine.embed(texts, dimensions=dimensions, project=ctx.scope.project or "")
    ctx.scope.usage.input = result.tokens
    encode = _base64 if body.get("encoding_format") == "base64" else _floats
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": encode(vector)}
            for index, vector in enumerate(result.vectors)
        ],
        "model": model.id,
        "usage": {"prompt_tokens": result.tokens, "total_tokens": result.tokens},
    }


def _dimensions(model: Model, wanted: int | None) -> int | None:
    """None when the model's own size is right; 400 when it cannot be shortened to `wanted`."""
    if wanted is None or wanted == model.dimensions:
        return None
    if abilities.DIMENSIONS not in model.abilities:
        raise BadRequest(
            f"The model `{model.id}` does not support specifying dimensions: its vectors have "
            f"{model.dimensions}.",
            param="dimensions",
            code="unsupported_parameter",
        )
    return wanted


async def _texts(ctx: Context, model: Model, given: Any) -> Sequence[str]:
    inputs: list[Any] = [given] if isinstance(given, str) or isinstance(given[0], int) else given
    if len(inputs) > MAX_INPUTS:
        raise BadRequest(
            f"Invalid 'input': array too long. Expected an array with maximum length {MAX_INPUTS}, "
            f"but got an array with length {len(inputs)} instead.",
            param="input",
            code="array_above_max_length",
        )
    if isinstance(inputs[0], str):
        return _checked(inputs)
    if sum(len(ids) for ids in inputs) > MAX_TOKENS:
        raise BadRequest(
            f"Invalid 'input': maximum request size is {MAX_TOKENS} tokens per request.",
            param="input",
            code="max_tokens_per_request",
        )
    return _checked([await _decode(ctx, model, ids, n) for n, ids in enumerate(inputs)])


def _checked(texts: Sequence[str]) -> Sequence[str]:
    for index, text in enumerate(texts):
        if not text:
            raise BadRequest(
                "Invalid 'input': input cannot be an empty string.",
                param=f"input[{index}]" if len(texts) > 1 else "input",
                code="empty_string",
            )
    return texts


async def _decode(ctx: Context, model: Model, ids: Sequence[int], index: int) -> str:
    """The text of token ids: by the encoding of the cloud model that was asked for, else by the
    model's own.
    """
    requested = ctx.requested_model or ""
    for prefix, encoding in _CLOUD_ENCODINGS.items():
        if requested.startswith(prefix) and requested != model.id:
            return _decode_cloud(encoding, ids, index)
    return await ctx.models.detokenize(model, ids)


def _decode_cloud(encoding: str, ids: Sequence[int], index: int) -> str:
    import quicktok  # noqa: PLC0415 - loads the encoding's tables

    try:
        return quicktok.get_encoding(encoding).decode(list(ids))
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest(
            f"Invalid 'input[{index}]': not all of its token ids are of the encoding {encoding}.",
            param=f"input[{index}]",
            code="invalid_token_ids",
        ) from error


def _floats(vector: Sequence[float]) -> Sequence[float]:
    return vector.tolist() if isinstance(vector, array) else vector


def _base64(vector: Sequence[float]) -> str:
    packed = vector if isinstance(vector, array) else array("f", vector)
    return base64.b64encode(packed.tobytes()).decode()
