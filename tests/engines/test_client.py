"""The text engine for OpenAI-compatible servers, against a scripted upstream: what it sends, and
what it makes of faults."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from inhouse.engines.client import OpenAICompatible
from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.client_fields import FieldMap
from inhouse.engines.scripted_server import ScriptedServer
from inhouse.engines.text import Delta, Finish, Text, TextCall, Usage
from inhouse.engines.wire import Limits
from inhouse.errors import APIError, BadRequest, RateLimited, ServerError, Unavailable

MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(chunks=3)
    yield server
    await server.stop()


@pytest.fixture
async def endpoints(server: ScriptedServer) -> AsyncIterator[Endpoints]:
    base_url = await server.start()
    endpoints = Endpoints([base_url], api_key="secret", limits=Limits(1, 0.3, 0.2), retries=1)
    yield endpoints
    await endpoints.close()
    await asyncio.sleep(0)


@pytest.fixture
def engine(endpoints: Endpoints) -> OpenAICompatible:
    return OpenAICompatible(endpoints, "model-there")


def chat(**body: Any) -> TextCall:
    return TextCall("chat", {"model": "model-here", "messages": MESSAGES, **body})


async def collect(engine: OpenAICompatible, call: TextCall) -> list[Delta]:
    return [delta async for batch in engine.generate(call) for delta in batch]


@pytest.mark.parametrize("kind", ["chat", "completion"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("n", [1, 2])
async def test_an_answer_is_the_same_streamed_or_not(
    engine: OpenAICompatible, kind: Any, *, stream: bool, n: int
) -> None:
    body = {"messages": MESSAGES, "prompt": "hi", "stream": stream, "n": n}
    deltas = await collect(engine, TextCall(kind, body))
    texts = [
        "".join(each.text for each in deltas if isinstance(each, Text) and each.choice == choice)
        for choice in range(n)
    ]
    assert texts == ["0 1 2 "] * n
    assert [each for each in deltas if isinstance(each, Finish)] == [
        Finish(choice, "stop") for choice in range(n)
    ]
    assert deltas[-1] == Usage(10, 3)


async def test_the_request_goes_to_the_models_name_there_with_the_key(
    engine: OpenAICompatible, server: ScriptedServer
) -> None:
    await collect(engine, chat(stream=True, stream_options={"include_obfuscation": True}))
    path, headers, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer secret"
    assert body == {
        "model": "model-there",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_stream_options_are_left_out_where_nothing_streams(
    engine: OpenAICompatible, server: ScriptedServer
) -> None:
    await collect(engine, chat(stream_options={"include_usage": True}))
    assert "stream_options" not in server.requests[0][2]


async def test_streams_keep_their_connection(
    engine: OpenAICompatible, server: ScriptedServer
) -> None:
    for _ in range(3):
        await collect(engine, chat(stream=True))
    assert server.connections == 1


async def test_a_burst_is_one_batch(engine: OpenAICompatible) -> None:
    batches = [batch async for batch in engine.generate(chat(stream=True))]
    assert len(batches) <= 3


async def test_the_callers_body_stays_as_it_is(engine: OpenAICompatible) -> None:
    body = {"messages": MESSAGES, "max_completion_tokens": 5, "stream": True}
    await collect(engine, TextCall("chat", body))
    assert body == {"messages": MESSAGES, "max_completion_tokens": 5, "stream": True}


async def test_closing_the_iterator_closes_the_connection(
    engine: OpenAICompatible, server: ScriptedServer
) -> None:
    server.delay, server.chunks = 0.02, 100
    batches = engine.generate(chat(stream=True))
    await anext(batches)
    await batches.aclose()
    await asyncio.sleep(0.05)
    assert server.closed == 1


async def test_models_are_what_the_upstream_lists(engine: OpenAICompatible) -> None:
    assert [model["id"] for model in await engine.models()] == ["scripted"]


# ---------------------------------------------------------------- faults
async def fails(engine: OpenAICompatible, **body: Any) -> APIError:
    with pytest.raises(APIError) as caught:
        await collect(engine, chat(**body))
    return caught.value


@pytest.mark.parametrize("fault", ["reset", "stall", "error", "cut", "nonsense"])
async def test_a_stream_that_fails_in_the_middle_is_a_server_error_and_not_repeated(
    engine: OpenAICompatible, server: ScriptedServer, fault: str
) -> None:
    server.fault, server.delay = fault, 0.01
    texts: list[str] = []
    with pytest.raises(ServerError):  # noqa: PT012 - what came before the error counts
        async for batch in engine.generate(chat(stream=True)):
            texts += [each.text for each in batch if isinstance(each, Text)]
    assert texts
    assert len(server.requests) == 1
    server.fault = None
    assert (await collect(engine, chat(stream=True)))[-1] == Usage(10, 3)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_silent_upstream_is_unavailable_and_asked_once(
    engine: OpenAICompatible, server: ScriptedServer, *, stream: bool
) -> None:
    server.fault = "hang"
    error = await fails(engine, stream=stream)
    assert isinstance(error, Unavailable)
    assert "in time" in error.message
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["500", "502", "503", "504"])
async def test_a_failing_upstream_is_asked_again_and_then_given_up(
    engine: OpenAICompatible, server: ScriptedServer, status: str
) -> None:
    server.fault = status
    error = await fails(engine)
    assert isinstance(error, ServerError | Unavailable)
    assert "scripted" not in error.message
    assert len(server.requests) == 2


async def test_a_limit_upstream_is_passed_on_with_its_time(
    engine: OpenAICompatible, server: ScriptedServer
) -> None:
    server.fault = "429"
    error = await fails(engine)
    assert isinstance(error, RateLimited)
    assert error.headers == {"retry-after": "7"}
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["401", "403"])
async def test_refused_credentials_are_our_fault_and_tell_nothing(
    engine: OpenAICompatible, server: ScriptedServer, status: str
) -> None:
    server.fault = status
    error = await fails(engine)
    assert (error.status, error.type) == (500, "server_error")
    assert "secret" not in error.message
    assert "scripted" not in error.message


async def test_a_refused_request_keeps_the_upstreams_words(
    engine: OpenAICompatible, server: ScriptedServer
) -> None:
    server.fault = "400"
    error = await fails(engine)
    assert isinstance(error, BadRequest)
    assert error.message == "scripted"
    assert len(server.requests) == 1


async def test_a_context_that_is_too_small_is_told_in_openais_words(
    engine: OpenAICompatible, server: ScriptedServer
) -> None:
    server.fault = "overflow"
    error = await fails(engine)
    assert isinstance(error, BadRequest)
    assert error.code == "context_length_exceeded"
    assert error.message == (
        "This model's maximum context length is 100 tokens. However, your messages resulted in "
        "120 tokens. Please reduce the length of the messages."
    )


async def test_an_upstream_that_is_down_is_unavailable() -> None:
    server = ScriptedServer()
    endpoints = Endpoints([await server.start()], retries=1)
    await server.stop()
    error = await fails(OpenAICompatible(endpoints, "x"))
    assert isinstance(error, Unavailable)
    assert "127.0.0.1" not in error.message
    assert not endpoints.healthy


# ---------------------------------------------------------------- fail-over and health
@pytest.fixture
async def pair() -> AsyncIterator[tuple[ScriptedServer, ScriptedServer, Endpoints]]:
    first, second = ScriptedServer(chunks=1), ScriptedServer(chunks=2)
    urls = [await first.start(), await second.start()]
    endpoints = Endpoints(urls, limits=Limits(1, 0.5, 0.2), retries=1, probe_seconds=0.02)
    yield first, second, endpoints
    await endpoints.close()
    await first.stop()
    await second.stop()


@pytest.mark.parametrize("fault", ["503", "429", "500"])
async def test_the_second_endpoint_answers_when_the_first_cannot(
    pair: tuple[ScriptedServer, ScriptedServer, Endpoints], fault: str
) -> None:
    first, _, endpoints = pair
    first.fault = fault
    assert (await collect(OpenAICompatible(endpoints, "x"), chat()))[-1] == Usage(10, 2)


async def test_a_dead_first_endpoint_is_passed_by(
    pair: tuple[ScriptedServer, ScriptedServer, Endpoints],
) -> None:
    first, second, endpoints = pair
    await first.stop()
    engine = OpenAICompatible(endpoints, "x")
    for _ in range(3):
        await collect(engine, chat(stream=True))
    assert len(second.requests) == 3
    assert [each.healthy for each in endpoints.endpoints] == [False, True]


async def test_the_probe_finds_an_endpoint_unwell_and_well_again(
    pair: tuple[ScriptedServer, ScriptedServer, Endpoints],
) -> None:
    first, _, endpoints = pair
    port = endpoints.endpoints[0].origin.port
    endpoints.start()
    await first.stop()
    await asyncio.sleep(0.2)
    assert [each.healthy for each in endpoints.endpoints] == [False, True]
    again = ScriptedServer()
    await again.start(port=port)
    await asyncio.sleep(0.2)
    assert [each.healthy for each in endpoints.endpoints] == [True, True]
    await again.stop()


# ---------------------------------------------------------------- the field map
def test_fields_are_renamed_left_out_kept_and_refused() -> None:
    fields = FieldMap({"top_k": "k", "seed": "", "service_tier": True, "logit_bias": False})
    body = {"max_completion_tokens": 1, "top_k": 2, "seed": 3, "service_tier": "auto", "user": "u"}
    assert fields.apply(body) == {"max_tokens": 1, "k": 2, "service_tier": "auto"}
    assert fields.apply({"logit_bias": None, "min_p": 0.1}) == {"min_p": 0.1}
    with pytest.raises(BadRequest) as caught:
        fields.apply({"logit_bias": {"1": 1}})
    assert (caught.value.param, caught.value.code) == ("logit_bias", "unsupported_parameter")


def test_roles_are_mapped_without_touching_the_messages() -> None:
    message = {"role": "developer", "content": "x"}
    assert FieldMap({}).apply({"messages": [message]}) == {
        "messages": [{"role": "system", "content": "x"}]
    }
    assert message["role"] == "developer"
    assert FieldMap({"roles": {}}).apply({"messages": [message]}) == {"messages": [message]}


@pytest.mark.parametrize("fields", [{"a": 1}, {"roles": "x"}, {"roles": {"a": 1}}])
def test_a_field_map_that_means_nothing_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="fields"):
        FieldMap(fields)
