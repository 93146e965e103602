"""A deterministic text engine. Ships for tests: it follows a script and knows no model.

engine = Scripted(answer("Hello", " there"))
engine = Scripted([[Text(0, "Hel")], 0.5, ServerError("lost")])
engine = Scripted(lambda call: answer(call.body["messages"][-1]["content"]))
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence

from inhouse.engines import abilities
from inhouse.engines.text import Delta, Finish, FinishReason, Text, TextCall, Usage
from inhouse.errors import APIError

Step = Sequence[Delta] | float | APIError
"""A batch to yield, seconds to wait, or an error to raise."""
Script = Iterable[Step] | Callable[[TextCall], Iterable[Step]]

EVERYTHING = frozenset(
    {
        abilities.TEXT,
        abilities.VISION,
        abilities.LOGPROBS,
        abilities.SUFFIX,
        abilities.JSON_SCHEMA,
        abilities.GRAMMAR,
        abilities.TOOLS,
        abilities.TOKEN_PROMPTS,
        abilities.EXTENSIONS,
    }
)


class Scripted:
    """Follows `script` for every call, or the script that it returns for the call.

    `calls` are those that came, in order; `stopped` counts the iterators that were closed before
    their script's end. `sleep` takes the seconds of a pause: a test with a `FrozenClock` passes one
    that moves the clock.
    """

    def __init__(
        self,
        script: Script,
        *,
        able: frozenset[str] = EVERYTHING,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.script = script
        self._able = able
        self._sleep = sleep
        self.calls: list[TextCall] = []
        self.stopped = 0

    @property
    def abilities(self) -> frozenset[str]:
        return self._able

    async def generate(self, call: TextCall) -> AsyncGenerator[Sequence[Delta], None]:
        """See `TextEngine`."""
        self.calls.append(call)
        script = self.script
        steps = script(call) if callable(script) else script
        whole = False
        try:
            for step in steps:
                if isinstance(step, APIError):
                    whole = True
                    raise step
                if isinstance(step, int | float):
                    await self._sleep(step)
                else:
                    yield step
            whole = True
        finally:
            self.stopped += not whole


def answer(
    *pieces: str,
    choices: int = 1,
    finish: FinishReason = "stop",
    usage: Usage | None = None,
) -> list[Step]:
    """A script that says `pieces`, one batch each, in every choice, and ends as a call should.

    Usage counts a token per piece unless it is given.
    """
    numbers = range(choices)
    batches: list[Step] = [[Text(choice, piece) for choice in numbers] for piece in pieces]
    counted = usage or Usage(input=1, output=len(pieces) * choices)
    return [*batches, [*(Finish(choice, finish) for choice in numbers), counted]]
