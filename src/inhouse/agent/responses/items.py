"""The items that a request brings: made whole, as they are stored and listed.

Nothing here knows earlier items: references are found by the caller, and `pairs.py` checks calls
against their outputs once the whole context is there.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from inhouse.agent.responses.contents import message_content, output_content
from inhouse.agent.responses.kinds import KINDS, Kind
from inhouse.engines.text import Json
from inhouse.errors import BadRequest, NotFound
from inhouse.ids import IdMaker
from inhouse.stores.items import repeated

_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,128}")
TRIGGER = "compaction_trigger"
_REFERENCE = "item_reference"

Find = Callable[[str], Awaitable[Json | None]]
"""Finds the item with an id; None if there is none."""


def new_items(body: Json, ids: IdMaker, *, field: str = "input") -> list[Json]:
    """The request's `field` as whole items, each with `id`, `type` and, where its type has one,
    `status`. References to items stay as they are; a trigger for compaction is left out (see
    `triggers_compaction`). BadRequest naming what cannot be taken.
    """
    given: str | Sequence[Json] | None = body.get(field)
    if given is None:
        return []
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    items: list[Json] = []
    seen: set[str] = set()
    for index, item in enumerate(given):
        place = f"{field}[{index}]"
        kind = _type(item, place, last=index == len(given) - 1)
        if kind == TRIGGER:
            continue
        whole = _reference(item) if kind == _REFERENCE else _whole(item, kind, place)
        if "id" not in whole:
            whole = {"id": ids(KINDS[kind].prefix), **whole}
        if whole["id"] in seen:
            raise repeated(whole["id"], field)
        seen.add(whole["id"])
        items.append(whole)
    return items


def triggers_compaction(body: Json) -> bool:
    """Whether the input ends by asking for the context to be compacted."""
    given = body.get("input")
    return bool(given and isinstance(given, list) and given[-1].get("type") == TRIGGER)


def references(items: Sequence[Json]) -> list[str]:
    """The ids of the items that `items` refer to."""
    return [item["id"] for item in items if item["type"] == _REFERENCE]


async def dereferenced(items: Sequence[Json], find: Find, *, field: str = "input") -> list[Json]:
    """The items with those that `find` finds in the place of references. NotFound for others."""
    found = {name: item for name in references(items) if (item := await find(name)) is not None}
    return resolved(items, found, field=field)


def resolved(
    items: Sequence[Json], found: Mapping[str, Json], *, field: str = "input"
) -> list[Json]:
    """The items with those that were found in the place of references. NotFound for others."""
    out: list[Json] = []
    for item in items:
        if item["type"] != _REFERENCE:
            out.append(item)
        elif item["id"] in found:
            out.append(found[item["id"]])
        else:
            raise NotFound(f"Item with id '{item['id']}' not found.", param=field)
    return out


def _type(item: Json, place: str, *, last: bool) -> str:
    """The item's type, which may be left out of messages and references."""
    kind: str | None = item.get("type")
    if kind is None:
        kind = "message" if "role" in item else _REFERENCE
    if kind == TRIGGER and not last:
        raise BadRequest(
            "Invalid input: a compaction_trigger must be the final input item.",
            param=place,
        )
    if kind not in KINDS and kind not in {_REFERENCE, TRIGGER}:
        raise BadRequest(
            f"Input items of type '{kind}' are not supported by this server yet.",
            param=f"{place}.type",
            code="unsupported_value",
        )
    return kind


def _reference(item: Json) -> Json:
    return {"type": _REFERENCE, "id": item["id"]}


def _whole(item: Json, name: str, place: str) -> Json:
    kind = KINDS[name]
    whole: Json = {}
    if well_formed(item.get("id"), kind):
        whole["id"] = item["id"]
    whole["type"] = name
    if kind.status:
        whole["status"] = item.get("status") or "completed"
    for field in kind.fields:
        value = item.get(field)
        if value is not None or field in kind.nullable:
            whole[field] = value
    whole.update(_contents(item, name, place))
    return whole


def _contents(item: Json, name: str, place: str) -> Json:
    """The fields that hold parts."""
    match name:
        case "message":
            return {"content": message_content(item["role"], item["content"], f"{place}.content")}
        case "function_call_output" | "custom_tool_call_output":
            return {"output": output_content(item["output"], f"{place}.output")}
        case "reasoning":
            parts = {key: item.get(key) for key in ("summary", "content")}
            return {
                key: [_text_part(part) for part in value] for key, value in parts.items() if value
            }
        case _:
            return {}


def well_formed(item_id: object, kind: Kind) -> bool:
    """Whether an id is one that an item of this kind may have."""
    return (
        isinstance(item_id, str)
        and item_id.startswith(kind.prefix)
        and _ID.fullmatch(item_id) is not None
    )


def _text_part(part: Json) -> Json:
    return {"type": part["type"], "text": part["text"]}
