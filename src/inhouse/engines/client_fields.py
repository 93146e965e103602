"""The field map of an upstream: what its requests must be called, and what it cannot do.

A map has, per field of a request, one of
- a string: the field's name there (`max_completion_tokens = "max_tokens"`);
- `""`: a hint that it does not know; left out;
- `true`: sent as it is (takes back a default of ours);
- `false`: it cannot do that; a request that needs it is a 400.
`roles` maps the roles of messages: `roles = { developer = "system" }`.
"""

from collections.abc import Mapping
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
                raise BadRequest(
                    f"Unsupported parameter: '{name}' is not supported with this model.",
                    param=name,
                    code="unsupported_parameter",
                )
            else:
                mapped.setdefault(rule, value)
        if self._roles and "messages" in mapped:
            mapped["messages"] = [self._message(message) for message in mapped["messages"]]
        return mapped

    def _message(self, message: Json) -> Json:
        role = self._roles.get(message["role"])
        return {**message, "role": role} if role else message
