"""What a legacy completion's body means: its prompts, and the call that each of them is."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from inhouse.agent.chat.request import check_logit_bias, check_stop, check_stream_options
from inhouse.agent.completions.parameters import COMPLETION
from inhouse.agent.parameters import select, unsupported
from inhouse.engines import abilities
from inhouse.engines.text import Json
from inhouse.errors import BadRequest

DEFAULT_MAX_TOKENS = 16
_DEFAULT_PROMPT = "<|endoftext|>"
_MAX_PROMPTS = 2048
_TOO_LARGE_ID = 2**31
"""Engines hold an id in 32 bits; some cut larger ones off to other ids."""

Detokenize = Callable[[Sequence[int]], Awaitable[str]]
"""The text of ids of the model's own tokenizer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One call for each prompt, and how the answers are told.

    calls: bodies for the engine.
    texts: the prompts as text, where something needs it; else None.
    n: choices of each prompt that are told; `generated` of them are made.
    echo: prompts are told before the answers.
    top: alternatives of each token that are told; None: no logprobs.
    """

    calls: Sequence[Json]
    texts: Sequence[str | None]
    n: int
    generated: int
    echo: bool
    top: int | None


async def plan(body: Json, able: frozenset[str], detokenize: Detokenize) -> Plan:
    """Check the body where its schema cannot, and plan its calls. Raises BadRequest."""
    _check(body)
    n, generated = body.get("n") or 1, _generated(body, able)
    base = select(body, COMPLETION, able)
    base.setdefault("max_tokens", DEFAULT_MAX_TOKENS)
    base["n"] = generated
    top: int | None = body.get("logprobs")
    if top is not None or generated > n:
        base["logprobs"] = top or 1
    echo = bool(body.get("echo"))
    if echo and top is not None:
        if abilities.PROMPT_LOGPROBS not in able:
            raise unsupported("echo")
        base["echo"], echo = True, False  # the engine tells the prompt, with its logprobs
    ids_pass = abilities.TOKEN_PROMPTS in able
    needs_text = echo or top is not None
    calls: list[Json] = []
    texts: list[str | None] = []
    for prompt in prompts(body):
        text: str | None = None
        if isinstance(prompt, str):
            text = prompt
        elif not all(0 <= each < _TOO_LARGE_ID for each in prompt):
            raise BadRequest(
                "Invalid 'prompt': not all of its token ids are of this model.",
                param="prompt",
                code="invalid_token_ids",
            )
        elif needs_text or not ids_pass:
            text = await detokenize(prompt)
        calls.append({**base, "prompt": (prompt if ids_pass else text) or _DEFAULT_PROMPT})
        texts.append(text)
    return Plan(calls, texts, n, generated, echo, top)


def prompts(body: Json) -> Sequence[str | Sequence[int]]:
    """The prompts: texts or lists of token ids. Without one a new document begins."""
    given: Any = body.get("prompt")
    if given is None:
        return [""]
    if isinstance(given, str):
        return [given]
    if not given:
        raise BadRequest(
            "Invalid 'prompt': empty array. Expected an array with minimum length 1, but got an "
            "empty array instead.",
            param="prompt",
            code="empty_array",
        )
    if len(given) > _MAX_PROMPTS and not isinstance(given[0], int):
        raise BadRequest(
            f"Invalid 'prompt': array too long. Expected an array with maximum length "
            f"{_MAX_PROMPTS}, but got an array with length {len(given)} instead.",
            param="prompt",
            code="array_above_max_length",
        )
    return [given] if isinstance(given[0], int) else given


def _check(body: Json) -> None:
    if body.get("stream_options") is not None:
        check_stream_options(body)
    if body.get("logit_bias") is not None:
        check_logit_bias(body)
    if body.get("stop") is not None:
        check_stop(body)


def _generated(body: Json, able: frozenset[str]) -> int:
    """How many choices are generated for each prompt."""
    n: int = body.get("n") or 1
    best_of: int | None = body.get("best_of")
    if best_of is None or best_of == n:
        return n
    if best_of < n:
        raise BadRequest(
            "You requested that the server return more choices than it will generate (HINT: you "
            "must set 'n' to be at most 'best_of').",
            param="best_of",
        )
    if body.get("stream"):
        raise BadRequest(
            "Results cannot be streamed when 'best_of' is greater than 'n'.", param="best_of"
        )
    if abilities.LOGPROBS not in able:
        raise unsupported("best_of")
    return best_of
