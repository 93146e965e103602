"""What a connection keeps, in memory only, of responses that are not stored.

`store: false` writes no content, so nobody else could continue such a response; on its connection
it can be. The newest response of each lane is kept until the lane's next one replaces it, the
connection ends, or the connection's share of memory is used up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

Json = dict[str, Any]
Lane = str | None
"""A lane's `stream_id`; None is the lane of the requests that name none."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A response: its whole context as `items`, after the chain that ends with the stored response
    `base` (or from the start). `size` is the JSON's length in bytes.
    """

    base: str | None
    items: list[Any]
    size: int


class Remembered:
    """The kept responses of one connection; `most_bytes` bounds them all together."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: dict[Lane, tuple[str, Kept]] = {}

    def find(self, response_id: object) -> Kept | None:
        """The response with that id, of whichever lane."""
        for kept_id, kept in self._kept.values():
            if kept_id == response_id:
                return kept
        return None

    def keep(self, lane: Lane, body: Json, response: Json) -> None:
        """Keep `response`, the answer to `body` (as `resumed` returned it), as its lane's newest.

        A stored response is not kept, nor one whose context is a conversation's.
        """
        self._kept.pop(lane, None)
        if body.get("store") is not False or body.get("conversation") is not None:
            return
        items = [*_items(body.get("input")), *response["output"]]
        kept = Kept(body.get("previous_response_id"), items, len(orjson.dumps(items)))
        self._kept[lane] = (response["id"], kept)
        while sum(kept.size for _, kept in self._kept.values()) > self._most_bytes:
            del self._kept[next(iter(self._kept))]

    def forget(self, lane: Lane, response_id: object) -> None:
        """A continuation of `response_id` on its own lane has failed."""
        if lane in self._kept and self._kept[lane][0] == response_id:
            del self._kept[lane]


def resumed(body: Mapping[str, Any], kept: Kept) -> Json:
    """`body`, which continues `kept`, as one that nobody needs to remember anything for."""
    items = [*kept.items, *_items(body.get("input"))]
    return {**body, "previous_response_id": kept.base, "input": items}


def _items(given: object) -> list[Any]:
    """A request's `input` as items; what is no input at all is left to the contract to refuse."""
    if given is None:
        return []
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return given if isinstance(given, list) else [given]
