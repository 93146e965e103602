"""Puts the answers to a call's requests together: choices numbered through, calls read out of text,
usage summed."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from inhouse.engines.embedded.calls import CallReader
from inhouse.engines.embedded.constraints import Form
from inhouse.engines.embedded.grammars import Guard, Held
from inhouse.engines.interleave import interleaved
from inhouse.engines.text import Delta, Finish, Reasoning, Refusal, Text, ToolCall, Usage

Batches = AsyncGenerator[Sequence[Delta], None]


async def numbered(batches: Batches, first: int) -> Batches:
    """The same, with choices counted from `first`."""
    async with aclosing(batches):
        async for batch in batches:
            yield [_shift(delta, first) for delta in batch]


def _shift(delta: Delta, by: int) -> Delta:
    match delta:
        case Text(choice, text, logprobs):
            return Text(choice + by, text, logprobs)
        case Reasoning(choice, text):
            return Reasoning(choice + by, text)
        case Refusal(choice, text, logprobs):
            return Refusal(choice + by, text, logprobs)
        case ToolCall(choice, index, arguments, call_id, name, kind):
            return ToolCall(choice + by, index, arguments, call_id, name, kind)
        case Finish(choice, reason):
            return Finish(choice + by, reason)
        case Usage():
            return delta


async def guarded(batches: Batches, held: Held) -> Batches:
    """The same, as long as the grammar holds. Raises `BadRequest` when it does not."""
    guards: dict[int, Guard] = {}
    thinking: set[int] = set()  # choices whose text the grammar saw with thoughts in it
    async with aclosing(batches):
        async for batch in batches:
            for delta in batch:
                if isinstance(delta, Reasoning):
                    thinking.add(delta.choice)
                elif isinstance(delta, Text) and delta.choice not in thinking:
                    guard = guards.get(delta.choice)
                    if guard is None:
                        guard = guards[delta.choice] = await held.guard()
                    guard.follow(delta.text)
            yield batch


async def with_calls(batches: Batches, form: Form) -> Batches:
    """Texts read for the calls in them, which are written in `form`."""
    readers: dict[int, CallReader] = {}
    async with aclosing(batches):
        async for batch in batches:
            out: list[Delta] = []
            for delta in batch:
                match delta:
                    case Text(choice, text, logprobs):
                        reader = readers.get(choice)
                        if reader is None:
                            reader = readers[choice] = CallReader(choice, form)
                        reader.feed(text, logprobs, out)
                    case Finish(choice, reason) if choice in readers:
                        out.append(Finish(choice, readers[choice].end(reason, out)))
                    case _:
                        out.append(delta)
            if out:
                yield out


async def merged(answers: Sequence[Batches]) -> Batches:
    """Several answers as one: batches as they come, one usage at the end. A failure of one ends
    all.
    """
    total = Usage(0, 0)
    async with aclosing(interleaved(answers, len(answers))) as batches:
        async for _, batch in batches:
            total = total.plus(batch)
            if kept := [delta for delta in batch if not isinstance(delta, Usage)]:
                yield kept
    yield [total]
