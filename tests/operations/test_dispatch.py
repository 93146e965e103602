"""The way in for callers inside the house; HTTP's own way is tested with the edge."""

import pytest
from tests.conftest import House

from inhouse.errors import MethodNotAllowed, NotFound, NotImplementedYet, PermissionDenied
from inhouse.operations import Stream
from inhouse.scope import Principal, Scope

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


def scope(*permissions: str) -> Scope:
    """A request by somebody who has these permissions."""
    principal = Principal("user_1", "org_1", "proj_1", "key_1", frozenset(permissions))
    return Scope("org_1", "proj_1", principal, "req_1")


async def test_an_operation_answers_a_caller_inside_as_it_answers_http(house: House) -> None:
    dispatch = house.services.dispatcher.dispatch
    asker = scope("*")
    answer = await dispatch(asker, "POST", "/chat/completions", CHAT)
    assert isinstance(answer.result, dict)
    assert answer.result["choices"][0]["message"]["content"] == "Hello there."
    assert asker.usage.total == 4
    models = await dispatch(scope("models.read"), "GET", "/models")
    assert isinstance(models.result, dict)
    assert models.result["object"] == "list"


async def test_a_stream_is_settled_when_it_ends(house: House) -> None:
    body = {**CHAT, "stream": True}
    answer = await house.services.dispatcher.dispatch(scope("*"), "POST", "/chat/completions", body)
    assert isinstance(answer.result, Stream)
    assert [chunk async for batch in answer.result.batches for chunk in batch]
    assert await house.services.database.read("SELECT output, status FROM usage") == [(3, 200)]


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        ("GET", "/nothing", NotFound),
        ("PUT", "/models", MethodNotAllowed),
        ("GET", "/files", NotImplementedYet),
        ("GET", "/models", PermissionDenied),
    ],
)
async def test_the_checks_are_those_of_http(
    house: House, method: str, path: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await house.services.dispatcher.dispatch(scope("files.read"), method, path)
