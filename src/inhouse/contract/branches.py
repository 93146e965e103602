"""Which branch of a union of objects a value means."""

from typing import Any

from inhouse.contract.kinds import Schema, among, shown

DISCRIMINATORS = ("type", "role", "object", "anchor", "mode", "kind", "action")


def constants(schema: Schema, key: str) -> list[Any] | None:
    """The values that a branch allows for a key, if it lists them."""
    return schema.get("properties", {}).get(key, {}).get("enum")


def has(schema: Schema, key: str, value: Any) -> bool:
    """Whether a branch allows a value for a key by listing it."""
    return among(value, constants(schema, key) or ())


def discriminators(branches: list[Schema]) -> list[str]:
    """The keys that tell branches apart: the usual ones, then those that are a constant in two."""
    listed: dict[str, int] = {}
    for branch in branches:
        for key, part in branch.get("properties", {}).items():
            if "enum" in part and (key in DISCRIMINATORS or len(shown(part["enum"])) == 1):
                listed[key] = listed.get(key, 0) + 1
    keys = [key for key, count in listed.items() if count > 1]
    return sorted(keys, key=lambda key: (key not in DISCRIMINATORS, _order(key)))


def _order(key: str) -> int:
    return DISCRIMINATORS.index(key) if key in DISCRIMINATORS else len(DISCRIMINATORS)


def anchored(schema: Schema, value: dict[str, Any]) -> bool:
    """Whether a value without the discriminator can mean this branch.

    It has one of the branch's other required constants, or, where there are none, of its required
    fields.
    """
    required = schema.get("required", ())
    anchors = [key for key in required if constants(schema, key)] or required
    return not anchors or any(key in value for key in anchors)


def distance(schema: Schema, value: dict[str, Any]) -> int:
    """How many fields a value lacks and has too many to be this branch."""
    properties = schema.get("properties", {})
    missing = sum(key not in value for key in schema.get("required", ()))
    return missing + sum(key not in properties for key in value)
