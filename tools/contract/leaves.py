"""The published document's schemas laid flat: references followed, `allOf` joined, unions as lists
of leaves.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tools.contract.types import Schema

KEYWORDS = (
    "type",
    "enum",
    "const",
    "default",
    "format",
    "nullable",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "pattern",
    "maxProperties",
)
Place = tuple[Schema, str]
"""A schema of the document and its label: its component's name and the path of properties, as
`CreateEmbeddingRequest.input[]`."""


@dataclass(slots=True)
class Leaf:
    """One alternative of a schema: no reference, no `allOf`, no union at its top."""

    label: str
    keywords: Schema = field(default_factory=dict)
    properties: dict[str, Place] = field(default_factory=dict)
    items: Place | None = None
    values: Place | None = None
    required: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """string, enum, integer, number, boolean, object, array, or `` where the document does not
        say.
        """
        kinds = self.keywords.get("type")
        kind = next((k for k in kinds if k != "null"), "null") if isinstance(kinds, list) else kinds
        if self.constants:
            return "enum"
        if kind is None:
            return "object" if self.properties else "array" if self.items else ""
        return str(kind)

    @property
    def constants(self) -> list[Any]:
        """The values of an enum or a const."""
        if "const" in self.keywords:
            return [self.keywords["const"]]
        return list(self.keywords.get("enum", ()))


class Leaves:
    """Reads leaves out of one document."""

    def __init__(self, published: dict[str, Any]) -> None:
        self.components: dict[str, Schema] = published["components"]["schemas"]

    def of(self, schema: Schema, label: str) -> list[Leaf]:
        """The alternatives that a schema allows."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[-1]
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            return [
                _joined(leaf, _own(beside, leaf.label))
                for leaf in self.of(self.components[name], name)
            ]
        leaves = [_own(schema, label)]
        for part in schema.get("allOf", ()):
            leaves = [_joined(leaf, more) for leaf in leaves for more in self.of(part, label)]
        branches = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
        if branches:
            found = [leaf for branch in branches for leaf in self.of(branch, label)]
            leaves = [_joined(branch, leaf) for leaf in leaves for branch in found]
        return leaves

    def reachable(self, schema: Schema, label: str) -> Iterator[Leaf]:
        """Every leaf that can be reached from a schema."""
        seen: set[int] = set()
        todo: list[Place] = [(schema, label)]
        while todo:
            part, name = todo.pop()
            if id(part) in seen:
                continue
            seen.add(id(part))
            for leaf in self.of(part, name):
                yield leaf
                todo += leaf.properties.values()
                todo += [place for place in (leaf.items, leaf.values) if place]


def _own(schema: Schema, label: str) -> Leaf:
    leaf = Leaf(label, {key: schema[key] for key in KEYWORDS if key in schema})
    for name, part in schema.get("properties", {}).items():
        leaf.properties[name] = (part, f"{label}.{name}")
    if isinstance(schema.get("items"), dict):
        leaf.items = (schema["items"], f"{label}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        leaf.values = (schema["additionalProperties"], f"{label}.*")
    leaf.required = frozenset(schema.get("required", ()))
    return leaf


def _joined(leaf: Leaf, more: Leaf) -> Leaf:
    """Both at once; the first keeps its label and has the last word."""
    return Leaf(
        leaf.label if leaf.keywords or leaf.properties else more.label,
        more.keywords | leaf.keywords,
        more.properties | leaf.properties,
        leaf.items or more.items,
        leaf.values or more.values,
        leaf.required | more.required,
    )
