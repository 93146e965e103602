"""The servers that are known by name: what each of them calls otherwise, and what it lacks.

Needed where asking does not tell: most servers pass over in silence what they do not know.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from inhouse.engines import abilities
from inhouse.engines.text import Json

GUIDES = ("guided_json", "guided_regex", "guided_choice", "guided_grammar")
_OLDEST_STRUCTURED = (0, 12)
"""The version of vLLM that took the `guided_` fields away."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of server. `owners`: whom its listing names as the owner of its models. `fields`: its
    field map, over the defaults. `told`: paths at its root, and the key of the version there."""

    name: str
    owners: frozenset[str]
    fields: Mapping[str, Any]
    lacks: frozenset[str] = frozenset()
    told: tuple[tuple[str, str], ...] = field(default=())


VLLM = Kind(
    "vLLM",
    frozenset({"vllm"}),
    {
        "typical_p": False,
        **{name: name.replace("guided_", "structured_outputs.") for name in GUIDES},
    },
    told=(("/version", "version"),),
)
_SGLANG = Kind(
    "SGLang",
    frozenset({"sglang"}),
    {
        "typical_p": False,
        "guided_regex": "regex",
        **dict.fromkeys(("guided_json", "guided_choice", "guided_grammar"), False),
    },
    told=(("/server_info", "version"), ("/get_server_info", "version")),
)
_LLAMA = Kind(
    "llama-server",
    frozenset({"llamacpp"}),
    {
        "repetition_penalty": "repeat_penalty",
        "min_tokens": False,
        "guided_json": "json_schema",
        **dict.fromkeys(("guided_regex", "guided_choice", "guided_grammar"), False),
    },
    told=(("/props", "build_info"),),
)
_OLLAMA = Kind(
    "Ollama",
    frozenset({"library"}),
    {"logit_bias": False, "n": False, "parallel_tool_calls": ""},
    lacks=frozenset({abilities.EXTENSIONS, abilities.TOKEN_PROMPTS}),
    told=(("/api/version", "version"),),
)
_CLOUD = Kind(
    "OpenAI",
    frozenset({"openai", "openai-internal", "system"}),
    {
        **dict.fromkeys(("max_completion_tokens", "verbosity", "service_tier"), True),
        **dict.fromkeys(("prompt_cache_key", "safety_identifier", "prediction"), True),
        "roles": {},
    },
    lacks=frozenset({abilities.EXTENSIONS}),
)
KINDS = (VLLM, _SGLANG, _LLAMA, _OLLAMA, _CLOUD)


def kind_of(listed: Iterable[Json]) -> Kind | None:
    """The kind of server that lists these models, if it is a known one."""
    owners = {str(model.get("owned_by")) for model in listed}
    return next((kind for kind in KINDS if kind.owners & owners), None)


def fields_of(kind: Kind, version: str) -> Mapping[str, Any]:
    """The field map of a kind at a version (empty: unknown, taken to be a new one)."""
    if kind is VLLM and version and _numbers(version) < _OLDEST_STRUCTURED:
        return {**kind.fields, **dict.fromkeys(GUIDES, True)}
    return kind.fields


def _numbers(version: str) -> tuple[int, ...]:
    first = version.removeprefix("v").split(".")[:2]
    return tuple(int(each) if each.isdigit() else 0 for each in first)
