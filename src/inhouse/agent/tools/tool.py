"""What a hosted tool is. A run calls it in a task of its own, beside the turn's other calls."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from inhouse.agent.turn import Call
from inhouse.engines.text import Json
from inhouse.scope import Scope

Say = Callable[[str, Json], None]
"""Takes the type of an event between the item's beginning and its end, without `response.`, and
its fields beside `item_id` and `output_index`.
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: the item as it stays, and what the model reads as the tool's output."""

    item: Json
    output: str


class Tool(Protocol):
    """A tool of the house.

    `declaration` is a function tool in chat form: what the model is shown. `outside` says that a
    call has effects outside: it is recorded before it starts and never repeated.
    """

    @property
    def declaration(self) -> Json: ...

    @property
    def outside(self) -> bool: ...

    def begin(self, call: Call, item_id: Callable[[str], str]) -> Json:
        """The item as it begins, with an id that `item_id` made."""
        ...

    async def run(self, scope: Scope, call: Call, item: Json, say: Say) -> Outcome:
        """Do the call. What it raises the model reads as a failed call."""
        ...
