"""Where a fault stands in a response's request, for faults that an engine found in chat's form."""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from inhouse.agent.responses.tools import offered
from inhouse.engines.text import Json
from inhouse.errors import BadRequest

_NAMES = {
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "logprobs": "top_logprobs",
    "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity",
}
_BEGINNINGS = {"messages": "input", "response_format": "text.format"}
_TOOL = re.compile(r"tools\[(\d+)\]\.(?:function|custom)\.(\w+)")


@contextmanager
def renaming(chat: Json, body: Json, items: Sequence[Json]) -> Generator[None]:
    """What an engine refuses inside is told by the names in `body`."""
    try:
        yield
    except BadRequest as error:
        rename(error, chat, body, items)
        raise


def rename(error: BadRequest, chat: Json, body: Json, items: Sequence[Json]) -> None:
    """Give the error the place's name in `body`; `chat` is what the engine was given for it."""
    place = _place(error.param or "", chat, body, items)
    if place != error.param and error.param:
        error.message = error.message.replace(f"'{error.param}'", f"'{place}'")
        error.param = place


def _place(param: str, chat: Json, body: Json, items: Sequence[Json]) -> str:
    if param in _NAMES:
        return _NAMES[param]
    for beginning, name in _BEGINNINGS.items():
        if re.match(rf"{beginning}\b", param):
            return name
    tool, shown = _TOOL.match(param), chat.get("tools") or ()
    if tool is None or int(tool[1]) >= len(shown):
        return param
    given = shown[int(tool[1])]
    name = given[given["type"]]["name"]
    places = [each.place for each in offered(body, items) if each.name == name]
    return f"{places[0]}.{tool[2]}" if places else param
