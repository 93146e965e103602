"""What an output may be, as a grammar: tools, tool_choice and response_format turned into
llguidance's Lark dialect.

The form of a call in the text of a model whose template has none of its own (`OURS`):

    <tool_call>{"name":"f","arguments":{...}}      a function, its arguments held to its schema
    <tool_call>name                                a custom tool, its input as it is
    ...</tool_call>

and in the text of one that was trained on the form of many open models (`HERMES`):

    <tool_call>
    {"name": "f", "arguments": {...}}
    </tool_call>

Several calls stand one below the other. Knows nothing of prompts; what is refused here is a 400
that names the parameter.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from inhouse.engines.embedded.grammars import (
    check_choice,
    check_grammar,
    check_lark,
    check_regex,
    check_schema,
)
from inhouse.engines.text import Json
from inhouse.errors import BadRequest

MARKER = "<tool_call>"
END = "</tool_call>"
_MOST_CALLS = 8
"""Calls in one answer, where parallel calls are allowed: a small model may not find an end by
itself."""
_UNESCAPED_SLASH = re.compile(r"(?<!\\)((?:\\\\)*)/")


@dataclass(frozen=True, slots=True)
class Form:
    """How a function's call is written: what stands after the marker, between keys and values,
    between entries, and at the end."""

    opening: str
    colon: str
    comma: str
    closing: str

    @property
    def head(self) -> str:
        """What stands before the name."""
        return f'{self.opening}{{"name"{self.colon}'

    @property
    def middle(self) -> str:
        """What stands between name and arguments."""
        return f'{self.comma}"arguments"{self.colon}'

    @property
    def json(self) -> Json:
        """The same as llguidance's options for JSON."""
        return {
            "whitespace_flexible": False,
            "item_separator": self.comma,
            "key_separator": self.colon,
        }


OURS = Form(opening="", colon=":", comma=",", closing="}")
HERMES = Form(opening="\n", colon=": ", comma=", ", closing=f"}}\n{END}")


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of the request: where it stands there, and what it takes."""

    at: int
    kind: Literal["function", "custom"]
    name: str
    description: str
    spec: Json

    @property
    def param(self) -> str:
        """Where its schema or grammar stands in the request."""
        field = "function.parameters" if self.kind == "function" else "custom.format"
        return f"tools[{self.at}].{field}"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tools may be called, and whether one must be."""

    tools: tuple[Tool, ...]
    required: bool
    parallel: bool


@dataclass(frozen=True, slots=True)
class Constraint:
    """The grammar, or None for free text. `param` names what of the request it comes from. `free`:
    the output may begin with any text."""

    grammar: str | None
    choice: Choice
    param: str = ""
    free: bool = True


def tools_of(body: Json) -> list[Tool]:
    """The request's tools, legacy functions among them."""
    tools: list[Json] = list(body.get("tools") or ())
    tools += [{"type": "function", "function": each} for each in body.get("functions") or ()]
    return [
        Tool(
            at,
            tool["type"],
            tool[tool["type"]]["name"],
            tool[tool["type"]].get("description") or "",
            tool[tool["type"]],
        )
        for at, tool in enumerate(tools)
    ]


def choice_of(body: Json) -> Choice:
    """`tool_choice`, in all its forms, over the request's tools. Raises `BadRequest` on a tool that
    is not there."""
    tools = tools_of(body)
    parallel = body.get("parallel_tool_calls") is True
    wanted: Any = body.get("tool_choice") or body.get("function_call") or "auto"
    if wanted == "none" or not tools:
        return Choice((), required=False, parallel=parallel)
    if isinstance(wanted, str):
        return Choice(tuple(tools), required=wanted == "required", parallel=parallel)
    if wanted.get("type") == "allowed_tools":
        allowed = wanted["allowed_tools"]
        names = [_named(each) for each in allowed["tools"]]
        chosen = tuple(_find(tools, name) for name in dict.fromkeys(names))
        return Choice(chosen, required=allowed["mode"] == "required", parallel=parallel)
    return Choice((_find(tools, _named(wanted)),), required=True, parallel=False)


def constrain(body: Json, form: Form = OURS) -> Constraint:
    """The grammar that holds the output to what the request asks for, calls in `form`. Raises
    `BadRequest`."""
    choice = choice_of(body)
    answer, param = _answer(body)
    if not choice.tools:
        grammar = _lark(f"start: {answer}") if answer else None
        return Constraint(grammar, choice, param, free=not answer)
    rules = [f"t{tool.at}: {_call(tool, form)}" for tool in choice.tools]
    call = " | ".join(f"t{tool.at}" for tool in choice.tools)
    more = f'("\\n{MARKER}" call){{0,{_MOST_CALLS - 1}}}' if choice.parallel else ""
    rules += [f"call: {call}", f"calls: call {more}"]
    if choice.required:
        start = [f'start: "{MARKER}" calls']
    elif answer:
        start = [f'start: answer | "{MARKER}" calls', f"answer: {answer}"]
    else:
        start = [
            "start: TEXT | before calls",
            f"TEXT: /(?s:.*)/ & ~/(?s:.*){MARKER}(?s:.*)/",
            f"before[lazy]: /(?s:.*){MARKER}/",
        ]
    if any(tool.kind == "custom" for tool in choice.tools):
        start.append(f"raw[lazy]: /(?s:.*){_slashed(END)}/")
    grammar = _lark("\n".join([*start, *rules]))
    check_grammar(grammar, "tools")
    alone = len(choice.tools) == 1 and not answer
    param = choice.tools[0].param if alone else "tools"
    return Constraint(grammar, choice, param, free=not (choice.required or answer))


def _answer(body: Json) -> tuple[str, str]:
    """What holds the whole answer, as a Lark expression, and the parameter that asks for it; both
    empty if nothing does."""
    wanted: Json = body.get("response_format") or {"type": "text"}
    given = [name for name in _GUIDES if body.get(name) is not None]
    if wanted["type"] != "text":
        given.insert(0, "response_format")
    if not given:
        return "", ""
    if len(given) > 1:
        raise BadRequest(
            f"'{given[0]}' and '{given[1]}' cannot both be given.",
            param=given[1],
            code="invalid_parameter_combination",
        )
    if given[0] == "response_format":
        return _formatted(wanted), _format_param(wanted)
    return _GUIDES[given[0]](body[given[0]]), given[0]


def _format_param(wanted: Json) -> str:
    """Where the schema stands in the request."""
    named = wanted["type"] == "json_schema"
    return "response_format.json_schema.schema" if named else "response_format"


def _formatted(wanted: Json) -> str:
    if wanted["type"] == "json_object":
        return f"%json {_schema_text({'type': 'object'}, strict=True)}"
    named: Json = wanted["json_schema"]
    schema = _schema_text(named.get("schema") or {}, strict=named.get("strict") is True)
    what = f"Invalid schema for response_format '{named.get('name')}'"
    check_schema(schema, what, _format_param(wanted), "invalid_json_schema")
    return f"%json {schema}"


def _guided_json(wanted: Json | str) -> str:
    try:
        schema: Json = json.loads(wanted) if isinstance(wanted, str) else wanted
    except ValueError as error:
        raise BadRequest(f"Invalid 'guided_json': {error}", param="guided_json") from error
    text = _schema_text(schema, strict=True)
    check_schema(text, "Invalid 'guided_json'", "guided_json", "invalid_json_schema")
    return f"%json {text}"


def _guided_regex(wanted: str) -> str:
    check_regex(wanted, "guided_regex", "guided_regex")
    return f"/{_regex(wanted)}/"


def _guided_choice(wanted: list[str]) -> str:
    """One terminal, which holds any number of choices; a rule would hold some hundreds."""
    choices = " | ".join(json.dumps(each, ensure_ascii=False) for each in wanted)
    grammar = f"start: CHOICE\nCHOICE: {choices}\n"
    check_choice(grammar, "guided_choice")
    return f"%lark {{\n{grammar}}}"


def _guided_grammar(wanted: str) -> str:
    check_lark(wanted, "guided_grammar", "guided_grammar")
    return f"%lark {{\n{wanted}\n}}"


_GUIDES: dict[str, Callable[[Any], str]] = {
    "guided_json": _guided_json,
    "guided_regex": _guided_regex,
    "guided_choice": _guided_choice,
    "guided_grammar": _guided_grammar,
}


def _call(tool: Tool, form: Form) -> str:
    """The body of a call, after the marker."""
    if tool.kind == "function":
        name = json.dumps(tool.name, ensure_ascii=False)
        head = json.dumps(f"{form.head}{name}{form.middle}")
        schema = _schema_text(
            tool.spec.get("parameters") or {"type": "object", "properties": {}},
            strict=tool.spec.get("strict") is True,
            form=form,
        )
        what = f"Invalid schema for function '{tool.name}'"
        check_schema(schema, what, tool.param, "invalid_function_parameters")
        return f"{head} %json {schema} {json.dumps(form.closing)}"
    head = json.dumps(f"{tool.name}\n")
    wanted = tool.spec.get("format") or {}
    if wanted.get("type") != "grammar":
        return f"{head} raw"
    grammar = wanted["grammar"]
    if grammar["syntax"] == "regex":
        check_regex(grammar["definition"], tool.name, tool.param)
        return f'{head} /{_regex(grammar["definition"])}/ "{END}"'
    check_lark(grammar["definition"], tool.name, tool.param)
    return f'{head} %lark {{\n{grammar["definition"]}\n}} "{END}"'


def _schema_text(schema: Json, *, strict: bool, form: Form = OURS) -> str:
    """A schema with our own options in place of any that it brings.

    Without `strict`, keywords that cannot be enforced are passed over, as the API has it; with it
    they are refused. Properties that a schema does not name are left out unless it asks for them: a
    model that may invent some does.
    """
    options = form.json if strict else {**form.json, "lenient": True}
    own = {key: value for key, value in _closed(schema).items() if key != "x-guidance"}
    return json.dumps({"x-guidance": options, **own}, ensure_ascii=False)


def _closed(schema: Any) -> Any:
    """The schema, with `additionalProperties` false where it names properties and says nothing of
    others.
    """
    if not isinstance(schema, dict):
        return schema
    closed: Json = dict(schema)
    if isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    for word in ("properties", "$defs", "definitions"):
        if isinstance(closed.get(word), dict):
            closed[word] = {name: _closed(part) for name, part in closed[word].items()}
    if "items" in closed:
        closed["items"] = _closed(closed["items"])
    if isinstance(closed.get("anyOf"), list):
        closed["anyOf"] = [_closed(part) for part in closed["anyOf"]]
    return closed


def _lark(rules: str) -> str:
    return f"%llguidance {{}}\n{rules}\n"


def _regex(pattern: str) -> str:
    """A pattern as it stands between slashes."""
    return _slashed(pattern).replace("\n", "\\n")


def _slashed(pattern: str) -> str:
    return _UNESCAPED_SLASH.sub(r"\1\\/", pattern)


def _named(wanted: Json) -> str:
    inner = wanted.get("function") or wanted.get("custom") or wanted
    return inner["name"]


def _find(tools: Sequence[Tool], name: str) -> Tool:
    found: Iterator[Tool] = (tool for tool in tools if tool.name == name)
    tool = next(found, None)
    if tool is None:
        raise BadRequest(
            f"Invalid value for 'tool_choice': '{name}' is not among the tools of the request.",
            param="tool_choice",
        )
    return tool
