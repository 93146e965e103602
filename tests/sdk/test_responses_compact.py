"""client.responses.compact, parameter by parameter, through the official client."""

from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, InternalServerError, NotFoundError
from tests.sdk.covering import Covering

from inhouse.contract import Contract
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.text import Finish, Reasoning, Usage
from inhouse.errors import BadRequest

Json = dict[str, Any]
parameter = Covering()
SAID: list[Json] = [
    {"role": "user", "content": "I am Ann."},
    {"role": "assistant", "content": "Hello Ann."},
    {"role": "user", "content": "I like tea."},
]


@pytest.fixture
def engine() -> Scripted:
    return Scripted(answer("Ann likes tea.", usage=Usage(20, 5, cached=8)))


@pytest.fixture
def compact(client: AsyncOpenAI) -> Any:
    """Compact with the parameters under test."""

    async def compact(**parameters: Any) -> Any:
        given: Json = {"model": "scripted", "input": SAID, **parameters}
        return await client.responses.compact(**given)

    return compact


async def refused(asked: Any) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        await asked
    return caught.value


def test_every_parameter_has_a_test_of_its_own() -> None:
    schema = Contract.load().operations["POST /responses/compact"].body_schema
    assert parameter.names == set(schema["properties"])


@parameter("input")
async def test_what_people_said_is_left_and_the_rest_is_sealed(
    compact: Any, engine: Scripted
) -> None:
    done = await compact()
    assert (done.object, done.id.split("_")[0]) == ("response.compaction", "resp")
    *said, compaction = done.to_dict(warnings=False)["output"]
    assert [item["content"][0]["text"] for item in said] == ["I am Ann.", "I like tea."]
    assert compaction["type"] == "compaction"
    assert "tea" not in compaction["encrypted_content"]
    assert (done.usage.input_tokens, done.usage.output_tokens) == (20, 5)
    assert done.usage.input_tokens_details.cached_tokens == 8
    *read, asked = engine.calls[0].body["messages"]
    assert read == SAID
    assert "Sum up" in asked["content"]


async def test_a_text_is_an_input_too(compact: Any) -> None:
    done = await compact(input="I am Ann.")
    assert [item.type for item in done.output] == ["message", "compaction"]


async def test_calls_may_be_open_and_outputs_have_their_call(compact: Any) -> None:
    pair = {"call_id": "call_1"}
    call = {"type": "function_call", "name": "add", "arguments": "{}", **pair}
    output = {"type": "function_call_output", "output": "2", **pair}
    for given in ([*SAID, call], [*SAID, call, output]):
        assert (await compact(input=given)).output[-1].type == "compaction"
    error = await refused(compact(input=[*SAID, output]))
    assert (error.param, "No tool call found" in error.message) == ("input", True)


@pytest.mark.parametrize("given", [{}, {"input": None}, {"input": []}])
async def test_nothing_cannot_be_summed_up(client: AsyncOpenAI, given: Any) -> None:
    error = await refused(client.responses.compact(model="scripted", **given))
    assert (error.param, error.code) == ("input", "missing_required_parameter")


@parameter("model")
async def test_a_model_must_be_named(compact: Any) -> None:
    await compact(model="gpt-5.2")
    with pytest.raises(NotFoundError) as caught:
        await compact(model="nobody")
    assert caught.value.code == "model_not_found"
    error = await refused(compact(model=None))
    assert (error.param, error.code) == ("model", "missing_required_parameter")
    assert (await refused(compact(model="vectors"))).param == "model"


@parameter("instructions")
async def test_instructions_are_read_and_not_left(compact: Any, engine: Scripted) -> None:
    done = await compact(instructions="Be brief.")
    assert engine.calls[0].body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert "Be brief." not in str(done.to_dict(warnings=False))


@parameter("previous_response_id")
async def test_a_chain_of_responses_is_compacted(
    compact: Any, client: AsyncOpenAI, engine: Scripted
) -> None:
    engine.script = answer("Hello.")
    first = await client.responses.create(model="scripted", input="I am Ann.")
    done = await compact(input="I like tea.", previous_response_id=first.id)
    assert [item.type for item in done.output] == ["message", "message", "compaction"]
    read = [message["content"] for message in engine.calls[1].body["messages"]]
    assert read[:3] == ["I am Ann.", "Hello.", "I like tea."]
    error = await refused(compact(previous_response_id="resp_nobody"))
    assert (error.param, error.code) == ("previous_response_id", "previous_response_not_found")


@parameter("image")
async def test_images_are_not_compressed(compact: Any) -> None:
    idle = await compact(image={"context_compression": "auto"})
    assert idle.image.context_compression == "disabled"
    error = await refused(compact(image={"context_compression": "enabled"}))
    assert (error.param, error.code) == ("image", "unsupported_parameter")


@parameter("prompt_cache_key", "prompt_cache_retention", "service_tier")
@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("prompt_cache_key", "k", "k" * 65),
        ("prompt_cache_retention", "24h", "1h"),
        ("service_tier", "flex", "slow"),
    ],
)
async def test_hints_go_to_the_engine(
    compact: Any, engine: Scripted, name: str, value: str, wrong: str
) -> None:
    await compact(**{name: value})
    assert engine.calls[0].body[name] == value
    assert (await refused(compact(**{name: wrong}))).param == name


@parameter("prompt_cache_options")
async def test_options_of_the_cache_are_taken(compact: Any) -> None:
    await compact(prompt_cache_options={"mode": "implicit", "ttl": "30m"})
    error = await refused(compact(prompt_cache_options={"mode": "none"}))
    assert (error.param, error.code) == ("prompt_cache_options.mode", "invalid_value")


async def test_a_context_is_not_lost_to_an_empty_summary(compact: Any, engine: Scripted) -> None:
    engine.script = [[Reasoning(0, "Hm."), Finish(0, "length"), Usage(20, 5)]]
    with pytest.raises(InternalServerError, match="no summary"):
        await compact()


async def test_what_only_a_response_has_is_refused(compact: Any) -> None:
    error = await refused(compact(extra_body={"temperature": 1}))
    assert (error.param, error.code) == ("temperature", "unknown_parameter")


async def test_what_the_engine_refuses_is_told_by_the_requests_own_names(
    compact: Any, engine: Scripted
) -> None:
    engine.script = [BadRequest("Invalid 'messages'.", param="messages")]
    error = await refused(compact())
    assert (error.param, "'input'" in error.message) == ("input", True)
