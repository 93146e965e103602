"""When units are handed over."""

import asyncio

from inhouse.stores.desk import GATHERING_SECONDS, Desk, Unit


async def test_a_unit_that_comes_alone_is_handed_over_at_once() -> None:
    handed: list[list[Unit]] = []
    desk = Desk(asyncio.get_running_loop(), handed.append)
    desk.submit((), quiet=True)
    await asyncio.sleep(0)
    assert [len(units) for units in handed] == [1]


async def test_units_that_follow_closely_go_together() -> None:
    handed: list[list[Unit]] = []
    desk = Desk(asyncio.get_running_loop(), handed.append)
    for _ in range(3):
        desk.submit((), quiet=True)
        await asyncio.sleep(0)
    assert [len(units) for units in handed] == [1]
    await asyncio.sleep(2 * GATHERING_SECONDS)
    assert [len(units) for units in handed] == [1, 2]
