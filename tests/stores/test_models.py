import asyncio

import pytest

from inhouse.clock import FrozenClock
from inhouse.stores import Database
from inhouse.stores.models import ModelStore


@pytest.fixture
def models(database: Database, clock: FrozenClock) -> ModelStore:
    return ModelStore(database, clock)


async def test_entries_are_put_replaced_and_removed(models: ModelStore, clock: FrozenClock) -> None:
    await models.put("b", {"source": "pypi:b"})
    clock.advance(1)
    await models.put("a", {"source": "file:a"})
    await models.put("b", {"source": "hf:b", "sha256": None})
    assert await models.list() == {
        "b": {"source": "hf:b", "sha256": None},
        "a": {"source": "file:a"},
    }
    assert list(await models.list()) == ["b", "a"]
    assert await models.remove("b")
    assert not await models.remove("b")
    assert list(await models.list()) == ["a"]


async def test_aliases_are_put_replaced_and_removed(models: ModelStore) -> None:
    await models.put_alias("gpt-*", "x")
    await models.put_alias("gpt-*", "y")
    assert await models.aliases() == {"gpt-*": "y"}
    assert await models.remove_alias("gpt-*")
    assert not await models.remove_alias("gpt-*")
    assert await models.aliases() == {}


async def test_default_aliases_do_not_come_back_once_removed(models: ModelStore) -> None:
    await models.put_alias("o*", "mine")
    seeded = await asyncio.gather(*(models.seed({}, {"gpt-*": "x", "o*": "x"}) for _ in range(3)))
    assert sorted(seeded) == [False, False, True]
    assert await models.aliases() == {"gpt-*": "x", "o*": "mine"}
    await models.remove_alias("gpt-*")
    assert not await models.seed({}, {"gpt-*": "x"})
    assert await models.aliases() == {"o*": "mine"}


async def test_a_change_shows_in_the_generation(models: ModelStore) -> None:
    seen = {models.generation}
    await models.put("a", {})
    seen.add(models.generation)
    await models.put_alias("b", "a")
    seen.add(models.generation)
    await models.remove_alias("b")
    seen.add(models.generation)
    assert len(seen) == 4
