"""What is found out of upstreams of several kinds, what follows from it, and what happens while it
cannot be found out."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from inhouse.engines import abilities
from inhouse.engines.scripted_kinds import GUISES
from inhouse.engines.scripted_server import ScriptedServer
from inhouse.engines.text import Json, Text, TextCall, Usage
from inhouse.engines.upstream_facts import told
from inhouse.engines.upstreams import Source
from inhouse.errors import BadRequest
from inhouse.settings import Upstream

HELLO: Json = {"messages": [{"role": "developer", "content": "x"}], "stream": True}


class Found:
    """A server in a guise, and the source that probed it."""

    def __init__(self, server: ScriptedServer, source: Source) -> None:
        self.server = server
        self.source = source

    async def call(self, **body: Any) -> list[Any]:
        """The deltas of an answer."""
        engine = self.source.text("m")
        call = TextCall("chat", {**HELLO, **body})
        return [delta async for batch in engine.generate(call) for delta in batch]

    async def sent(self, **body: Any) -> Json:
        """What the server is sent for a call."""
        self.server.requests.clear()
        await self.call(**body)
        return self.server.requests[0][2]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(chunks=1)
    yield server
    await server.stop()


@pytest.fixture
async def found(server: ScriptedServer, request: pytest.FixtureRequest) -> AsyncIterator[Found]:
    """Indirect: the guise, and settings of the upstream."""
    guise, settings = request.param if isinstance(request.param, tuple) else (request.param, {})
    server.guise = GUISES[guise]
    source = Source(Upstream(name="up", base_urls=(await server.start(),), **settings))
    found = Found(server, source)
    if guise not in {"strict", "vectors", "cloud"}:
        await found.call()
    else:
        source.text("m")
    await probed(source)
    yield found
    await source.close()


async def probed(source: Source) -> None:
    """Wait until nothing more is being found out."""
    for _ in range(500):
        if source._probing is None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the probe does not end")


def guise(name: str, **settings: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("found", [(name, settings)], indirect=True)


@pytest.mark.parametrize(
    ("found", "name"),
    [
        ("vllm", "vLLM 0.14.1"),
        ("sglang", "SGLang 0.5.4"),
        ("llama-server", "llama-server b7000"),
        ("ollama", "Ollama 0.40.1"),
        ("cloud", "OpenAI"),
        ("scripted", ""),
    ],
    indirect=["found"],
)
async def test_a_server_is_known_by_what_it_says_of_itself(found: Found, name: str) -> None:
    assert found.source.facts.server == name
    assert found.source.facts.whole


@guise("vllm")
async def test_a_server_that_takes_everything_is_asked_for_one_token_once(found: Found) -> None:
    chats = [body for path, _, body in found.server.requests if path.endswith("/completions")]
    assert [body.get("max_tokens") for body in chats] == [None, 1]
    await found.call()
    assert len(found.server.requests) == len(chats) + 4  # models, version, tokenize, and this one
    assert found.source.facts.developer is True
    assert found.source.facts.counts is True


@guise("vllm")
async def test_guides_go_where_the_version_of_the_server_has_them(found: Found) -> None:
    sent = await found.sent(guided_json={"type": "object"}, top_k=3)
    assert (sent["structured_outputs"], sent["top_k"]) == ({"json": {"type": "object"}}, 3)
    assert "guided_json" not in sent


@guise("old-vllm")
async def test_an_older_version_has_them_by_their_own_names(found: Found) -> None:
    assert (await found.sent(guided_regex="a+"))["guided_regex"] == "a+"


@guise("llama-server")
async def test_extensions_that_a_server_passes_over_are_refused(found: Found) -> None:
    assert (await found.sent(repetition_penalty=1.1))["repeat_penalty"] == 1.1
    with pytest.raises(BadRequest, match="'guided_regex' is not supported"):
        await found.call(guided_regex="a+")
    assert found.source.facts.counts is True


@guise("ollama")
async def test_what_a_server_ignores_is_no_ability_of_its_models(found: Found) -> None:
    able = found.source.text("m").abilities
    assert able & {abilities.LOGPROBS, abilities.EXTENSIONS} == set()
    assert abilities.TOOLS in able
    assert (await found.sent(n=1, logit_bias={})).get("n") is None
    with pytest.raises(BadRequest, match="'n' is not supported"):
        await found.call(n=2)


@guise("cloud")
async def test_a_cloud_gets_its_own_names(found: Found) -> None:
    sent = await found.sent(max_completion_tokens=5, verbosity="low")
    assert (sent["max_completion_tokens"], sent["verbosity"]) == (5, "low")
    assert sent["messages"][0]["role"] == "developer"
    assert abilities.LOGPROBS in found.source.text("m").abilities


@guise("strict")
async def test_a_server_that_refuses_much_is_asked_piece_by_piece(found: Found) -> None:
    facts = found.source.facts
    assert facts.developer is False
    assert abilities.LOGPROBS in facts.lacks
    assert abilities.EXTENSIONS not in facts.lacks
    assert facts.fields == {"max_completion_tokens": True, "stream_options": "", "min_p": False}
    deltas = await found.call(max_completion_tokens=5)
    assert isinstance(deltas[-1], Usage)  # estimated: the server was not asked for it
    assert "stream_options" not in await found.sent()


@guise("strict")
async def test_what_was_found_out_stays_when_the_models_are_listed_anew(found: Found) -> None:
    facts = found.source.facts
    await found.source.listing()
    assert found.source.facts == facts


async def test_a_listing_alone_tells_the_kind_of_a_server(server: ScriptedServer) -> None:
    server.guise = GUISES["llama-server"]
    source = Source(Upstream(name="up", base_urls=(await server.start(),)))
    await source.listing()
    assert (source.facts.server, source.facts.whole) == ("llama-server", False)
    server.fault = "500"
    source.text("m")
    await probed(source)
    assert (source.facts.server, source.facts.whole) == ("llama-server b7000", False)
    await source.close()


@guise("vectors")
async def test_a_model_that_does_not_chat_leaves_what_is_assumed(found: Found) -> None:
    assert (found.source.facts.whole, found.source.facts.fields) == (True, {})


@guise("vllm", fields={"guided_json": False, "seed": ""}, abilities=("text",))
async def test_what_the_operator_says_wins(found: Found) -> None:
    with pytest.raises(BadRequest):
        await found.call(guided_json={"type": "object"})
    assert found.source.text("m").abilities == {"text"}
    known = told(found.source.settings, found.source.facts)
    assert known["seed"] == ("", "configured")
    assert known["guided_json"] == (False, "configured")
    assert known["guided_regex"] == ("structured_outputs.regex", "probed")
    assert known["max_completion_tokens"] == ("max_tokens", "probed")
    assert known["verbosity"] == ("", "assumed")


@guise("vllm", probe=False)
async def test_a_server_is_left_alone_where_the_settings_say_so(found: Found) -> None:
    assert len(found.server.requests) == 1


@pytest.mark.parametrize("fault", ["hang", "500", "429", "reset", "nonsense", "stall", "error"])
async def test_a_server_that_fails_while_it_is_probed_is_taken_as_assumed(
    server: ScriptedServer, fault: str
) -> None:
    upstream = Upstream(
        name="up", base_urls=(await server.start(),), first_byte_seconds=0.1, idle_seconds=0.1
    )
    source = Source(upstream)
    server.fault = fault
    queue = source.text("m")
    await probed(source)
    assert not source.facts.whole
    server.fault = None
    call = TextCall("chat", {**HELLO, "max_completion_tokens": 9})
    deltas = [delta async for batch in queue.generate(call) for delta in batch]
    assert isinstance(deltas[0], Text)
    assert server.requests[-1][2]["max_tokens"] == 9
    asked = len(server.requests)
    source.text("m")
    assert source._probing is None  # not again so soon
    assert len(server.requests) == asked
    await source.close()


async def test_a_call_does_not_wait_for_the_probe(server: ScriptedServer) -> None:
    server.fault = "hang"
    source = Source(Upstream(name="up", base_urls=(await server.start(),)))
    source.text("m")
    await asyncio.sleep(0.05)
    server.fault = None
    async with asyncio.timeout(5):
        call = TextCall("chat", HELLO)
        assert [batch async for batch in source.text("m").generate(call)]
    assert source._probing is not None
    await source.close()
