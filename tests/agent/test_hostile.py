"""Whatever a schema allows is answered or refused by name; nothing breaks."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from tests.agent.bodies import bodies
from tests.oracle import check_response

from inhouse.agent.chat.request import engine_body, prediction_text, service_tier
from inhouse.agent.chat.stored import stored_messages
from inhouse.agent.completions.request import plan
from inhouse.agent.responses import request as responses
from inhouse.agent.responses.echo import echo
from inhouse.agent.turn import estimate
from inhouse.contract import Contract
from inhouse.engines.scripted import EVERYTHING
from inhouse.errors import BadRequest
from inhouse.ids import Ids

CHAT = Contract.load().operations["POST /chat/completions"]
RESPONSE = Contract.load().operations["POST /responses"]
COMPLETION = Contract.load().operations["POST /completions"]
slow = settings(suppress_health_check=list(HealthCheck), deadline=None)


async def same(url: str, param: str) -> str:
    return url


async def text(ids: Any) -> str:
    return "x" * len(ids)


@slow
@given(bodies(CHAT))
async def test_no_chat_body_breaks_anything(body: dict[str, Any]) -> None:
    try:
        CHAT.check_body(body)
        prediction_text(body)
        service_tier(body)
        stored_messages(body["messages"])
        asked = await engine_body(body, EVERYTHING, same)
    except BadRequest:
        return
    assert estimate(asked) >= 0
    assert len(asked["messages"]) == len(body["messages"])


@slow
@given(bodies(COMPLETION))
async def test_no_legacy_body_breaks_anything(body: dict[str, Any]) -> None:
    try:
        made = await plan(COMPLETION.check_body(body), EVERYTHING, text)
    except BadRequest:
        return
    assert len(made.calls) == len(made.texts) > 0


@slow
@given(bodies(RESPONSE))
async def test_no_response_body_breaks_anything(body: dict[str, Any]) -> None:
    try:
        RESPONSE.check_body(body)
        responses.check(body)
        items = responses.new_items(body, Ids())
        asked = await responses.engine_body(body, items, EVERYTHING, same, str)
    except BadRequest:
        return
    assert estimate(asked) >= 0
    check_response("POST /responses", 200, echo(body, "resp_1", 1, "m"))
    responses.names(body, items)
