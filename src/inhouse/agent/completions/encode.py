"""Legacy completions as batches of chunks, or as one object."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from inhouse.agent.completions.choices import Choices, Fold, best
from inhouse.agent.completions.request import Plan
from inhouse.agent.turn import Events
from inhouse.engines.text import Json


async def chunks(
    events: Events, plan: Plan, head: Json, *, include_usage: bool
) -> AsyncGenerator[Sequence[Json], None]:
    """Batches of `text_completion` chunks. Closing it ends the turns."""
    choices = Choices(plan)
    tail: Json = {"usage": None} if include_usage else {}
    async with aclosing(events):
        async for batch in events:
            told = [{**head, "choices": [each], **tail} for each in choices.tell(batch)]
            if include_usage and choices.usage is not None:
                told.append({**head, "choices": [], "usage": choices.usage})
            yield told


async def completion(events: Events, plan: Plan, head: Json) -> Json:
    """The turns to their end, as one `text_completion`."""
    choices, fold = Choices(plan), Fold()
    async with aclosing(events):
        async for batch in events:
            fold.add(choices.tell(batch))
    return {**head, "choices": best(fold.choices(), plan), "usage": choices.usage}
