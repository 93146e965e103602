"""A call of the embedded engine as requests to its child: which body, in how many parts, read how.

llama.cpp generates as many choices at once as it has slots, from one prompt; more of either become
further requests. Its names for some parameters, its integer ranges and its defaults are dealt with
here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from inhouse.engines.client_fields import FieldMap
from inhouse.engines.embedded.constraints import (
    OURS,
    Choice,
    Constraint,
    Form,
    choice_of,
    constrain,
)
from inhouse.engines.embedded.grammars import Held
from inhouse.engines.embedded.middle import Middle, no_suffix
from inhouse.engines.embedded.prompts import native, render
from inhouse.engines.embedded.sizes import Prompt, prompts
from inhouse.engines.embedded.template import Template
from inhouse.engines.text import Json, TextCall
from inhouse.errors import BadRequest

_GUIDES = frozenset({"guided_json", "guided_regex", "guided_choice", "guided_grammar"})
_Way = Literal["described", "template", "server"]
_FIELDS = FieldMap(
    {
        "repetition_penalty": "repeat_penalty",
        "min_tokens": False,
        "suffix": "",
        **dict.fromkeys(
            ("n", "best_of", "echo", "stream_options", "response_format", "reasoning_effort"), ""
        ),
        **dict.fromkeys(_GUIDES, ""),
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
    """The requests of a call. `held`: the grammar that all outputs are held to. `form`: that of the
    tool calls which must be read out of the text; None if there are none."""

    parts: Sequence[Part]
    legacy: bool
    top: int
    held: Held | None
    form: Form | None


def plan(call: TextCall, template: Template, middle: Middle | None = None) -> Plan:
    """Raises `BadRequest` for what the model or the engine cannot do. `middle` is how a suffix is
    marked."""
    legacy = call.kind == "completion"
    body = _FIELDS.apply(call.body)
    _sampling(body, call.body, template)
    held, form = (None, None) if legacy else _chat(body, call.body, template)
    top: int = call.body.get("logprobs" if legacy else "top_logprobs") or 0
    if call.body.get("logprobs") or (legacy and call.body.get("logprobs") == 0):
        body["logprobs"] = max(1, top) if legacy else True
        body["top_logprobs"] = max(1, top)
    given = _prompts(call.body, middle) if legacy else [None]
    parts = list(_parts(body, given, call.body.get("n") or 1, template.slots))
    stream = bool(call.body.get("stream")) or len(parts) > 1 or parts[0].choices > 1
    for part in parts:
        part.body["stream"] = stream
        if stream:
            part.body["stream_options"] = {"include_usage": True}
    return Plan(parts, legacy, top, held, form)


def _sampling(body: Json, asked: Json, template: Template) -> None:
    if asked.get("seed") is not None:
        body["seed"] = asked["seed"] % _SEEDS
    for key in asked.get("logit_bias") or ():
        if not key.isdigit() or not int(key) < template.vocabulary:
            raise BadRequest(
                f"Invalid key in 'logit_bias': {key}. The model has no such token.",
                param="logit_bias",
            )


def _chat(body: Json, asked: Json, template: Template) -> tuple[Held | None, Form | None]:
    """Fill in messages, tools and grammar; what holds the output, and the form of the tool calls
    that are to be read out of it."""
    choice = choice_of(asked)
    way = _way(choice, asked, template)
    form = template.form if way == "template" and template.form else OURS
    constraint = constrain(asked, form)
    made = render(asked["messages"], choice, template) if way == "described" else None
    body["messages"] = native(asked["messages"], template) if made is None else made
    kwargs = _kwargs(asked, template, constraint)
    if way == "template" and choice.tools:
        kwargs["tools"] = _functions(choice)
    if kwargs:
        body["chat_template_kwargs"] = kwargs
    if way == "server":
        body["tools"] = _functions(choice)
        body["parallel_tool_calls"] = choice.parallel
        return None, None
    held = None
    if constraint.grammar:
        body["grammar"] = constraint.grammar
        held = Held(constraint.grammar, constraint.param)
    if choice.required:
        body.pop("stop", None)  # there is no text that it could stop
    return held, form if choice.tools else None


def _way(choice: Choice, asked: Json, template: Template) -> _Way:
    """How tools reach the model: described in words of ours, told to its template and held to its
    form, or left to llama.cpp, which reads any model's form but holds nothing to it and takes no
    grammar beside tools."""
    if not template.tools:
        return "described"
    functions = all(tool.kind == "function" for tool in choice.tools)
    if not choice.tools or (template.form and functions):
        return "template"
    wanted: Json = asked.get("response_format") or {"type": "text"}
    free = not choice.required and wanted["type"] == "text" and not asked.keys() & _GUIDES
    return "server" if functions and free else "described"


def _functions(choice: Choice) -> list[Json]:
    return [{"type": "function", "function": tool.spec} for tool in choice.tools]


def _kwargs(asked: Json, template: Template, constraint: Constraint) -> Json:
    """Arguments for the chat template. An output that is held from its first token on leaves no
    place for thoughts."""
    kwargs: Json = {} if constraint.free else {"enable_thinking": False}
    if asked.get("reasoning_effort") is not None and template.effort:
        kwargs["reasoning_effort"] = asked["reasoning_effort"]
    return {**kwargs, **(asked.get("chat_template_kwargs") or {})}


def _prompts(asked: Json, middle: Middle | None) -> Sequence[Prompt | list[int | str]]:
    """The legacy prompts, each with the suffix that it leads to."""
    given = prompts(asked["prompt"])
    suffix: str = asked.get("suffix") or ""
    if not suffix:
        return given
    if middle is None:
        raise no_suffix()
    return [middle.marked(each, suffix) for each in given]


def _parts(
    body: Json, given: Sequence[Prompt | list[int | str] | None], n: int, slots: int
) -> Iterator[Part]:
    """The requests for `n` choices of each prompt; None for what has messages instead."""
    first = 0
    for prompt in given:
        left = n
        while left:
            choices = min(left, slots)
            own: Json = dict(body)
            if prompt is not None:
                own["prompt"] = prompt
            if choices > 1:
                own["n"] = choices
            if "seed" in own:
                own["seed"] = (own["seed"] + n - left) % _SEEDS
            yield Part(own, first, choices)
            first += choices
            left -= choices
