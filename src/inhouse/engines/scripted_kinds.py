"""What a scripted upstream passes for: the kinds of servers that there are, as far as a client can
tell them apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Guise:
    """`owned_by` is what its listing says. `told`: answers to GET, by path. `refuses`: fields, or
    the role `developer`, that it answers with a 400. `ignores`: fields that it passes over.
    `counts`: its /tokenize takes messages. `renders`: it has /apply-template."""

    owned_by: str = "scripted"
    told: Mapping[str, Any] = field(default_factory=dict[str, Any])
    refuses: frozenset[str] = frozenset()
    ignores: frozenset[str] = frozenset()
    counts: bool = False
    renders: bool = False

    def refused(self, body: dict[str, Any]) -> str | None:
        """What of a chat's body it does not take."""
        roles = {message.get("role") for message in body.get("messages") or ()}
        return next(iter(sorted(self.refuses & (body.keys() | roles))), None)

    def answer(self, path: str, body: Any) -> Any:
        """Its answer to what is no generation; None if there is none."""
        if path == "/v1/models":
            model = {"id": "scripted", "object": "model", "created": 0, "owned_by": self.owned_by}
            return {"object": "list", "data": [model]}
        if body is None:
            return self.told.get(path)
        if path == "/tokenize":
            return self._tokenized(body)
        if path == "/apply-template" and self.renders:
            return {"prompt": " ".join(str(each["content"]) for each in body["messages"])}
        return None

    def _tokenized(self, body: dict[str, Any]) -> Any:
        if self.counts and "messages" in body:
            words = [str(message.get("content")).split() for message in body["messages"]]
            return {"count": sum(map(len, words)), "max_model_len": 4096, "tokens": []}
        return {"tokens": list(range(len(body.get("content", "").split())))}


GUISES: Mapping[str, Guise] = {
    "scripted": Guise(),
    "vllm": Guise("vllm", {"/version": {"version": "0.14.1"}}, counts=True),
    "old-vllm": Guise("vllm", {"/version": {"version": "0.9.2"}}, counts=True),
    "sglang": Guise("sglang", {"/server_info": {"version": "0.5.4"}}, counts=True),
    "llama-server": Guise("llamacpp", {"/props": {"build_info": "b7000"}}, renders=True),
    "ollama": Guise(
        "library", {"/api/version": {"version": "0.40.1"}}, ignores=frozenset({"logprobs"})
    ),
    "cloud": Guise("openai", refuses=frozenset({"max_tokens", "top_k", "min_p"})),
    "strict": Guise(
        refuses=frozenset({"max_tokens", "developer", "stream_options", "logprobs", "min_p"})
    ),
    "vectors": Guise(refuses=frozenset({"messages"})),
}
