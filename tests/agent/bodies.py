"""Random bodies that an operation's schema allows."""

from typing import Any

from hypothesis import strategies as st

from inhouse.contract import OperationSpec

Json = dict[str, Any]
_NAMES = st.sampled_from(["add", "look", "f_1"])
_WORDS = st.sampled_from(["", "json", "call_1", "5", "é\0"]) | st.text(max_size=5)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=6,
)
_SCHEMA_WORDS = st.sampled_from(
    ["type", "properties", "required", "items", "anyOf", "$ref", "$defs", "enum", "object"]
)
_FREE = st.dictionaries(_SCHEMA_WORDS | _WORDS, _ANYTHING | st.just("object"), max_size=4)


def bodies(spec: OperationSpec) -> st.SearchStrategy[Json]:
    """Bodies of `spec`; most have few of the optional fields."""
    return _Maker(spec).of(spec.body_schema)


def values(spec: OperationSpec, schema: Json) -> st.SearchStrategy[Any]:
    """Values of a part of `spec`'s body."""
    return _Maker(spec).of(schema)


class _Maker:
    def __init__(self, spec: OperationSpec) -> None:
        self._definitions = spec.definitions

    def of(self, schema: Json) -> st.SearchStrategy[Any]:
        if "$ref" in schema:
            return st.deferred(lambda: self.of(self._definitions[schema["$ref"][8:]]))
        if "anyOf" in schema:
            return st.one_of([self.of(branch) for branch in schema["anyOf"]])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        return st.one_of([self._kind(kind, schema) for kind in kinds]) if kinds else _ANYTHING

    def _kind(self, kind: str, schema: Json) -> st.SearchStrategy[Any]:
        low, high = schema.get("minimum"), schema.get("maximum")
        match kind:
            case "null" | "boolean":
                return st.none() if kind == "null" else st.booleans()
            case "integer":
                low = low if low is not None else -5
                return st.integers(low, max(low, min(high or 9, 9)))
            case "number":
                return st.floats(low or 0.1, high or 2)
            case "string":
                return _NAMES if "pattern" in schema else _WORDS
            case "array":
                return st.lists(
                    self.of(schema["items"]), min_size=schema.get("minItems", 0), max_size=4
                )
            case _:
                return self._object(schema)

    def _object(self, schema: Json) -> st.SearchStrategy[Any]:
        properties: Json = schema.get("properties") or {}
        if not properties:
            more = schema.get("additionalProperties")
            if isinstance(more, dict):
                return st.dictionaries(_WORDS, self.of(more), max_size=2)
            return _FREE
        required = schema.get("required", [])
        optional = [name for name in properties if name not in required]
        chosen = (
            st.lists(st.sampled_from(optional), max_size=4, unique=True)
            if optional
            else st.just([])
        )
        return chosen.flatmap(
            lambda names: st.fixed_dictionaries(
                {name: self.of(properties[name]) for name in [*required, *names]}
            )
        )
