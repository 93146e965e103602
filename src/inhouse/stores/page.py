"""Pages, as the API asks for them and answers with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from inhouse import errors
from inhouse.stores.bodies import lifted

Json = dict[str, Any]
Order = Literal["asc", "desc"]

LARGEST_PAGE = 10_000
"""Of any list of the API; most have smaller ones in the contract."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: `limit` entries after or before the one with a given id.

    `before` alone gives the entries next to it, still in `order`. BadRequest if `limit` is out of
    range.
    """

    after: str | None = None
    before: str | None = None
    limit: int = 20
    order: Order = "desc"

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise self._refused("below minimum", "Expected a value >= 1", "integer_below_min_value")
        if self.limit > LARGEST_PAGE:
            expected = f"Expected a value <= {LARGEST_PAGE}"
            raise self._refused("above maximum", expected, "integer_above_max_value")

    def _refused(self, side: str, expected: str, code: str) -> errors.BadRequest:
        message = (
            f"Invalid 'limit': integer {side} value. {expected}, but got {self.limit} instead."
        )
        return errors.BadRequest(message, param="limit", code=code)

    @property
    def backwards(self) -> bool:
        """Whether the page is counted back from `before`."""
        return self.before is not None and self.after is None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page. `first_id` and `last_id` are None when it is empty."""

    data: Sequence[Json]
    first_id: str | None
    last_id: str | None
    has_more: bool

    def body(self) -> Json:
        """As the API answers: `{"object": "list", "data", "first_id", "last_id", "has_more"}`."""
        return {
            "object": "list",
            "data": list(self.data),
            "first_id": self.first_id,
            "last_id": self.last_id,
            "has_more": self.has_more,
        }


def listing(entries: Sequence[Json], page: Page) -> Listing:
    """The page made of `entries`, which were read with one more than `page.limit`, in reading
    order.
    """
    kept = list(entries[: page.limit])
    if page.backwards:
        kept.reverse()
    ids = [entry["id"] for entry in kept]
    first, last = (ids[0], ids[-1]) if ids else (None, None)
    return Listing(kept, first, last, len(entries) > page.limit)


def window(column: str, page: Page) -> tuple[str, list[object], str]:
    """SQL for `page` over a column that orders the list: conditions, their values, and the tail.

    The conditions begin with AND; the tail has ORDER BY and LIMIT and takes no values.
    """
    ascending = page.order == "asc"
    conditions, values = "", list[object]()
    if page.after is not None:
        conditions += f" AND {column} {'>' if ascending else '<'} ?"
        values.append(lifted(page.after))
    if page.before is not None:
        conditions += f" AND {column} {'<' if ascending else '>'} ?"
        values.append(lifted(page.before))
    up = ascending is not page.backwards
    return (
        conditions,
        values,
        f" ORDER BY {column} {'ASC' if up else 'DESC'} LIMIT {page.limit + 1}",
    )
