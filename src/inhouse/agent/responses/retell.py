"""The events of a response that has ended, made again from its items."""

from collections.abc import Iterable, Iterator, Sequence

from inhouse.agent.responses.telling import Manner, Telling
from inhouse.agent.turn import Done, Event, Limit
from inhouse.clock import Clock
from inhouse.engines.text import Json, Reasoning, Refusal, Text, ToolCall

_CALLS = {"function_call": ("arguments", "function"), "custom_tool_call": ("input", "custom")}
_ENDINGS = {"completed", "incomplete", "failed"}
_AT_THE_END = ("completed_at", "error", "incomplete_details", "usage")
"""What a response has only when it has ended."""


def retold(response: Json, clock: Clock) -> Sequence[Json]:
    """All events of `response`, each text in one delta; numbered from 0 on.

    A cancelled response has no last event.
    """
    output: Sequence[Json] = response["output"]
    ids = iter([item["id"] for item in output])
    blank = {**response, **dict.fromkeys(_AT_THE_END), "output": []}
    blank["status"] = "queued" if response.get("background") else "in_progress"
    telling = Telling(blank, lambda _: next(ids), clock, Manner())
    if response.get("background"):
        events = [*telling.begin("created", "queued")]
        telling.response["status"] = "in_progress"
        events += telling.begin("in_progress")
    else:
        events = [*telling.begin("created", "in_progress")]
    for item in output:
        events += _item(telling, item, ids)
    if response["status"] in _ENDINGS:
        last = {"type": f"response.{response['status']}", "sequence_number": telling.number}
        events.append({**last, "response": response})
    return events


def _item(telling: Telling, item: Json, ids: Iterator[str]) -> Iterable[Json]:
    deltas = list(_deltas(item))
    telling.manner = _manner(item)
    if not deltas:
        next(ids)
        index, told = telling.open({**item, "status": "in_progress"})
        return [*told, *telling.close(index, item)]
    end = Limit(0) if item.get("status") == "incomplete" else Done(0)
    events = [*telling.tell([*deltas, end])]
    events[-1] = {**events[-1], "item": item}  # with what no delta carries
    return events


def _manner(item: Json) -> Manner:
    """How the item was told at first."""
    if item["type"] == "reasoning":
        return Manner(summary=bool(item["summary"]))
    if "namespace" in item:
        return Manner(names={item["name"]: {"namespace": item["namespace"]}})
    return Manner()


def _deltas(item: Json) -> Iterator[Event]:
    match item["type"]:
        case "message":
            for part in item["content"]:
                if part["type"] == "refusal":
                    yield Refusal(0, part["refusal"])
                else:
                    yield Text(0, part["text"], part.get("logprobs"))
        case "reasoning":
            for part in item["summary"] or item.get("content") or ():
                yield Reasoning(0, part["text"])
        case "function_call" | "custom_tool_call" as kind:
            field, tool = _CALLS[kind]
            yield ToolCall(0, 0, item[field], item["call_id"], item["name"], tool)  # pyright: ignore[reportArgumentType]
        case _:
            return
