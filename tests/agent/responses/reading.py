"""What the tests of requests share: a call of the engine, and the refusal of one."""

from itertools import count
from typing import Any

import pytest

from inhouse.agent.responses.request import check, engine_body, new_items
from inhouse.contract import Contract
from inhouse.engines.scripted import EVERYTHING
from inhouse.errors import BadRequest
from inhouse.ids import IdMaker

Json = dict[str, Any]
SPEC = Contract.load().operations["POST /responses"]


def counting() -> IdMaker:
    """Ids that are the same in every run: msg_0, fc_1 ..."""
    numbers = count()
    return lambda prefix: f"{prefix}{next(numbers)}"


async def seen(url: str, param: str) -> str:
    """An image, fetched: its URL and the parameter that holds it."""
    return f"data:{url}@{param}"


def opened(token: str) -> str:
    """A sealed text, opened."""
    return token.removeprefix("sealed:")


def valid(**body: Any) -> Json:
    """A body that the contract takes."""
    return SPEC.check_body({"model": "m", "input": "Hi", **body})


async def sent(able: frozenset[str] = EVERYTHING, **fields: Any) -> Json:
    """The chat body that an engine gets for a response's body."""
    body = valid(**fields)
    check(body)
    return await engine_body(body, new_items(body, counting()), able, seen, opened)


async def told(*items: Json, **fields: Any) -> list[Json]:
    """The messages that an engine gets for input items."""
    return (await sent(input=list(items), **fields))["messages"]


async def refused(
    able: frozenset[str] = EVERYTHING, **fields: Any
) -> tuple[str, str | None, str | None]:
    """Message, param and code of the 400 that a body gets."""
    with pytest.raises(BadRequest) as caught:
        await sent(able, **fields)
    return caught.value.message, caught.value.param, caught.value.code
