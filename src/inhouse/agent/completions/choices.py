"""Turn events told as `choices[]` of legacy completions, and their fold."""

from collections.abc import Iterable, Sequence

from inhouse.agent.completions.request import Plan
from inhouse.agent.turn import Done, End, Event, Limit, Predicted
from inhouse.agent.usage import usage_object
from inhouse.engines.text import Json, Reasoning, Refusal, Text, ToolCall, Usage

_LISTS = ("tokens", "token_logprobs", "top_logprobs", "text_offset")


class Choices:
    """The state of one completion's telling. `usage` is the `usage` object once it is known."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._opened: set[int] = set()
        self._offsets: dict[int, int] = {}
        self.usage: Json | None = None

    def tell(self, batch: Sequence[Event]) -> list[Json]:
        """The batch's `choices[]` elements, in order."""
        told: list[Json] = []
        for event in batch:
            match event:
                case Text() | Reasoning() | Refusal():
                    told += self._open(event.choice)
                    logprobs = event.logprobs if isinstance(event, Text) else None
                    told.append(self._text(event.choice, event.text, logprobs))
                case Usage():
                    self.usage = usage_object(event)
                case ToolCall() | Predicted():
                    pass
                case _:
                    told += self._open(event.choice)
                    told.append(_choice(event.choice, "", reason=_reason(event)))
        return told

    def _open(self, choice: int) -> Sequence[Json]:
        """The echo of the prompt, once."""
        if not self._plan.echo or choice in self._opened:
            return ()
        self._opened.add(choice)
        return [_choice(choice, self._prompt(choice))]

    def _prompt(self, choice: int) -> str:
        return self._plan.texts[choice // self._plan.generated] or ""

    def _text(self, choice: int, text: str, logprobs: Sequence[Json] | None) -> Json:
        if not logprobs or (self._plan.top is None and self._plan.generated == self._plan.n):
            return _choice(choice, text)
        offset = self._offsets.get(choice)
        if offset is None:
            offset = 0 if self._plan.calls[0].get("echo") else len(self._prompt(choice))
        told = _logprobs(logprobs, self._plan.top or 0, offset)
        self._offsets[choice] = offset + sum(len(token) for token in told["tokens"])
        return _choice(choice, text, told)


def _choice(index: int, text: str, logprobs: Json | None = None, reason: str | None = None) -> Json:
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}


def _reason(event: End) -> str:
    match event:
        case Limit():
            return "length"
        case Done(filtered=True):
            return "content_filter"
        case _:
            return "stop"


def _logprobs(entries: Sequence[Json], top: int, offset: int) -> Json:
    """Chat's entries in the form of parallel lists. `offset` is where the first token stands."""
    offsets: list[int] = []
    for entry in entries:
        offsets.append(offset)
        offset += len(entry["token"])
    tops = [
        {each["token"]: each["logprob"] for each in entry.get("top_logprobs", ())[:top]}
        for entry in entries
    ]
    return {
        "tokens": [entry["token"] for entry in entries],
        "token_logprobs": [entry["logprob"] for entry in entries],
        "top_logprobs": tops if top else None,
        "text_offset": offsets,
    }


class Fold:
    """Adds up `choices[]` elements of chunks."""

    def __init__(self) -> None:
        self._texts: dict[int, list[str]] = {}
        self._logprobs: dict[int, Json] = {}
        self._reasons: dict[int, str | None] = {}

    def add(self, told: Iterable[Json]) -> None:
        """Take the elements that one batch was told as."""
        for each in told:
            index = each["index"]
            self._texts.setdefault(index, []).append(each["text"])
            if each["finish_reason"] is not None:
                self._reasons[index] = each["finish_reason"]
            if each["logprobs"] is not None:
                self._add_logprobs(index, each["logprobs"])

    def _add_logprobs(self, index: int, logprobs: Json) -> None:
        kept = self._logprobs.setdefault(index, dict.fromkeys(_LISTS))
        for name in _LISTS:
            if logprobs[name] is not None:
                kept[name] = [*(kept[name] or ()), *logprobs[name]]

    def choices(self) -> list[Json]:
        """The completion's `choices`, by index."""
        return [
            _choice(index, "".join(texts), self._logprobs.get(index), self._reasons.get(index))
            for index, texts in sorted(self._texts.items())
        ]


def best(choices: Sequence[Json], plan: Plan) -> list[Json]:
    """Of each prompt's choices the `n` whose tokens are the likeliest on average, best first."""
    if plan.generated == plan.n:
        return list(choices)
    kept: list[Json] = []
    for at in range(len(plan.calls)):
        group = choices[at * plan.generated : (at + 1) * plan.generated]
        kept += sorted(group, key=_likelihood, reverse=True)[: plan.n]
    return [
        {**choice, "index": index, "logprobs": choice["logprobs"] if plan.top is not None else None}
        for index, choice in enumerate(kept)
    ]


def _likelihood(choice: Json) -> float:
    values: Sequence[float | None] = (choice["logprobs"] or {}).get("token_logprobs") or ()
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else 0.0
