"""What the published document adds: operations the SDK lacks, and ranges, lengths, patterns and
defaults.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tools.contract.leaves import Leaf, Leaves, Place
from tools.contract.types import INT64, Schema

VERBS = ("get", "post", "put", "patch", "delete")
LOWER = ("minimum", "exclusiveMinimum", "minItems", "minLength")
UPPER = ("maximum", "maxItems", "maxLength", "maxProperties")
COPIED = {
    "string": ("minLength", "maxLength", "pattern"),
    "number": ("minimum", "maximum", "exclusiveMinimum"),
    "integer": ("minimum", "maximum", "exclusiveMinimum"),
    "array": ("minItems", "maxItems"),
    "object": ("maxProperties",),
}


def shape(key: str) -> str:
    """An operation's key without the names of its path's parameters."""
    return re.sub(r"\{[^}]*\}", "{}", key)


def operations(published: dict[str, Any]) -> Iterator[tuple[str, bool, dict[str, Any]]]:
    """(key, whether it is the `?beta=true` form, the operation)."""
    for path, item in published["paths"].items():
        plain, _, question = path.partition("?")
        for verb in VERBS:
            if verb in item:
                yield f"{verb.upper()} {plain}", "beta=true" in question, item[verb]


def bodies(operation: dict[str, Any]) -> list[Schema]:
    """The schemas of an operation's body, in each of its media types."""
    content = operation.get("requestBody", {}).get("content", {})
    return [media["schema"] for media in content.values() if "schema" in media]


def lacking(published: dict[str, Any], known: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The operations that only the document has. One with a body must be written by hand: there is
    none today.
    """
    shapes = {shape(key) for key in known}
    for key, beta, operation in operations(published):
        if beta or shape(key) in shapes:
            continue
        if "requestBody" in operation:
            raise NotImplementedError(f"{key} has a body and no method in the SDK")
        words = re.sub(r"([A-Z])", r"_\1", operation["operationId"]).lower()
        yield key, {"name": words}


class Constraints:
    """Merges the document's constraints into the SDK's schemas.

    Both trees are walked together, by property names; branches of unions pair by their constants,
    else by the names they share. What several places of the document say of one definition is
    applied only where they agree; of different bounds the wider one holds. `mapped` holds the
    labels of all the document's places that met a place of the SDK.
    """

    def __init__(self, published: dict[str, Any], definitions: dict[str, Schema]) -> None:
        self.published = published
        self.leaves = Leaves(published)
        self.definitions = definitions
        self.mapped: set[str] = set()
        self.conflicts: list[str] = []
        self._seen: set[tuple[int, int]] = set()
        self._nodes: dict[int, Schema] = {}
        self._said: dict[tuple[int, str], dict[str, Any]] = defaultdict(dict)

    def apply(self, records: dict[str, Any]) -> None:
        """Change the schemas of all operations in place."""
        shapes = {shape(key): record for key, record in records.items()}
        for key, beta, operation in operations(self.published):
            record = shapes[shape(key)]
            record = record.get("beta", {}) if beta else record
            for schema in bodies(operation):
                if "body" in record:
                    self._walk(record["body"], (schema, key))
            properties = record.get("query", {}).get("properties", {})
            for parameter in operation.get("parameters", ()):
                name = parameter["name"].removesuffix("[]")
                if parameter["in"] == "query" and name in properties:
                    self._walk(properties[name], (parameter["schema"], f"{key}?{name}"))
                    self._default(properties[name], [Leaf(key, parameter["schema"])])
        self._settle()

    def _walk(self, schema: Schema, place: Place) -> None:
        if (id(schema), id(place[0])) in self._seen:
            return
        self._seen.add((id(schema), id(place[0])))
        theirs = self.leaves.of(*place)
        ours = self._ours(schema)
        for mine in ours:
            for leaf in self._partners(mine, ours, theirs):
                self._pair(mine, leaf)

    def _ours(self, schema: Schema) -> list[Schema]:
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"][8:]]
        if "anyOf" in schema:
            return [leaf for branch in schema["anyOf"] for leaf in self._ours(branch)]
        return [schema]

    def _default(self, schema: Schema, theirs: list[Leaf]) -> None:
        for leaf in theirs:
            default = leaf.keywords.get("default")
            if default is not None and not isinstance(default, (dict, list)):
                self._say(schema, "default", default, leaf.label)

    def _partners(self, mine: Schema, ours: list[Schema], theirs: list[Leaf]) -> list[Leaf]:
        """The leaves of the document that describe one of ours."""
        kinds = _kinds(mine)
        if "object" in kinds:
            return self._objects(mine, ours, [leaf for leaf in theirs if leaf.kind == "object"])
        if "enum" in mine:
            return [leaf for leaf in theirs if leaf.kind == "enum"]
        if "array" in kinds:
            arrays = [leaf for leaf in theirs if leaf.kind == "array"]
            alike = [leaf for leaf in arrays if self._item_kinds(mine) & self._leaf_kinds(leaf)]
            return alike or arrays
        wanted = {"integer", "number"} if kinds & {"integer", "number"} else kinds
        return [leaf for leaf in theirs if leaf.kind in wanted]

    def _item_kinds(self, mine: Schema) -> set[str]:
        return {kind for item in self._ours(mine["items"]) for kind in _kinds(item)}

    def _leaf_kinds(self, leaf: Leaf) -> set[str]:
        if leaf.items is None:
            return set()
        kinds = {inner.kind for inner in self.leaves.of(*leaf.items)}
        return kinds | {"string"} if "enum" in kinds else kinds

    def _objects(self, mine: Schema, ours: list[Schema], theirs: list[Leaf]) -> list[Leaf]:
        rivals = [other for other in ours if "object" in _kinds(other)]
        if len(rivals) == 1 and len(theirs) == 1:
            return theirs
        scores = [(self._likeness(mine, leaf), leaf) for leaf in theirs]
        best = max((score for score, _ in scores), default=0)
        return [leaf for score, leaf in scores if score == best and score > 0]

    def _likeness(self, mine: Schema, leaf: Leaf) -> float:
        """0 if their constants exclude each other, else more for the same constants, then for
        shared names.
        """
        names = mine.get("properties", {})
        score = 0.0
        for name in names.keys() & leaf.properties.keys():
            constants = names[name].get("enum")
            theirs = [
                v for inner in self.leaves.of(*leaf.properties[name]) for v in inner.constants
            ]
            if constants and theirs:
                if not {str(v) for v in constants} & {str(v) for v in theirs}:
                    if name in ("type", "role", "object"):
                        return 0
                elif len(constants) == 1 or name == "role":
                    score += 2
        together = len(names.keys() | leaf.properties.keys())
        return score + (len(names.keys() & leaf.properties.keys()) / together if together else 0.5)

    def _pair(self, mine: Schema, leaf: Leaf) -> None:
        self.mapped.add(leaf.label)
        if "enum" in mine:
            self._widen(mine, leaf)
        keywords = [keyword for kind in _kinds(mine) for keyword in COPIED.get(kind, ())]
        for keyword in keywords:
            if keyword in leaf.keywords:
                self._copy(mine, leaf, keyword)
        self._descend(mine, leaf)

    def _descend(self, mine: Schema, leaf: Leaf) -> None:
        for name, place in leaf.properties.items():
            if name in mine.get("properties", {}):
                self._walk(mine["properties"][name], place)
                if name not in mine.get("required", ()):
                    self._default(mine["properties"][name], self.leaves.of(*place))
        if leaf.items and "items" in mine:
            self._walk(mine["items"], leaf.items)
        if leaf.values and isinstance(mine.get("additionalProperties"), dict):
            self._walk(mine["additionalProperties"], leaf.values)

    def _widen(self, mine: Schema, leaf: Leaf) -> None:
        """Values that only the document has are valid too."""
        values = [value for value in mine["enum"] if value is not None]
        if len(values) < 2:  # a constant, which tells branches apart
            return
        kind = type(values[0])
        more = [v for v in leaf.constants if type(v) is kind and v not in values]
        mine["enum"] = [*values, *more, *mine["enum"][len(values) :]]

    def _copy(self, mine: Schema, leaf: Leaf, keyword: str) -> None:
        value = leaf.keywords[keyword]
        if keyword == "exclusiveMinimum" and value is True:
            value = leaf.keywords["minimum"]
        elif keyword == "minimum" and leaf.keywords.get("exclusiveMinimum") is True:
            return
        if keyword in INT64 and "integer" in _kinds(mine):
            value = int(min(max(value, INT64["minimum"]), INT64["maximum"]))
        self._say(mine, keyword, value, leaf.label)

    def _say(self, node: Schema, keyword: str, value: Any, label: str) -> None:
        self._nodes[id(node)] = node
        self._said[id(node), keyword][label] = value

    def _settle(self) -> None:
        for (number, keyword), said in self._said.items():
            node = self._nodes[number]
            values = list({json.dumps(value): value for value in said.values()}.values())
            if len(values) > 1:
                self.conflicts.append(f"{keyword}: {said}")
            if keyword in LOWER:
                node[keyword] = min(values)
            elif keyword in UPPER:
                node[keyword] = max(values)
            elif len(values) == 1:
                node[keyword] = values[0]


def _kinds(schema: Schema) -> set[str]:
    kinds = schema.get("type", ())
    return set(kinds if isinstance(kinds, list) else [kinds]) - {"null"}
