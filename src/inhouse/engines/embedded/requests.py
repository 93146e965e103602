"""A call of the embedded engine as requests to its child: which body, in how many parts, read how.

llama.cpp generates as many choices at once as it has slots, from one prompt; more of either become
further requests. Its names for some parameters, its integer ranges and its defaults are dealt with
here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from inhouse.engines.client_fields import FieldMap
from inhouse.engines.embedded.constraints import Constraint, constrain
from inhouse.engines.embedded.grammars import Held
from inhouse.engines.embedded.prompts import render
from inhouse.engines.embedded.sizes import prompts
from inhouse.engines.embedded.template import Template
from inhouse.engines.text import Json, TextCall
from inhouse.errors import BadRequest

_FIELDS = FieldMap(
    {
        "repetition_penalty": "repeat_penalty",
        "min_tokens": False,
        "suffix": False,
        **dict.fromkeys(
            ("n", "best_of", "echo", "stream_options", "response_format", "reasoning_effort"), ""
        ),
        **dict.fromkeys(("guided_json", "guided_regex", "guided_choice", "guided_grammar"), ""),
        **dict.fromkeys(("tools", "tool_choice", "parallel_tool_calls"), ""),
        **dict.fromkeys(("functions", "function_call"), ""),
        "roles": {},
    }
)
"""What llama.cpp calls otherwise, cannot do, or must not see because it is done here."""
_SEEDS = 2**32 - 1
"""The last of the 32-bit seeds means "any" there."""


@dataclass(frozen=True, slots=True)
class Part:
    """One request: its body, and which of the call's choices it generates."""

    body: Json
    first: int
    choices: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The requests of a call. `held`: the grammar that all outputs are held to. `reads_calls`: tool
    calls must be read out of the text."""

    parts: Sequence[Part]
    legacy: bool
    top: int
    held: Held | None
    reads_calls: bool


def plan(call: TextCall, template: Template) -> Plan:
    """Raises `BadRequest` for what the model or the engine cannot do."""
    legacy = call.kind == "completion"
    body = _FIELDS.apply(call.body)
    _sampling(body, call.body, template)
    held, reads_calls = (None, False) if legacy else _chat(body, call.body, template)
    top: int = call.body.get("logprobs" if legacy else "top_logprobs") or 0
    if call.body.get("logprobs") or (legacy and call.body.get("logprobs") == 0):
        body["logprobs"] = max(1, top) if legacy else True
        body["top_logprobs"] = max(1, top)
    parts = list(_parts(body, call.body.get("n") or 1, template.slots, legacy=legacy))
    stream = bool(call.body.get("stream")) or len(parts) > 1 or parts[0].choices > 1
    for part in parts:
        part.body["stream"] = stream
        if stream:
            part.body["stream_options"] = {"include_usage": True}
    return Plan(parts, legacy, top, held, reads_calls)


def _sampling(body: Json, asked: Json, template: Template) -> None:
    if asked.get("seed") is not None:
        body["seed"] = asked["seed"] % _SEEDS
    for key in asked.get("logit_bias") or ():
        if not key.isdigit() or not int(key) < template.vocabulary:
            raise BadRequest(
                f"Invalid key in 'logit_bias': {key}. The model has no such token.",
                param="logit_bias",
            )


def _chat(body: Json, asked: Json, template: Template) -> tuple[Held | None, bool]:
    """Fill in messages, tools and grammar; what holds the output, and whether tool calls are to be
    read out of it."""
    constraint = constrain(asked)
    choice = constraint.choice
    if asked.get("reasoning_effort") is not None and template.effort:
        kwargs = {"reasoning_effort": asked["reasoning_effort"]}
        body["chat_template_kwargs"] = {**kwargs, **(asked.get("chat_template_kwargs") or {})}
    if choice.tools and template.tools and _native(constraint, asked):
        _native_tools(body, asked, constraint)
        return None, False
    body["messages"] = render(asked["messages"], choice, template)
    held = None
    if constraint.grammar:
        body["grammar"] = constraint.grammar
        held = Held(constraint.grammar, constraint.param)
    if choice.required:
        body.pop("stop", None)  # there is no text that it could stop
    return held, bool(choice.tools)


def _native(constraint: Constraint, asked: Json) -> bool:
    """Whether the template's own tools can do it: llama.cpp takes no grammar beside them."""
    functions = all(tool.kind == "function" for tool in constraint.choice.tools)
    wanted: Json = asked.get("response_format") or {"type": "text"}
    return functions and wanted["type"] == "text"


def _native_tools(body: Json, asked: Json, constraint: Constraint) -> None:
    choice = constraint.choice
    body["messages"] = [
        {**message, "role": "system"} if message["role"] == "developer" else message
        for message in asked["messages"]
    ]
    body["tools"] = [{"type": "function", "function": tool.spec} for tool in choice.tools]
    body["tool_choice"] = "required" if choice.required else "auto"
    body["parallel_tool_calls"] = choice.parallel


def _parts(body: Json, n: int, slots: int, *, legacy: bool) -> Iterator[Part]:
    first = 0
    for prompt in prompts(body["prompt"]) if legacy else [None]:
        left = n
        while left:
            choices = min(left, slots)
            own: Json = dict(body)
            if legacy:
                own["prompt"] = prompt
            if choices > 1:
                own["n"] = choices
            if "seed" in own:
                own["seed"] = (own["seed"] + n - left) % _SEEDS
            yield Part(own, first, choices)
            first += choices
            left -= choices
