"""Clients for the whole servers of these tests."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from tests.conftest import House
from tests.faults.asking import Asker


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections without a bound on their number; no request takes longer than a minute."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield session


@pytest.fixture
def asker(house: House, session: aiohttp.ClientSession) -> Asker:
    """A client of `house`, with the owner's key."""
    return Asker(session, house.url, house.key)
