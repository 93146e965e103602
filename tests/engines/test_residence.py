"""Which models are in memory: loaded on demand, within a budget, longest idle out first."""

import asyncio

import pytest

from inhouse.engines.catalogue import Entry
from inhouse.engines.residence import Residence, Running
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.scripted_models import ScriptedLoader, scripted_entry
from inhouse.errors import Unavailable

A, B, C = (scripted_entry(name) for name in "abc")


class HeldLoader(ScriptedLoader):
    """Loads when `open` is set; fails once for each id in `failing`."""

    def __init__(self) -> None:
        super().__init__(Scripted(answer("x")))
        self.open = asyncio.Event()
        self.open.set()
        self.failing: list[str] = []

    async def load(self, entry: Entry) -> Running:
        await self.open.wait()
        if entry.id in self.failing:
            self.failing.remove(entry.id)
            raise Unavailable("It cannot be loaded.")
        return await super().load(entry)


@pytest.fixture
def loader() -> HeldLoader:
    return HeldLoader()


async def touch(residence: Residence, *entries: Entry) -> None:
    for entry in entries:
        async with residence.use(entry):
            pass


async def test_a_model_loads_once_for_all_who_wait(loader: HeldLoader) -> None:
    residence = Residence(loader, 10)
    loader.open.clear()
    users = [asyncio.create_task(touch(residence, A)) for _ in range(5)]
    await asyncio.sleep(0)
    assert residence.state("a") == "loading"
    loader.open.set()
    await asyncio.gather(*users)
    assert loader.loaded == ["a"]
    assert residence.state("a") == "loaded"


async def test_who_was_idle_longest_is_unloaded_for_a_new_one(loader: HeldLoader) -> None:
    residence = Residence(loader, 2)
    await touch(residence, A, B, A, C)
    assert loader.stopped == ["b"]
    assert [residence.state(name) for name in "abc"] == ["loaded", "not loaded", "loaded"]


async def test_a_model_in_use_is_never_unloaded(loader: HeldLoader) -> None:
    residence = Residence(loader, 2)
    async with residence.use(A):
        await touch(residence, B, C, B, C)
        assert residence.state("a") == "loaded"
    assert loader.stopped == ["b", "c", "b"]


async def test_a_request_waits_until_memory_is_free(loader: HeldLoader) -> None:
    residence = Residence(loader, 1)
    async with residence.use(A):
        waiting = asyncio.create_task(touch(residence, B))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        assert loader.stopped == []
    await asyncio.wait_for(waiting, 1)
    assert (loader.loaded, loader.stopped) == (["a", "b"], ["a"])


async def test_the_wait_for_memory_is_bounded_and_says_when_to_try_again(
    loader: HeldLoader,
) -> None:
    residence = Residence(loader, 1, wait_seconds=0.02)
    async with residence.use(A):
        with pytest.raises(Unavailable) as refused:
            await touch(residence, B)
    assert refused.value.code == "model_overloaded"
    assert refused.value.headers["Retry-After"]
    await touch(residence, B)


async def test_a_model_that_never_fits_is_refused_at_once(loader: HeldLoader) -> None:
    loader.size = 3
    residence = Residence(loader, 2)
    with pytest.raises(Unavailable) as refused:
        await touch(residence, A)
    assert refused.value.code == "model_does_not_fit"
    assert loader.loaded == []


async def test_a_load_that_failed_is_tried_again_by_the_next_request(loader: HeldLoader) -> None:
    residence = Residence(loader, 1)
    loader.failing = ["a"]
    with pytest.raises(Unavailable, match="cannot be loaded"):
        await touch(residence, A)
    await touch(residence, A)
    assert loader.loaded == ["a"]


async def test_the_memory_of_a_load_that_failed_is_given_to_who_waits(loader: HeldLoader) -> None:
    residence = Residence(loader, 1)
    loader.open.clear()
    loader.failing = ["a"]
    first, second = (asyncio.create_task(touch(residence, entry)) for entry in (A, B))
    await asyncio.sleep(0.01)
    loader.open.set()
    with pytest.raises(Unavailable):
        await first
    await asyncio.wait_for(second, 1)
    assert loader.loaded == ["b"]


async def test_two_loads_never_take_the_same_memory(loader: HeldLoader) -> None:
    residence = Residence(loader, 2)
    users = [asyncio.create_task(touch(residence, entry)) for entry in (A, B, C) for _ in range(3)]
    peak = 0
    while not all(user.done() for user in users):
        peak = max(peak, len(loader.loaded) - len(loader.stopped))
        await asyncio.sleep(0)
    await asyncio.gather(*users)
    assert peak <= 2
    assert set(loader.loaded) == {"a", "b", "c"}


async def test_a_request_that_goes_away_does_not_stop_the_load(loader: HeldLoader) -> None:
    residence = Residence(loader, 1)
    loader.open.clear()
    user = asyncio.create_task(touch(residence, A))
    await asyncio.sleep(0)
    user.cancel()
    with pytest.raises(asyncio.CancelledError):
        await user
    loader.open.set()
    await residence.begin(A)
    assert residence.state("a") == "loaded"


async def test_a_retired_model_goes_when_its_last_user_does(loader: HeldLoader) -> None:
    residence = Residence(loader, 2)
    async with residence.use(A):
        residence.retire("a")
        await asyncio.sleep(0.01)
        assert loader.stopped == []
        await touch(residence, A)  # anew, beside the old one
    await asyncio.sleep(0.01)
    assert (loader.loaded, loader.stopped) == (["a", "a"], ["a"])


async def test_closing_does_not_wait_for_users(loader: HeldLoader) -> None:
    residence = Residence(loader, 2)
    async with residence.use(A), residence.use(B):
        residence.retire("a")
        await asyncio.sleep(0)
        await asyncio.wait_for(residence.close(), 1)
        assert sorted(loader.stopped) == ["a", "b"]


async def test_closing_stops_what_is_loaded_and_what_is_loading(loader: HeldLoader) -> None:
    residence = Residence(loader, 2)
    await touch(residence, A)
    loader.open.clear()
    loading = residence.begin(B)
    await asyncio.sleep(0)
    await asyncio.wait_for(residence.close(), 1)
    assert loader.stopped == ["a"]
    assert loading.cancelled()
