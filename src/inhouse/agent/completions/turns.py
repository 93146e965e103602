"""The turns of a legacy completion: one for each prompt."""

from inhouse.agent.completions.request import Plan
from inhouse.agent.merge import merged
from inhouse.agent.prediction import Tokenize
from inhouse.agent.turn import Event, Events, Limit, count, take
from inhouse.clock import Clock
from inhouse.engines.text import Json, TextCall, TextEngine, Usage
from inhouse.scope import Scope


def run(plan: Plan, engine: TextEngine, scope: Scope, clock: Clock, tokenize: Tokenize) -> Events:
    """The events of all prompts; prompt k's choices start at k times `plan.generated`."""

    def turn(body: Json) -> Events:
        if body["max_tokens"] == 0 and not body.get("echo"):
            return _nothing(body, plan.generated, scope, tokenize)
        call = TextCall("completion", body, scope.project or "", scope.priority, scope.deadline)
        return take(engine, call, scope.usage, clock)

    events = [turn(body) for body in plan.calls]
    return events[0] if len(events) == 1 else merged(events, plan.generated)


async def _nothing(body: Json, choices: int, scope: Scope, tokenize: Tokenize) -> Events:
    """A turn that may say nothing: engines need room for one token, so none is asked."""
    prompt: str | list[int] = body["prompt"]
    ids = await tokenize(prompt) if isinstance(prompt, str) else prompt
    usage = Usage(input=len(ids), output=0)
    count(scope.usage, usage)
    ends: list[Event] = [Limit(choice) for choice in range(choices)]
    yield [*ends, usage]
