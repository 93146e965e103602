"""Faults around the real engine: what it refuses, who leaves it, and its death."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import psutil
import pytest
import pytest_asyncio
from tests.conftest import House, serving
from tests.faults.asking import Answer, Asker, Json, frames, said, until
from tests.sdk.conftest import CACHE

from inhouse.engines.catalogue import seed
from inhouse.engines.catalogue.pull import present
from inhouse.engines.scripted import Scripted
from inhouse.services import Services
from inhouse.settings import Settings

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

USER: Json = {"role": "user", "content": "Count from one to a thousand."}
CHAT: Json = {"model": "gpt-5", "messages": [USER], "max_tokens": 8}
ENDLESS: Json = {**CHAT, "max_tokens": 1500, "stream": True, "logit_bias": {"2": -100}}
EMBED: Json = {"model": "text-embedding-3-small", "input": "hello"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    """A server that runs the default models, two texts at once."""
    known = seed()
    entries = [known.entries[name] for name in known.defaults]
    for entry in entries:
        if present(entry, CACHE) is None:
            pytest.skip(f"{entry.id} is not in {CACHE}; `make test` fetches it")
    data = tmp_path_factory.mktemp("faults")
    settings = Settings(
        data=data, models=CACHE, default_models=False, context_length=2048, parallel=2
    )
    services = await Services.open(settings)
    for entry, alias in zip(entries, ("gpt-*", "text-embedding-*"), strict=True):
        await services.model_store.put(entry.id, entry.json())
        await services.model_store.put_alias(alias, entry.id)
    async with serving(services, Scripted([])) as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asker(real: House) -> AsyncGenerator[Asker]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
        yield Asker(session, real.url, real.key)


def engines() -> list[psutil.Process]:
    """The engine processes of this test's server."""
    children = psutil.Process().children()
    return [each for each in children if "inhouse.engines.embedded.child" in each.cmdline()]


def burned(processes: list[psutil.Process]) -> float:
    """CPU seconds of the processes so far."""
    return sum(sum(each.cpu_times()[:2]) for each in processes)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_conversation_beyond_the_context_is_a_400(asker: Asker, *, stream: bool) -> None:
    long = [{"role": "user", "content": "word " * 5000}]
    answer = await asker.post({**CHAT, "messages": long, "stream": stream})
    assert (answer.status, answer.error["code"]) == (400, "context_length_exceeded")
    assert answer.error["param"] == "messages"
    assert "maximum context length is 2048 tokens" in answer.error["message"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_prompt_beyond_the_context_is_a_400(asker: Asker, *, stream: bool) -> None:
    long = "word " * 5000
    for prompt in (long, [long, long]) if stream else (long, ["Hi", long]):
        body = {"model": "gpt-5", "prompt": prompt, "stream": stream}
        answer = await asker.post(body, "/completions")
        assert (answer.status, answer.error["code"]) == (400, "context_length_exceeded")


async def test_an_input_of_embeddings_beyond_the_context_is_a_400(asker: Asker) -> None:
    answer = await asker.post({**EMBED, "input": "word " * 9000}, "/embeddings")
    assert answer.status == 400


def schema(inner: Any) -> Json:
    """A response format that holds the schema."""
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": inner}}


def of(inner: Json) -> Json:
    """An object with one property."""
    return {"type": "object", "properties": {"a": inner}, "required": ["a"]}


REFUSED: list[Json] = [
    of({"type": "string", "pattern": "(?=x)["}),
    of({"type": "string", "pattern": "(" * 500}),
    of({"$ref": "#/$defs/missing"}),
    of({"$ref": "http://127.0.0.1/schema.json"}),
    of({"type": "nonsense"}),
    of({"type": "string", "minLength": 9, "maxLength": 3}),
    {"type": "object", "properties": 5},
    {"anyOf": []},
]


@pytest.mark.parametrize("inner", REFUSED, ids=lambda inner: str(inner)[:60])
async def test_a_schema_that_the_engine_cannot_hold_is_a_400(asker: Asker, inner: Json) -> None:
    for stream in (True, False):
        answer = await asker.post({**CHAT, "response_format": schema(inner), "stream": stream})
        assert answer.status == 400
        assert answer.error["type"] == "invalid_request_error"
    assert (await asker.post(CHAT)).status == 200


HOSTILE: list[Json] = [
    of({"type": "string", "pattern": "(a{1,1000}){1,1000}"}),
    of({"type": "string", "maxLength": 10**9, "minLength": 10**8}),
    of({"type": "array", "items": {"type": "integer"}, "minItems": 10**6}),
    of({"enum": [f"value {n}" for n in range(5000)]}),
    {"allOf": [{"anyOf": [of({"const": n}) for n in range(12)]} for _ in range(12)]},
]


@pytest.mark.parametrize("inner", HOSTILE, ids=lambda inner: str(inner)[:60])
async def test_a_schema_made_to_explode_is_bounded(asker: Asker, inner: Json) -> None:
    async with asyncio.timeout(30):
        answer = await asker.post({**CHAT, "response_format": schema(inner)})
    assert answer.status in {200, 400}
    assert (await asker.post(CHAT)).status == 200


@pytest.mark.parametrize("syntax", ["lark", "regex"])
async def test_a_grammar_that_is_none_is_a_400(asker: Asker, syntax: str) -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": syntax, "definition": "start: ((["}}
    tool = {"type": "custom", "custom": {"name": "x", "format": grammar}}
    answer = await asker.post({**CHAT, "tools": [tool]})
    assert answer.status == 400


async def test_token_ids_that_the_model_does_not_have_are_a_400(asker: Asker) -> None:
    for ids in ([10**9], [-1], [2**40], [1_000_000]):
        prompt = await asker.post({"model": "gpt-5", "prompt": ids}, "/completions")
        assert prompt.status == 400, ids
        for model in ("text-embedding-3-small", "all-minilm-l6-v2"):
            vectors = await asker.post({"model": model, "input": ids}, "/embeddings")
            assert vectors.status == 400, model
    assert (await asker.post(CHAT)).status == 200
    assert (await asker.post(EMBED, "/embeddings")).status == 200


async def test_clients_that_go_free_their_slots(asker: Asker) -> None:
    for _ in range(3):  # more than there are slots
        streams = [asker.open(ENDLESS) for _ in range(2)]
        for each in streams:
            opened = await each.__aenter__()
            assert await anext(frames(opened))
            opened.close()
    async with asyncio.timeout(20):
        answer = await asker.post({**CHAT, "stream": True})
    assert said(answer.events())
    await asyncio.sleep(0.5)
    before = burned(engines())
    await asyncio.sleep(1)
    assert burned(engines()) - before < 0.3


async def test_a_schema_that_only_refers_to_itself_is_a_clean_error(asker: Asker) -> None:
    inner = {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}
    answer = await asker.post({**CHAT, "response_format": schema(inner)})
    assert answer.status == 400 or answer.error["code"] == "grammar_too_complex"
    assert (await asker.post(CHAT)).status == 200


async def killed(asker: Asker, body: Json) -> Answer:
    """The answer to a call in whose middle the engine is killed; it is seen to be gone."""
    assert (await asker.post(CHAT)).status == 200
    task = asyncio.create_task(asker.post(body))
    await asyncio.sleep(1)
    assert not task.done()
    busy = max(engines(), key=lambda each: burned([each]))
    busy.send_signal(signal.SIGKILL)
    answer = await task
    await until(lambda: not busy.is_running())
    return answer


async def test_a_stream_whose_engine_is_killed_ends_with_an_error_and_the_next_works(
    asker: Asker,
) -> None:
    events = (await killed(asker, ENDLESS)).events()
    assert said(events[:-1])
    assert events[-1]["error"]["type"] == "server_error"
    assert "[DONE]" not in events
    async with asyncio.timeout(40):
        assert (await asker.post(CHAT)).status == 200
    assert (await asker.post(EMBED, "/embeddings")).status == 200


async def test_an_answer_of_which_nothing_was_said_is_made_anew_when_its_engine_is_killed(
    asker: Asker,
) -> None:
    answer = await killed(asker, {**ENDLESS, "stream": False, "max_tokens": 200})
    assert answer.status == 200
    assert answer.json()["usage"]["completion_tokens"] == 200
