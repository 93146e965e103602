"""Calls and their outputs: which belong together, and the rule that none stands alone."""

from collections.abc import Iterator, Mapping, Sequence

from inhouse.engines.text import Json
from inhouse.errors import BadRequest

OUTPUTS: Mapping[str, str] = {
    "function_call_output": "function_call",
    "custom_tool_call_output": "custom_tool_call",
    "local_shell_call_output": "local_shell_call",
    "shell_call_output": "shell_call",
    "apply_patch_call_output": "apply_patch_call",
    "computer_call_output": "computer_call",
    "tool_search_output": "tool_search_call",
}
"""Types of outputs, and the type of the call that each answers."""

_CALLS = frozenset(OUTPUTS.values())


def call_id(item: Json) -> str | None:
    """What pairs a call with its output. The output of a local shell has it as its id; a search
    for tools that the server ran has none.
    """
    if item["type"] == "local_shell_call_output":
        return item["id"]
    return item.get("call_id")


def broken_off(item: Json) -> bool:
    """Whether this is a call that the model did not finish: nobody has to answer it."""
    return item["type"] in _CALLS and item.get("status") == "incomplete"


def answered_by_client(item: Json) -> bool:
    """Whether this is a call that the client answers with an item of its own."""
    return item["type"] in _CALLS and call_id(item) is not None


def outputs(items: Sequence[Json]) -> Mapping[str, list[Json]]:
    """The outputs in `items` by the call that they answer."""
    found: dict[str, list[Json]] = {}
    for item in items:
        pair = call_id(item)
        if item["type"] in OUTPUTS and pair is not None:
            found.setdefault(pair, []).append(item)
    return found


def check(items: Sequence[Json]) -> None:
    """Every output has its call before it, and every call its output. BadRequest naming the call.

    `items` are the whole context that a model is about to read.
    """
    for pair, kind in unanswered(items).items():
        raise BadRequest(f"No tool output found for {_words(kind)} {pair}.", param="input")


def unanswered(items: Sequence[Json]) -> Mapping[str, str]:
    """The types of the calls that have no output, by their ids. BadRequest naming an output that
    has no call before it.
    """
    waiting: dict[str, str] = {}
    called: dict[str, str] = {}
    for item, pair in _paired(items):
        if item["type"] in _CALLS:
            called[pair] = item["type"]
            if not broken_off(item):
                waiting[pair] = item["type"]
        elif called.get(pair) != OUTPUTS[item["type"]]:
            raise BadRequest(
                f"No tool call found for {_words(item['type'])} with call_id {pair}.",
                param="input",
            )
        else:
            waiting.pop(pair, None)
    return waiting


def _paired(items: Sequence[Json]) -> Iterator[tuple[Json, str]]:
    for item in items:
        if item["type"] in _CALLS or item["type"] in OUTPUTS:
            pair = call_id(item)
            if pair is not None:
                yield item, pair


def _words(kind: str) -> str:
    return kind.replace("_", " ")
