"""Schemas and grammars on the real model: enforced, or refused before the first token."""

import asyncio
import json
import time

import jsonschema_rs
import pytest
from tests.engines.embedded.hearing import (
    TOOLS,
    WEATHER,
    check,
    custom,
    hear,
)

from inhouse.engines.embedded.text import EmbeddedText
from inhouse.engines.text import Json
from inhouse.errors import BadRequest, ServerError

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_an_answer_follows_its_schema(engine: EmbeddedText, seed: int) -> None:
    wanted = {"name": "w", "schema": WEATHER, "strict": True}
    heard = await hear(
        engine,
        response_format={"type": "json_schema", "json_schema": wanted},
        seed=seed,
        temperature=1.5,
        max_tokens=60,
    )
    assert jsonschema_rs.is_valid(WEATHER, json.loads(heard.text)), heard.text
    assert heard.reasons == {0: "stop"}


async def test_an_answer_or_a_call_where_both_are_asked_for(engine: EmbeddedText) -> None:
    wanted = {"name": "w", "schema": WEATHER, "strict": True}
    heard = await hear(
        engine,
        response_format={"type": "json_schema", "json_schema": wanted},
        tools=TOOLS,
        max_tokens=80,
    )
    if heard.calls:
        check(heard.calls[0][0])
    else:
        assert jsonschema_rs.is_valid(WEATHER, json.loads(heard.text))


async def test_a_schema_that_cannot_be_enforced_is_refused_before_the_first_token(
    engine: EmbeddedText,
) -> None:
    wanted = {"name": "w", "schema": {"type": "string", "pattern": "(a"}, "strict": True}
    with pytest.raises(BadRequest) as caught:
        await hear(engine, response_format={"type": "json_schema", "json_schema": wanted})
    assert caught.value.param == "response_format.json_schema.schema"


COMPLEX = [
    ({"guided_regex": "((a{1,1000}){1,1000}){1,1000}"}, "guided_regex"),
    ({"guided_grammar": "start: " + " | ".join(f'"{n}"' for n in range(9000))}, "guided_grammar"),
    (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "w", "schema": {"$ref": "#"}},
            }
        },
        "response_format.json_schema.schema",
    ),
    (
        {"tools": [TOOLS[0], custom("c", "lark", "start: A\nA: /a/ & /b/")]},
        "tools[1].custom.format",
    ),
]


@pytest.mark.parametrize(("body", "param"), COMPLEX, ids=[param for _, param in COMPLEX])
async def test_what_the_engine_would_let_go_of_is_refused_before_the_first_token(
    engine: EmbeddedText, body: Json, param: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        await hear(engine, **body)
    assert caught.value.param == param


LATE = "[a-z]{60}((a{1,1000}){1,1000}){1,1000}"


async def test_a_grammar_that_the_engine_lets_go_of_on_the_way_ends_in_an_error(
    engine: EmbeddedText,
) -> None:
    """It would go on without the grammar. While nothing was said, it is the request's fault."""
    with pytest.raises(ServerError) as caught:
        await hear(engine, guided_regex=LATE, max_tokens=400)
    assert caught.value.code == "grammar_too_complex"
    with pytest.raises(BadRequest) as refused:
        await hear(engine, guided_regex=LATE, max_tokens=400, stream=False)
    assert refused.value.code == "grammar_too_complex"
    assert refused.value.param == "guided_regex"
    assert (await hear(engine)).text


async def test_any_number_of_choices_is_held_to_and_holds_no_one_up(engine: EmbeddedText) -> None:
    choices = [f"{at} bottles" for at in range(20_000)]
    before = time.thread_time()
    heard = await hear(engine, guided_choice=choices)
    assert time.thread_time() - before < 0.2  # of the loop's own thread
    assert heard.text in choices


async def test_a_large_schema_does_not_hold_others_up(engine: EmbeddedText) -> None:
    number = {"type": "number", "minimum": 0.1, "maximum": 1e9}
    part = {"type": "object", "properties": {f"q{at}": number for at in range(30)}}
    schema = {"type": "object", "properties": {f"p{at}": part for at in range(60)}}
    wanted = {"name": "large", "schema": schema}
    task = asyncio.create_task(
        hear(
            engine,
            response_format={"type": "json_schema", "json_schema": wanted},
            max_tokens=2,
        )
    )
    before = time.thread_time()
    assert (await task).reasons
    assert time.thread_time() - before < 0.3  # of the loop's own thread
