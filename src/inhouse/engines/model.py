"""A model as clients and the layers above see it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Model:
    """One model that can be asked for.

    `abilities` are names of `engines.abilities`; `context_length` is in tokens (None: unknown);
    `dimensions` is the size of its vectors. `engine` says what runs it and `source` where it comes
    from.
    """

    id: str
    created: int
    owned_by: str
    abilities: frozenset[str]
    engine: Literal["embedded", "upstream"]
    source: str
    context_length: int | None = None
    dimensions: int | None = None
