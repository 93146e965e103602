"""Wrong bodies made from right ones."""

import copy
import random
from collections.abc import Iterator
from typing import Any

JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    1.0,
    10**12,
    2**63,
    "",
    "junk",
    "x" * 600,
    [],
    [None],
    [[1]],
    ["a", 1],
    {},
    {"type": "junk"},
    {"type": "text", "text": "a"},
    {"junk": 1},
    {"k" * 65: "v"},
)

Place = tuple[Any, str | int]
"""A container within a body and a key of it."""


def mutate(body: Any, chance: random.Random) -> Any:
    """A copy of a body with one or two things changed somewhere."""
    changed = copy.deepcopy(body)
    for _ in range(chance.choice((1, 1, 1, 2))):
        places = list(_places(changed))
        if not places:
            return chance.choice(JUNK)
        _change(*chance.choice(places), chance)
    return changed


def _places(value: Any) -> Iterator[Place]:
    keys: list[Any] = list(value) if isinstance(value, dict) else []
    keys = list(range(len(value))) if isinstance(value, list) else keys
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _change(container: Any, key: Any, chance: random.Random) -> None:
    match chance.randrange(6):
        case 0:
            del container[key]
        case 1 | 2:
            container[key] = copy.deepcopy(chance.choice(JUNK))
        case 3 if isinstance(container, dict):
            container["unknown"] = copy.deepcopy(chance.choice(JUNK))
        case 3 | 4 if isinstance(container, list):
            container.append(copy.deepcopy(chance.choice([*JUNK, container[key]])))
        case 4 if isinstance(container, dict):
            container[key] = copy.deepcopy(container[chance.choice(list(container))])
        case _:
            container[key] = [container[key]] if chance.random() < 0.5 else {"a": container[key]}
