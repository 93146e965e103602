"""Who asks, for which project, under which request id, and what it has used so far.

A `Scope` is handed down as an argument to everything that acts for a request; a store needs one to
answer.
"""

from dataclasses import dataclass
from typing import Literal

import msgspec

Role = Literal["owner", "member"]


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a key, as it was when the request came in.

    `project` is None for a key of the organization. `permissions` holds `<noun>.<verb>` names, or
    `*` for all.
    """

    id: str
    organization: str
    project: str | None
    key_id: str
    permissions: frozenset[str]
    role: Role = "member"


@dataclass(slots=True)
class Usage:
    """Counts of one request. The only mutable part of a scope: engines add to it, dispatch settles
    it.

    `input` includes `cached`, `output` includes `reasoning`, as OpenAI counts.
    """

    model: str | None = None
    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    first_token_seconds: float | None = None
    recorded: bool = False
    """Whether its row is written already, with what the request left."""

    @property
    def total(self) -> int:
        return self.input + self.output


class Scope(msgspec.Struct, frozen=True):
    """One request's identity. `deadline` is monotonic seconds or None; `client_request_id` is what
    the client sent.
    """

    organization: str
    project: str | None
    principal: Principal
    request_id: str
    deadline: float | None = None
    client_request_id: str | None = None
    priority: Literal["interactive", "batch"] = "interactive"
    usage: Usage = msgspec.field(default_factory=Usage)
