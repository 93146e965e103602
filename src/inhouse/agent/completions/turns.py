"""The turns of a legacy completion: one for each prompt."""

from contextlib import aclosing

from inhouse.agent.completions.request import Plan
from inhouse.agent.completions.sizes import check_prompts
from inhouse.agent.merge import merged
from inhouse.agent.prediction import Tokenize
from inhouse.agent.turn import Event, Events, Limit, count, take
from inhouse.clock import Clock
from inhouse.engines.text import Json, TextCall, TextEngine, Usage
from inhouse.scope import Scope


def run(
    plan: Plan,
    engine: TextEngine,
    scope: Scope,
    clock: Clock,
    tokenize: Tokenize,
    context: int | None = None,
) -> Events:
    """The events of all prompts; prompt k's choices start at k times `plan.generated`.

    Raises BadRequest before the first batch if one of several is over the model's `context` of
    tokens.
    """

    def turn(body: Json) -> Events:
        if _says_nothing(body):
            return _nothing(body, plan.generated, scope, tokenize)
        call = TextCall("completion", body, scope.project or "", scope.priority, scope.deadline)
        return take(engine, call, scope.usage, clock)

    events = [turn(body) for body in plan.calls]
    whole = events[0] if len(events) == 1 else merged(events, plan.generated)
    if not context or (len(events) == 1 and not _says_nothing(plan.calls[0])):
        return whole  # a single call is checked by its engine
    return _fitting(whole, plan, tokenize, context)


def _says_nothing(body: Json) -> bool:
    return body["max_tokens"] == 0 and not body.get("echo")


async def _fitting(whole: Events, plan: Plan, tokenize: Tokenize, context: int) -> Events:
    """The same, if every prompt fits."""
    async with aclosing(whole):
        await check_prompts([body["prompt"] for body in plan.calls], tokenize, context)
        async for batch in whole:
            yield batch


async def _nothing(body: Json, choices: int, scope: Scope, tokenize: Tokenize) -> Events:
    """A turn that may say nothing: engines need room for one token, so none is asked."""
    prompt: str | list[int] = body["prompt"]
    ids = await tokenize(prompt) if isinstance(prompt, str) else prompt
    usage = Usage(input=len(ids), output=0)
    count(scope.usage, usage)
    ends: list[Event] = [Limit(choice) for choice in range(choices)]
    yield [*ends, usage]
