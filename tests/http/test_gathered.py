"""One write for what is written in one turn of the loop."""

import asyncio
from typing import cast

from inhouse.http.gathered import Gathered


class Kept:
    """A transport that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[bytes | str] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def close(self) -> None:
        self.closing = True
        self.told.append("closed")

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.told.append("paused")


def _gathered(kept: Kept) -> Gathered:
    return Gathered(cast("asyncio.Transport", kept), asyncio.get_running_loop())


async def test_what_is_written_in_one_turn_goes_out_in_one_piece() -> None:
    kept = Kept()
    gathered = _gathered(kept)
    gathered.write(b"head")
    gathered.write(b"body")
    assert kept.told == []
    await asyncio.sleep(0)
    gathered.write(b"next")
    await asyncio.sleep(0)
    assert kept.told == [b"headbody", b"next"]


async def test_what_was_written_goes_out_before_the_connection_is_closed() -> None:
    kept = Kept()
    gathered = _gathered(kept)
    gathered.write(b"last words")
    gathered.close()
    gathered.write(b"too late")
    await asyncio.sleep(0)
    assert kept.told == [b"last words", "closed"]


async def test_everything_else_is_the_transports_own() -> None:
    kept = Kept()
    _gathered(kept).pause_reading()
    assert kept.told == ["paused"]
