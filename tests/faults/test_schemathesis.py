"""schemathesis over `/openapi.json`: neither what is valid nor what is not makes a 5xx.

The server runs in a thread with a loop of its own, because schemathesis blocks. Bounded and
deterministic: the same examples every time.
"""

import asyncio
import re
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from tests.conftest import House, running

from inhouse.engines.scripted import Scripted, answer
from inhouse.settings import Settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis import GenerationMode

EXAMPLES = 60
MODELS = {"/embeddings": "vectors"}
SELDOM = {"POST /responses", "POST /responses/compact", "POST /responses/input_tokens"}
"""Chance hardly ever makes a body of theirs that refers to nothing and asks for nothing that is not
there.
"""


_LACKED = re.compile(
    r"\.(call_id|action\.(timeout_ms|max_output_length)): the document requires it"
)
"""What clients may leave out of a shell's call, or of a local shell's output, and the document
wants in a list: it is not filled in yet.
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A running server, in a thread."""
    ready, stop = threading.Event(), asyncio.Event()
    houses: list[House] = []
    loop = asyncio.new_event_loop()

    async def live() -> None:
        data = tmp_path_factory.mktemp("schemathesis") / "data"
        settings = Settings(
            data=data, default_models=False, tokens_per_minute=10**12, requests_per_minute=10**9
        )
        async with running(settings, Scripted(answer("Hello", " there", "."))) as house:
            houses.append(house)
            ready.set()
            await stop.wait()
            house.recorder.wrong[:] = [each for each in house.recorder.wrong if not _echoed(each)]

    failures: list[BaseException] = []

    def run() -> None:
        try:
            loop.run_until_complete(live())
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait(30)
    if houses:
        yield houses[0]
        loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()
    if failures:
        raise failures[0]


def _echoed(wrong: str) -> bool:
    """Whether nothing is wrong but what chance wrote into an item, which is told as it came."""
    unknown = "neither the SDK nor the document knows" in wrong
    return "/items" in wrong and (unknown or _LACKED.search(wrong) is not None)


@pytest.fixture(scope="module")
def operations(house: House) -> list[Any]:
    """What the document describes."""
    document = requests.get(f"{house.url.removesuffix('/v1')}/openapi.json", timeout=10).json()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema = schemathesis.openapi.from_dict(document)
        return [found.ok() for found in schema.get_all_operations()]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_that_schemathesis_makes_is_a_5xx(
    house: House, operations: list[Any], mode: GenerationMode
) -> None:
    assert len(operations) >= 11
    for operation in operations:
        statuses = _tried(house, operation, mode)
        assert statuses
        if operation.method == "delete" or operation.label in SELDOM:
            continue
        if mode is GenerationMode.POSITIVE:
            assert statuses.count(200) >= EXAMPLES / 20, operation.label


def _tried(house: House, operation: Any, mode: GenerationMode) -> list[int]:
    """The statuses of `EXAMPLES` requests, each as it is and with what is known here."""
    statuses: list[int] = []
    known = {"model": "scripted", **_stored(house)}
    headers = {"authorization": f"Bearer {house.key}"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strategy = operation.as_strategy(generation_mode=mode)

        @hypothesis_settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def send(case: Any) -> None:
            ask(case)
            if _made_known(case, known):
                ask(case)

        def ask(case: Any) -> None:
            response = case.call(base_url=house.url, headers=headers, timeout=20)
            assert response.status_code < 500, (operation.label, case.body, response.text)
            statuses.append(response.status_code)

        send()
    return statuses


def _made_known(case: Any, known: dict[str, str]) -> bool:
    """Whether the request could be changed to speak of a model and an object that are there."""
    if case.method == "DELETE":
        return False
    changed = False
    if isinstance(case.body, dict) and "model" in case.body:
        case.body["model"] = MODELS.get(case.operation.path, "scripted")
        changed = True
    for name in known.keys() & (case.path_parameters or {}).keys():
        case.path_parameters[name] = known[name]
        changed = True
    return changed


def _stored(house: House) -> dict[str, str]:
    """The ids of what is stored: a chat completion, a response, a conversation with an item."""
    chat = {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}], "store": True}
    response = {"model": "scripted", "input": "Hi", "background": True}
    conversation = _posted(house, "/conversations", {"items": [{"role": "user", "content": "Hi"}]})
    items = f"/conversations/{conversation}/items"
    return {
        "completion_id": _posted(house, "/chat/completions", chat),
        "response_id": _posted(house, "/responses", response),
        "conversation_id": conversation,
        "item_id": _asked(house, "GET", items, None)["data"][0]["id"],
    }


def _posted(house: House, path: str, body: Any) -> str:
    return _asked(house, "POST", path, body)["id"]


def _asked(house: House, method: str, path: str, body: Any) -> Any:
    headers = {"authorization": f"Bearer {house.key}"}
    answer = requests.request(method, f"{house.url}{path}", json=body, headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.json()
