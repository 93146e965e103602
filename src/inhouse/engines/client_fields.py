"""The field map of an upstream: what its requests must be called, and what it cannot do.

A map has, per field of a request, one of
- a string: the field's name there (`max_completion_tokens = "max_tokens"`), with a dot if it is a
  field of an object (`guided_json = "structured_outputs.json"`);
- `""`: a hint that it does not know; left out;
- `true`: sent as it is (takes back a default of ours);
- `false`: it cannot do that; a request that asks for it is a 400.
`roles` maps the roles of messages: `roles = { developer = "system" }`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inhouse.engines.text import Json
from inhouse.errors import BadRequest

DEFAULTS: Mapping[str, Any] = {
    "max_completion_tokens": "max_tokens",
    "verbosity": "",
    "service_tier": "",
    "prompt_cache_key": "",
    "prompt_cache_options": "",
    "prompt_cache_retention": "",
    "safety_identifier": "",
    "user": "",
    "store": "",
    "metadata": "",
    "prediction": "",
    "moderation": "",
    "roles": {"developer": "system"},
}
"""What suits vLLM, SGLang, llama-server and Ollama. Hints are left out because some servers refuse
names they do not know."""


_IDLE: Mapping[str, Any] = {
    **dict.fromkeys(("n", "best_of"), 1),
    **dict.fromkeys(("echo", "logprobs", "ignore_eos"), False),
    "logit_bias": {},
    "min_tokens": 0,
}
"""Values that ask for no more than leaving the field out does."""


class FieldMap:
    """A map laid over the defaults. Raises `ValueError` on values that mean nothing."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        merged = {**DEFAULTS, **fields}
        roles = merged.pop("roles") or {}
        if not isinstance(roles, Mapping) or not all(
            isinstance(each, str) for each in roles.values()
        ):
            raise ValueError("fields.roles must map names of roles to names of roles")
        self._roles: dict[str, str] = dict(roles)
        for name, value in merged.items():
            if not isinstance(value, str | bool):
                raise ValueError(f'fields.{name} must be a name, "", true or false')  # noqa: TRY004
        self._fields: dict[str, str | bool] = merged

    def apply(self, body: Json) -> Json:
        """The body as the upstream wants it; the given one stays as it is. Raises `BadRequest`."""
        mapped: Json = {}
        fields = self._fields
        for name, value in body.items():
            rule = fields.get(name, True)
            if rule is True:
                mapped[name] = value
            elif value is None or rule == "":
                continue
            elif rule is False:
                _refuse(name, value)
            elif "." in rule:
                outer, _, inner = rule.partition(".")
                mapped[outer] = {**mapped.get(outer, {}), inner: value}
            else:
                mapped.setdefault(rule, value)
        if self._roles and "messages" in mapped:
            mapped["messages"] = [self._message(message) for message in mapped["messages"]]
        return mapped

    def sends(self, name: str) -> bool:
        """Whether a field goes there under its own name."""
        return self._fields.get(name, True) is True

    def _message(self, message: Json) -> Json:
        role = self._roles.get(message["role"])
        return {**message, "role": role} if role else message


def _refuse(name: str, value: Any) -> None:
    """Raise `BadRequest` unless the value asks for nothing."""
    if name in _IDLE and value == _IDLE[name]:
        return
    raise BadRequest(
        f"Unsupported parameter: '{name}' is not supported with this model.",
        param=name,
        code="unsupported_parameter",
    )


@dataclass(frozen=True, slots=True)
class Profile:
    """What an upstream's model can, and what its requests must be called."""

    able: frozenset[str]
    fields: FieldMap
