"""What the loaded model says of itself: what its chat template takes, what it sees, how much
fits."""

from dataclasses import dataclass

from inhouse.engines.text import Json


@dataclass(frozen=True, slots=True)
class Template:
    """`tools`: the chat template has tools of its own. `system`: it takes a system message.
    `effort`: it takes a reasoning effort. `sees`: there is a projector for images. `context` is
    in tokens and per slot; `vocabulary` is the number of token ids."""

    tools: bool
    system: bool
    effort: bool
    sees: bool
    slots: int
    context: int
    vocabulary: int

    @classmethod
    def read(cls, props: Json, models: Json) -> "Template":
        """Read llama-server's /props and /v1/models."""
        able = props.get("chat_template_caps") or {}
        meta = (models["data"][0].get("meta") or {}) if models.get("data") else {}
        return cls(
            tools=bool(able.get("supports_tools")),
            system=able.get("supports_system_role") is not False,
            effort=bool(able.get("supports_reasoning_effort")),
            sees=bool((props.get("modalities") or {}).get("vision")),
            slots=props.get("total_slots") or 1,
            context=(props.get("default_generation_settings") or {}).get("n_ctx") or 0,
            vocabulary=meta.get("n_vocab") or 0,
        )
