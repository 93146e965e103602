"""The embedded engine's text: the client of OpenAI-compatible servers over the child process, plus
what llama.cpp lacks.

Added here: tools held to their form by a grammar, that of the model's own template where it is
known, and described in the prompt where there is none; schemas and grammars checked before the
model is asked, texts filled into the middle, any number of choices and prompts over a fixed number
of slots, and usage that counts all of them.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import groupby
from typing import Any

import msgspec

from inhouse.engines import abilities
from inhouse.engines.client import send
from inhouse.engines.client_deltas import Deltas
from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.client_errors import context_overflow
from inhouse.engines.embedded.grammars import SMALL
from inhouse.engines.embedded.line import Line
from inhouse.engines.embedded.middle import Middle, find
from inhouse.engines.embedded.readers import Batches, guarded, merged, numbered, with_calls
from inhouse.engines.embedded.requests import Part, Plan, plan
from inhouse.engines.embedded.sizes import check_size
from inhouse.engines.embedded.supervisor import Child
from inhouse.engines.embedded.template import Template
from inhouse.engines.messages import text_only
from inhouse.engines.text import Delta, Finish, Json, TextCall, Usage
from inhouse.errors import BadRequest, ServerError, Unavailable

_LAST_BREATH = 1.0
"""Seconds in which a child that is dying is gone."""
_COMPILED = (
    *("tools", "functions", "response_format"),
    *("guided_json", "guided_regex", "guided_grammar", "guided_choice"),
)
"""Fields that become a grammar."""


class EmbeddedText:
    """A `TextEngine` over a child. `wait_seconds` is how long a call waits for a child that is
    starting (again)."""

    def __init__(self, child: Child, *, wait_seconds: float = 60.0) -> None:
        self._child = child
        self._line = Line(child, child.spec.parallel, wait_seconds=wait_seconds)
        self._template: Template | None = None
        self._middle: Middle | None = None
        self._able = abilities.EMBEDDED_TEXT | (
            {abilities.VISION} if child.spec.mmproj else set[str]()
        )

    @property
    def abilities(self) -> frozenset[str]:
        return self._able

    async def generate(self, call: TextCall) -> AsyncGenerator[Sequence[Delta], None]:
        """See `TextEngine`. Raises `BadRequest` before the first batch for what cannot be done.

        A child found dead before it said anything is waited for and asked once more.
        """
        begun = False
        for again in (True, False):
            try:
                async with aclosing(self._generate(call)) as batches:
                    async for batch in batches:
                        begun = True
                        yield batch
            except BadRequest as error:
                if begun:  # what the engine let go of on the way
                    raise ServerError(error.message, code=error.code) from error
                raise
            except Unavailable:
                if begun or not again or not await self._child.died(_LAST_BREATH):
                    raise
            else:
                return

    async def _generate(self, call: TextCall) -> Batches:
        endpoints = await self._line.ready()
        template = await self.template()
        check_size(call, template.context)
        middle = await self._markers() if call.body.get("suffix") else None
        planned = await _planned(call, template, middle)
        if planned.legacy and template.sees:
            parts = [await self._spelled(part) for part in planned.parts]
            planned = replace(planned, parts=parts)
        if call.body.get("max_tokens") == 0:
            yield await self._nothing(planned)
            return
        answers = [self._answer(endpoints, planned, part) for part in planned.parts]
        batches = answers[0] if len(answers) == 1 else merged(answers)
        async with aclosing(batches):
            async for batch in batches:
                yield batch

    async def close(self) -> None:
        """Close what connections are kept. The child is its owner's to stop."""
        self._line.close()

    async def template(self) -> Template:
        """What the model's chat template takes; asked once per child."""
        if self._template is None:
            endpoints = await self._line.ready()
            props = await endpoints.get("/props", root=True)
            self._template = Template.read(props, await endpoints.get("/models"))
        return self._template

    async def _markers(self) -> Middle:
        """What a text to be filled in is marked with; asked once. Raises `BadRequest` if the model
        was not trained for it."""
        if self._middle is None:
            self._middle = await find(await self._line.ready())
        return self._middle

    async def tokenize(self, text: str, *, marks: bool = False) -> list[int]:
        """The text's token ids; `<|im_end|>` and its like are read as text, or as the `marks` that
        they are."""
        asked = {"content": text, "add_special": False, "parse_special": marks}
        return (await self._ask("/tokenize", asked))["tokens"]

    async def detokenize(self, ids: Sequence[int]) -> str:
        """The text of token ids."""
        return (await self._ask("/detokenize", {"tokens": list(ids)}))["content"]

    async def prompt(self, body: Json) -> str:
        """The prompt that a chat request becomes, tools and all."""
        call = TextCall("chat", {**body, "n": 1})
        template = await self.template()
        check_size(call, template.context)
        part = (await _planned(call, template)).parts[0]
        return (await self._ask("/apply-template", part.body))["prompt"]

    async def count_chat(self, body: Json) -> int | None:
        """Tokens of a chat request's prompt. None if there are images in it: how many tokens one
        becomes is known to the projector alone."""
        prompt = await self.prompt(body)
        if not text_only(body["messages"]):
            return None
        asked = {"content": prompt, "add_special": True, "parse_special": True}
        return len((await self._ask("/tokenize", asked))["tokens"])

    def _answer(self, endpoints: Endpoints, planned: Plan, part: Part) -> Batches:
        deltas = Deltas(planned.top, usage_per_choice=part.choices > 1)
        batches = send(endpoints, part.body, deltas, legacy=planned.legacy)
        if planned.held:
            batches = guarded(batches, planned.held)
        if part.first:
            batches = numbered(batches, part.first)
        return with_calls(batches, planned.form) if planned.form else batches

    async def _ask(self, path: str, body: Json) -> Json:
        return await (await self._line.ready()).ask(path, body)

    async def _spelled(self, part: Part) -> Part:
        """With a prompt that is a text: llama.cpp takes no token ids beside a projector."""
        prompt: str | list[str | int] = part.body["prompt"]
        if isinstance(prompt, str):
            return part
        said: list[str] = []
        for is_text, pieces in groupby(prompt, lambda piece: isinstance(piece, str)):
            given: list[Any] = list(pieces)
            said += given if is_text else [await self.detokenize(given)]
        return replace(part, body={**part.body, "prompt": "".join(said)})

    async def _nothing(self, planned: Plan) -> Sequence[Delta]:
        """The answer to a call for no tokens: the prompt is only counted."""
        context = (await self.template()).context
        tokens = 0
        out: list[Delta] = []
        for part in planned.parts:
            count = await self._prompt_tokens(part.body)
            if count >= context:
                raise context_overflow(context, count, legacy=planned.legacy)
            tokens += count
            numbers = range(part.first, part.first + part.choices)
            out += [Finish(choice, "length") for choice in numbers]
        return [*out, Usage(tokens, 0)]

    async def _prompt_tokens(self, body: Json) -> int:
        prompt: Any = body.get("prompt")
        if prompt is None:
            prompt = (await self._ask("/apply-template", body))["prompt"]
        pieces: list[str | int] = prompt if isinstance(prompt, list) else [prompt]
        texts = [piece for piece in pieces if isinstance(piece, str)]
        counts = [len(await self.tokenize(text, marks=True)) for text in texts]
        return len(pieces) - len(texts) + sum(counts)


async def _planned(call: TextCall, template: Template, middle: Middle | None = None) -> Plan:
    """The plan; a large schema or grammar is compiled beside the event loop."""
    body = call.body
    formed = [body[name] for name in _COMPILED if body.get(name) is not None]
    if formed and len(msgspec.json.encode(formed)) > SMALL:
        return await asyncio.to_thread(plan, call, template, middle)
    return plan(call, template, middle)
