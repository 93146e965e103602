"""How much of a predicted output came true, in tokens."""

import re
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import aclosing

from inhouse.agent.turn import Event, Events, Predicted
from inhouse.engines.text import CHARACTERS_PER_TOKEN, Text, Usage
from inhouse.errors import APIError, BadRequest

_WORDS = re.compile(r"\s*(?:\w+|[^\w\s])")

_LONGEST = 131_072
"""Tokens of a prediction, where the model's context is not known."""

Tokenize = Callable[[str], Awaitable[Sequence[int]]]
"""The model's own tokenizer."""


def common(output: Sequence[Hashable], prediction: Sequence[Hashable]) -> int:
    """The length of the longest common subsequence.

    Hyyrö's bit-parallel algorithm (2004): one row of the table is an integer with a bit per token
    of the prediction, so a step costs a few operations on it, not a walk along it.
    """
    places: dict[Hashable, int] = {}
    for at, token in enumerate(prediction):
        places[token] = places.get(token, 0) | 1 << at
    full = (1 << len(prediction)) - 1
    row = full
    for token in output:
        hits = row & places.get(token, 0)
        row = (row + hits | row - hits) & full
    return len(prediction) - row.bit_count()


async def compared(
    events: Events, prediction: str, tokenize: Tokenize, context_length: int | None = None
) -> Events:
    """The turn's batches, with a `Predicted` before the usage: tokens of the prediction that the
    output has and that it lacks, over all choices.

    Raises BadRequest before the first batch for a prediction that no output could be as long as.
    """
    texts: dict[int, list[str]] = {}
    async with aclosing(events):
        expected = await _expected(prediction, tokenize, context_length or _LONGEST)
        async for batch in events:
            out: list[Event] = []
            for event in batch:
                if isinstance(event, Text):
                    texts.setdefault(event.choice, []).append(event.text)
                elif isinstance(event, Usage):
                    out.append(await _predicted(texts, expected, tokenize))
                out.append(event)
            yield out


async def _expected(prediction: str, tokenize: Tokenize, most: int) -> Sequence[Hashable]:
    """The prediction's tokens, at most `most`: comparing takes their number times the output's."""
    if len(prediction) <= most * CHARACTERS_PER_TOKEN:
        tokens = await _tokens(prediction, tokenize)
        if len(tokens) <= most:
            return tokens
    raise BadRequest(
        f"Invalid 'prediction.content': it is over the model's context of {most} tokens.",
        param="prediction.content",
        code="string_above_max_length",
    )


async def _predicted(
    texts: dict[int, list[str]], expected: Sequence[Hashable], tokenize: Tokenize
) -> Predicted:
    accepted = 0
    for pieces in texts.values():
        accepted += common(await _tokens("".join(pieces), tokenize), expected)
    return Predicted(accepted, len(expected) * max(1, len(texts)) - accepted)


async def _tokens(text: str, tokenize: Tokenize) -> Sequence[Hashable]:
    """The text's tokens, or its words where the model's server has no tokenizer to offer."""
    try:
        return await tokenize(text)
    except APIError:
        return _WORDS.findall(text)
