"""Tokens as an upstream's own tokenizer has them: `/tokenize` and `/detokenize` of vLLM, SGLang and
llama-server, `/apply-template` of the last."""

from collections.abc import Sequence

from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.client_fields import FieldMap
from inhouse.engines.messages import text_only
from inhouse.engines.text import Json
from inhouse.errors import APIError, BadRequest

_TEMPLATED = ("messages", "tools", "chat_template_kwargs")
"""What of a chat's body becomes its prompt where the server renders it."""


async def tokenize(endpoints: Endpoints, model: str, text: str) -> list[int]:
    """Token ids of a text. Raises `BadRequest` if the server has none to offer."""
    body = {"model": model, "prompt": text, "content": text, "add_special_tokens": False}
    tokens = (await endpoints.ask("/tokenize", body)).get("tokens")
    if not isinstance(tokens, list):
        raise _no_tokenizer(model)
    return [int(token) for token in tokens]


async def detokenize(endpoints: Endpoints, model: str, ids: Sequence[int]) -> str:
    """The text of token ids, likewise."""
    answer = await endpoints.ask("/detokenize", {"model": model, "tokens": list(ids)})
    text = answer.get("prompt", answer.get("content"))
    if not isinstance(text, str):
        raise _no_tokenizer(model)
    return text


async def count_chat(endpoints: Endpoints, model: str, fields: FieldMap, body: Json) -> int | None:
    """Tokens of the prompt that a chat's body becomes; None if the server cannot say.

    Raises `BadRequest` for what the field map refuses.
    """
    mapped = {**fields.apply(body), "model": model}
    counted = await _counted(endpoints, mapped)
    return await _rendered(endpoints, mapped) if counted is None else counted


async def _counted(endpoints: Endpoints, body: Json) -> int | None:
    """vLLM and SGLang render and count in one."""
    asked = {name: body[name] for name in ("model", *_TEMPLATED) if body.get(name) is not None}
    count = (await _asked(endpoints, "/tokenize", asked)).get("count")
    return count if isinstance(count, int) and count > 0 else None


async def _rendered(endpoints: Endpoints, body: Json) -> int | None:
    """llama-server renders first. It counts an image as the word that stands for it, so a prompt
    with images is not counted."""
    if not text_only(body["messages"]):
        return None
    kept = {name: value for name, value in body.items() if not name.startswith("stream")}
    prompt = (await _asked(endpoints, "/apply-template", kept)).get("prompt")
    if not isinstance(prompt, str):
        return None
    asked = {"content": prompt, "add_special": True, "parse_special": True}
    tokens = (await _asked(endpoints, "/tokenize", asked)).get("tokens")
    return len(tokens) if isinstance(tokens, list) else None


async def _asked(endpoints: Endpoints, path: str, body: Json) -> Json:
    """The answer; empty if there is none."""
    try:
        return await endpoints.ask(path, body)
    except APIError:
        return {}


def _no_tokenizer(model: str) -> BadRequest:
    return BadRequest(
        f"The server of the model `{model}` does not turn token ids into text or back.",
        param="model",
        code="model_not_supported",
    )
