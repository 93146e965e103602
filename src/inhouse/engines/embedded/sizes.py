"""Refuses what cannot fit into the context by its length alone, before the child reads it.

The child takes a second and more for every megabyte that it counts the tokens of.
"""

from collections.abc import Sequence
from typing import Any

from inhouse.engines.client_errors import context_overflow
from inhouse.engines.text import CHARACTERS_PER_TOKEN, Json, TextCall
from inhouse.errors import BadRequest

Prompt = str | Sequence[int]


def check_size(call: TextCall, context: int) -> None:
    """Raise `BadRequest` (`context_length_exceeded`) for a call far over `context` tokens (0:
    unknown); the count that it tells is a lower bound."""
    if not context:
        return
    legacy = call.kind == "completion"
    sizes = (
        map(least_tokens, prompts(call.body["prompt"]))
        if legacy
        else [sum(map(_characters, call.body["messages"])) // CHARACTERS_PER_TOKEN]
    )
    for tokens in sizes:
        if tokens >= context:
            raise context_overflow(context, tokens, legacy=legacy)


def prompts(prompt: Any) -> Sequence[Prompt]:
    """A legacy prompt as a list of prompts, each text or token ids."""
    if isinstance(prompt, str):
        return [prompt]
    if not prompt:
        raise BadRequest("Invalid 'prompt': it is empty.", param="prompt")
    return [prompt] if isinstance(prompt[0], int) else prompt


def least_tokens(prompt: Prompt) -> int:
    """How many tokens a prompt has at the least."""
    return len(prompt) // CHARACTERS_PER_TOKEN if isinstance(prompt, str) else len(prompt)


def _characters(message: Json) -> int:
    """Of a message's texts and calls; images count in another way."""
    content: str | list[Json] = message.get("content") or ""
    count = len(content) if isinstance(content, str) else sum(len(_text(each)) for each in content)
    for call in message.get("tool_calls") or ():
        made: Json = call.get("function") or call.get("custom") or {}
        count += len(made.get("arguments") or made.get("input") or "")
    return count


def _text(part: Json) -> str:
    return part.get("text") or part.get("refusal") or ""
