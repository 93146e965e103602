"""Wrong requests over a WebSocket: each is told what is wrong, and the connection stays."""

import asyncio
import json
import random
from typing import Any

import pytest
from tests.conftest import House
from tests.contract.clients import BODIES, RESPONSES
from tests.contract.mutations import mutate
from websockets.asyncio.client import ClientConnection, connect

ENDS = {"response.completed", "response.incomplete", "response.failed", "error"}
MESSAGES = 150


async def end(line: ClientConnection) -> dict[str, Any]:
    """The event that ends the response."""
    while True:
        event = json.loads(await line.recv())
        if event["type"] in ENDS:
            return event


@pytest.mark.parametrize("seed", range(2))
async def test_no_message_is_the_servers_fault(house: House, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    bodies = [body for _, operation, body in BODIES if operation == RESPONSES]
    url = house.url.replace("http", "ws") + "/responses"
    key = {"Authorization": f"Bearer {house.key}"}
    statuses = set[int | None]()
    async with asyncio.timeout(60), connect(url, additional_headers=key, max_size=None) as line:
        for _ in range(MESSAGES):
            body = mutate(chance.choice(bodies), chance)
            message = {**body, "type": "response.create", "stream": True, "stream_id": "a"}
            await line.send(json.dumps(message))
            event = await end(line)
            assert event["type"] != "response.failed", message
            assert event.get("status") in {None, 400, 404}, message
            assert event["stream_id"] == "a"
            statuses.add(event.get("status"))
    assert {None, 400} <= statuses
