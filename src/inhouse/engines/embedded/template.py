"""What the loaded model says of itself: what its chat template takes, what it sees, how much
fits."""

from dataclasses import dataclass

from inhouse.engines.embedded.constraints import HERMES, MARKER, Form
from inhouse.engines.text import Json

_NOT_JSON = "<function="
"""Templates that write calls as XML within the same marker."""


@dataclass(frozen=True, slots=True)
class Template:
    """`tools`: the chat template has tools of its own. `form`: how calls are written in it, where
    that is known. `system`: it takes a system message.
    `effort`: it takes a reasoning effort. `sees`: there is a projector for images. `context` is
    in tokens and per slot; `vocabulary` is the number of token ids."""

    tools: bool
    system: bool
    effort: bool
    sees: bool
    slots: int
    context: int
    vocabulary: int
    form: Form | None = None

    @classmethod
    def read(cls, props: Json, models: Json) -> "Template":
        """Read llama-server's /props and /v1/models."""
        able = props.get("chat_template_caps") or {}
        meta = (models["data"][0].get("meta") or {}) if models.get("data") else {}
        return cls(
            tools=bool(able.get("supports_tools")),
            form=_form(props.get("chat_template") or "") if able.get("supports_tools") else None,
            system=able.get("supports_system_role") is not False,
            effort=bool(able.get("supports_reasoning_effort")),
            sees=bool((props.get("modalities") or {}).get("vision")),
            slots=props.get("total_slots") or 1,
            context=(props.get("default_generation_settings") or {}).get("n_ctx") or 0,
            vocabulary=meta.get("n_vocab") or 0,
        )


def _form(template: str) -> Form | None:
    """The form in which a template writes calls, as far as its text tells."""
    hermes = MARKER in template and "arguments" in template and _NOT_JSON not in template
    return HERMES if hermes else None
