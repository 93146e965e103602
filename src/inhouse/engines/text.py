"""What a text engine is: it takes a call and yields batches of deltas.

A batch is everything that arrived in one read from the model, so that a burst costs one wake-up and
one write. The order of deltas is the order of generation; choices interleave. A finished call has
yielded one `Finish` per choice and then exactly one `Usage`.
"""

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any, Literal, Protocol

import msgspec

Json = dict[str, Any]
"""A JSON object. The one place where `Any` is meant: the wire."""

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]


class Text(msgspec.Struct, frozen=True, gc=False):
    """Visible text of choice `choice`, with the logprobs of its tokens (chat form: token, logprob,
    bytes, top_logprobs).
    """

    choice: int
    text: str
    logprobs: list[Json] | None = None


class Reasoning(msgspec.Struct, frozen=True, gc=False):
    """Text that the model thinks and does not say."""

    choice: int
    text: str


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Text with which the model declines."""

    choice: int
    text: str
    logprobs: list[Json] | None = None


class ToolCall(msgspec.Struct, frozen=True, gc=False):
    """A piece of tool call number `index` of a choice. The first piece carries `id` and `name`;
    `arguments` (for a function: JSON text; for a custom tool: its input) grows piece by piece.
    """

    choice: int
    index: int
    arguments: str = ""
    id: str | None = None
    name: str | None = None
    kind: Literal["function", "custom"] = "function"


class Finish(msgspec.Struct, frozen=True, gc=False):
    """Choice `choice` ended."""

    choice: int
    reason: FinishReason


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens of the whole call; `input` includes `cached`, `output` includes `reasoning`."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0

    def plus(self, batch: Iterable[object]) -> "Usage":
        """This and the usages in `batch` together; what else is in it does not count."""
        total = self
        for other in batch:
            if isinstance(other, Usage):
                total = Usage(
                    total.input + other.input,
                    total.output + other.output,
                    total.cached + other.cached,
                    total.reasoning + other.reasoning,
                )
        return total


Delta = Text | Reasoning | Refusal | ToolCall | Finish | Usage


CHARACTERS_PER_TOKEN = 64
"""No vocabulary has tokens that are longer on average: a text longer than that is over a context
without asking a tokenizer."""


class TextCall(msgspec.Struct, frozen=True):
    """A call of a text model.

    `body` is a validated request in OpenAI's chat form (`kind` chat) or legacy form (`kind`
    completion), already without the fields that belong to the platform (metadata, store, user,
    ...). `body["stream"]` says whether deltas are wanted as they come; without it an engine may
    yield everything in one batch. `project` is what the queue is fair between.
    """

    kind: Literal["chat", "completion"]
    body: Json
    project: str = ""
    priority: Literal["interactive", "batch"] = "interactive"
    deadline: float | None = None


class TextEngine(Protocol):
    """Runs one text model.

    `abilities` says what it can, by name: see `inhouse.engines.abilities`. A call that needs more
    is refused by the layers above, or here with `errors.BadRequest` before the first delta. Closing
    the iterator stops the generation.
    """

    @property
    def abilities(self) -> frozenset[str]: ...

    def generate(self, call: TextCall) -> AsyncGenerator[Sequence[Delta], None]: ...
