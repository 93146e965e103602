"""Whether every prompt of a request fits, before the first of them is answered: what comes out
after the first chunk could only break the stream off."""

from collections.abc import Sequence

from inhouse.agent.prediction import Tokenize
from inhouse.engines.client_errors import context_overflow
from inhouse.engines.text import CHARACTERS_PER_TOKEN
from inhouse.errors import APIError

Prompt = str | Sequence[int]


async def check_prompts(prompts: Sequence[Prompt], tokenize: Tokenize, context: int) -> None:
    """Raise `BadRequest` (`context_length_exceeded`) for a prompt that leaves no room in a context
    of so many tokens.

    Most are told by their length. Those near the limit are counted, where the model's server has a
    tokenizer to offer.
    """
    near: list[str] = []
    for prompt in prompts:
        if not isinstance(prompt, str):
            _check(len(prompt), context)
            continue
        _check(len(prompt) // CHARACTERS_PER_TOKEN, context)
        if len(prompt.encode()) >= context - 1:  # a token is a byte at the least; one may begin it
            near.append(prompt)
    for prompt in near:
        try:
            ids = await tokenize(prompt)
        except APIError:
            return
        _check(len(ids), context)


def _check(tokens: int, context: int) -> None:
    if tokens >= context:
        raise context_overflow(context, tokens, legacy=True)
