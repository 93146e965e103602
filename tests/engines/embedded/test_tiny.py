"""The embedded engine on models of random weights: what a template's own tools, marks for the
middle and a projector are good for. Whatever form an answer has, the weights did not learn it."""

import base64
import json
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import pytest_asyncio
from tests.engines.embedded.tiny import CHATML, HERMES, write_model, write_projector

from inhouse.engines import abilities
from inhouse.engines.embedded.spec import ChildSpec
from inhouse.engines.embedded.supervisor import Child
from inhouse.engines.embedded.text import EmbeddedText
from inhouse.engines.text import Delta, Finish, Json, Text, TextCall, ToolCall, Usage
from inhouse.errors import BadRequest

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

SCHEMA: Json = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "pattern": "^[a-z]{1,5}$"},
        "days": {"type": "integer", "minimum": 0, "maximum": 9},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
FORECAST: Json = {
    "type": "function",
    "function": {"name": "forecast", "description": "Weather", "parameters": SCHEMA},
}
NOW: Json = {"type": "function", "function": {"name": "now"}}
ASK: list[Json] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": "Will it rain?"},
]
FIM = {"fim_pre": "<|fim_prefix|>", "fim_suf": "<|fim_suffix|>", "fim_mid": "<|fim_middle|>"}


@asynccontextmanager
async def running(folder: Path, spec: ChildSpec) -> AsyncIterator[EmbeddedText]:
    child = Child(spec, folder / "run")
    await child.start()
    engine = EmbeddedText(child)
    try:
        yield engine
    finally:
        await engine.close()
        await child.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hermes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedText]:
    """A model whose template has tools; it sees, and knows the marks of the middle."""
    folder = tmp_path_factory.mktemp("hermes")
    weights = write_model(folder / "hermes.gguf", HERMES, specials=FIM)
    eyes = write_projector(folder / "eyes.gguf")
    spec = ChildSpec(weights, context_length=1024, parallel=2, cache_mib=0, mmproj=eyes)
    async with running(folder, spec) as engine:
        yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filler(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedText]:
    """A model that knows the marks of the middle, and does not see."""
    folder = tmp_path_factory.mktemp("filler")
    weights = write_model(folder / "filler.gguf", CHATML, specials=FIM)
    async with running(folder, ChildSpec(weights, context_length=1024, cache_mib=0)) as engine:
        yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plain(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedText]:
    """A model that knows none of it."""
    folder = tmp_path_factory.mktemp("plain")
    weights = write_model(folder / "plain.gguf", CHATML)
    async with running(folder, ChildSpec(weights, context_length=1024, cache_mib=0)) as engine:
        yield engine


async def hear(engine: EmbeddedText, kind: Any = "chat", **body: Any) -> list[Delta]:
    body = {"stream": True, "max_tokens": 200, "temperature": 1, "seed": 5, **body}
    if kind == "chat":
        body.setdefault("messages", ASK)
    return [each async for batch in engine.generate(TextCall(kind, body)) for each in batch]


def calls(deltas: list[Delta]) -> list[tuple[str, Json]]:
    """Names and arguments of the calls in an answer."""
    names, arguments = dict[int, str](), dict[int, str]()
    for delta in deltas:
        if isinstance(delta, ToolCall):
            names[delta.index] = names.get(delta.index) or delta.name or ""
            arguments[delta.index] = arguments.get(delta.index, "") + delta.arguments
    return [(names[at], json.loads(arguments[at])) for at in sorted(names)]


def usage(deltas: list[Delta]) -> Usage:
    assert isinstance(deltas[-1], Usage)
    return deltas[-1]


# ---------------------------------------------------------------- tools
async def test_tools_are_told_in_the_templates_own_words(hermes: EmbeddedText) -> None:
    prompt = await hermes.prompt({"messages": ASK, "tools": [FORECAST]})
    assert prompt.startswith("<|im_start|>systemBe brief.# Tools\n<tools>")
    assert '"name": "forecast"' in prompt
    assert "You can call these tools" not in prompt
    assert "<tools>" not in await hermes.prompt(
        {"messages": ASK, "tools": [NOW], "tool_choice": "none"}
    )


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "wanted", ["required", {"type": "function", "function": {"name": "forecast"}}]
)
async def test_a_call_that_must_be_made_is_made(
    hermes: EmbeddedText, wanted: Any, *, strict: bool, stream: bool
) -> None:
    tool = {**FORECAST, "function": {**FORECAST["function"], "strict": strict}}
    deltas = await hear(hermes, tools=[tool], tool_choice=wanted, stream=stream)
    [(name, arguments)] = calls(deltas)
    assert name == "forecast"
    assert jsonschema_rs.is_valid(SCHEMA, arguments)
    assert deltas[-2] == Finish(0, "tool_calls")
    assert not any(isinstance(delta, Text) for delta in deltas)


async def test_only_tools_that_may_be_called_are_called(hermes: EmbeddedText) -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "now"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    for seed in range(3):
        deltas = await hear(hermes, tools=[FORECAST, NOW], tool_choice=choice, seed=seed)
        assert calls(deltas) == [("now", {})]


async def test_a_model_that_need_not_call_speaks(hermes: EmbeddedText) -> None:
    deltas = await hear(hermes, tools=[FORECAST], max_tokens=20)
    assert any(isinstance(delta, Text) for delta in deltas)
    assert calls(deltas) == []


async def test_calls_and_results_are_told_in_the_templates_own_words(hermes: EmbeddedText) -> None:
    made = {"name": "forecast", "arguments": '{"city": "oslo", "days": 1}'}
    messages = [
        *ASK,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "type": "function", "function": made}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "rain"},
    ]
    for body in ({"messages": messages, "tools": [FORECAST]}, {"messages": messages}):
        prompt = await hermes.prompt(body)
        assert '<tool_call>\n{"name": "forecast", "arguments": {"city": "oslo"' in prompt
        assert "<tool_response>\nrain\n</tool_response>" in prompt


async def test_a_chat_with_tools_is_counted_as_it_is_charged(hermes: EmbeddedText) -> None:
    for body in ({"messages": ASK}, {"messages": ASK, "tools": [FORECAST, NOW]}):
        deltas = await hear(hermes, max_tokens=1, **body)
        assert await hermes.count_chat(body) == usage(deltas).input


async def test_a_custom_tool_and_an_answers_schema_are_held_beside_them(
    hermes: EmbeddedText,
) -> None:
    grammar = {"syntax": "regex", "definition": "[ab]{3}"}
    tool = {
        "type": "custom",
        "custom": {"name": "py", "format": {"type": "grammar", "grammar": grammar}},
    }
    deltas = await hear(
        hermes, tools=[tool, NOW], tool_choice={"type": "custom", "custom": {"name": "py"}}
    )
    said = "".join(delta.arguments for delta in deltas if isinstance(delta, ToolCall))
    assert set(said) <= {"a", "b"}
    assert len(said) == 3
    wanted = {"type": "json_schema", "json_schema": {"name": "f", "schema": SCHEMA, "strict": True}}
    deltas = await hear(hermes, response_format=wanted)
    text = "".join(delta.text for delta in deltas if isinstance(delta, Text))
    assert jsonschema_rs.is_valid(SCHEMA, json.loads(text))


async def test_a_template_without_tools_is_told_of_them_in_ours(plain: EmbeddedText) -> None:
    prompt = await plain.prompt({"messages": ASK, "tools": [FORECAST]})
    assert "You can call these tools" in prompt
    deltas = await hear(plain, tools=[FORECAST], tool_choice="required")
    assert [name for name, _ in calls(deltas)] == ["forecast"]


# ---------------------------------------------------------------- the middle
@pytest.mark.parametrize("which", ["hermes", "filler"])
async def test_a_text_is_filled_into_the_middle(
    which: str, hermes: EmbeddedText, filler: EmbeddedText
) -> None:
    engine = hermes if which == "hermes" else filler
    prompt, suffix = "def add(a, b):", "return c"
    deltas = await hear(engine, "completion", prompt=prompt, suffix=suffix, max_tokens=5)
    marks = len(FIM)
    assert usage(deltas).input == marks + len(await engine.tokenize(prompt + "|" + suffix)) - 1
    assert usage(deltas).output == 5
    unmarked = await hear(engine, "completion", prompt=prompt, max_tokens=5)
    assert usage(unmarked).input == len(await engine.tokenize(prompt))
    nothing = await hear(engine, "completion", prompt=prompt, suffix=suffix, max_tokens=0)
    assert usage(nothing) == Usage(usage(deltas).input, 0)
    ids = await engine.tokenize(prompt)
    given = await hear(engine, "completion", prompt=[ids, ids], suffix=suffix, max_tokens=5)
    assert usage(given).input == 2 * usage(deltas).input


async def test_a_model_without_the_marks_refuses_a_suffix(plain: EmbeddedText) -> None:
    with pytest.raises(BadRequest) as refused:
        await hear(plain, "completion", prompt="a", suffix="z")
    assert (refused.value.param, refused.value.code) == ("suffix", "unsupported_parameter")


# ---------------------------------------------------------------- images
def picture(colour: tuple[int, int, int]) -> Json:
    """A part of a message: a PNG of 20 by 20 points."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", 20, 20, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes(colour) * 20) * 20
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
    encoded = base64.b64encode(data + chunk(b"IEND", b"")).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}


def looking(*images: Json) -> list[Json]:
    return [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, *images]}]


async def test_a_model_with_a_projector_sees(hermes: EmbeddedText) -> None:
    assert abilities.VISION in hermes.abilities
    blind = usage(await hear(hermes, messages=looking(), max_tokens=1)).input
    asked = {"max_tokens": 8, "temperature": 0, "logprobs": True}
    red = await hear(hermes, messages=looking(picture((255, 0, 0))), **asked)
    again = await hear(hermes, messages=looking(picture((255, 0, 0))), **asked)
    blue = await hear(hermes, messages=looking(picture((0, 0, 255))), **asked)
    assert usage(red).input == blind + 4  # tokens of an image
    assert first_logprob(red) == pytest.approx(first_logprob(again), abs=1e-3)
    assert first_logprob(red) != pytest.approx(first_logprob(blue), abs=1e-3)


def first_logprob(deltas: list[Delta]) -> float:
    return next(
        delta.logprobs[0]["logprob"]
        for delta in deltas
        if isinstance(delta, Text) and delta.logprobs
    )


async def test_images_go_with_tools(hermes: EmbeddedText) -> None:
    deltas = await hear(
        hermes, messages=looking(picture((9, 9, 9))), tools=[NOW], tool_choice="required"
    )
    assert calls(deltas) == [("now", {})]


async def test_a_chat_with_an_image_is_not_counted(hermes: EmbeddedText) -> None:
    assert await hermes.count_chat({"messages": looking(picture((0, 0, 0)))}) is None


@pytest.mark.parametrize("url", ["data:image/png;base64,AAAA", "data:image/png;base64,"])
async def test_what_is_no_image_is_refused(hermes: EmbeddedText, url: str) -> None:
    broken = {"type": "image_url", "image_url": {"url": url}}
    with pytest.raises(BadRequest):
        await hear(hermes, messages=looking(broken))


async def test_a_model_without_a_projector_refuses_images(plain: EmbeddedText) -> None:
    assert abilities.VISION not in plain.abilities
    with pytest.raises(BadRequest) as refused:
        await hear(plain, messages=looking(picture((0, 0, 0))))
    assert refused.value.param == "messages[0].content[1]"
