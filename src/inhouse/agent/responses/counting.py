"""How many tokens a context is, and the longest end of it that fits."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from inhouse.agent.parameters import unsupported, unsupported_value
from inhouse.agent.responses import pairs
from inhouse.engines.model import Model
from inhouse.engines.text import Json
from inhouse.errors import BadRequest

_RESERVED = 4096
"""Tokens kept free for the answer where the request names no maximum, at most a quarter of the
context.
"""


class Counter(Protocol):
    """Counts by a model's own template; `engines.models.Models` is one."""

    async def count_chat(self, model: Model, body: Json) -> int | None: ...


async def count(models: Counter, model: Model, chat: Json) -> int:
    """Input tokens of a chat's body, exactly. BadRequest where the model's server cannot say."""
    counted = await models.count_chat(model, chat)
    if counted is None:
        raise BadRequest(
            f"The server of the model `{model.id}` cannot count tokens.",
            param="model",
            code="model_not_supported",
        )
    return counted


def check_counted(body: Json) -> None:
    """The parameters of `POST /responses/input_tokens` that a response has not."""
    if body.get("personality") is not None:
        raise unsupported("personality")


def room(body: Json, context_length: int | None) -> int:
    """Tokens that the input may have, next to what is kept free for the answer.

    BadRequest for a model whose context is not known.
    """
    if not context_length:
        raise unsupported_value("truncation", body.get("truncation"))
    reserved = body.get("max_output_tokens") or min(_RESERVED, context_length // 4)
    return context_length - reserved


async def fit(
    items: Sequence[Json], budget: int, counted: Callable[[Sequence[Json]], Awaitable[int]]
) -> Sequence[Json]:
    """The longest end of `items` that is at most `budget` tokens by `counted`.

    It never begins between a call and its output, and the last message of a user stays. BadRequest
    if even that is too long. Costs a count for the whole, and some log2(n) if it is too long.
    """
    if await counted(items) <= budget:
        return items
    places = cuts(items)
    low, high = 0, len(places)  # the first that fits is in places[low:high], if any does
    while low < high:
        middle = (low + high) // 2
        if await counted(items[places[middle] :]) <= budget:
            high = middle
        else:
            low = middle + 1
    if low == len(places):
        raise too_long()
    return items[places[low] :]


def too_long() -> BadRequest:
    """The 400 for an input that is over the model's context."""
    return BadRequest(
        "Your input exceeds the context window of this model. Please adjust your input and try "
        "again.",
        param="input",
        code="context_length_exceeded",
    )


def cuts(items: Sequence[Json]) -> list[int]:
    """Where the end may begin: behind the first item, before the last user's message, and never
    between what belongs together.
    """
    called: dict[str, int] = {}
    last_user = 0
    inside: set[int] = set()
    for index, item in enumerate(items):
        pair = pairs.call_id(item)
        if item["type"] in pairs.OUTPUTS:
            inside.update(range(called.get(pair or "", index) + 1, index + 1))
        elif pair is not None:
            called[pair] = index
        if _follows_thought(items, index):
            inside.add(index)
        if item.get("role") == "user":
            last_user = index
    return [index for index in range(1, last_user + 1) if index not in inside]


def _follows_thought(items: Sequence[Json], index: int) -> bool:
    """Whether the item before is the reasoning that led to this one."""
    return index > 0 and items[index - 1]["type"] == "reasoning"
