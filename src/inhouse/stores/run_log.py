"""The events of background runs, as they were made: one row a flush.

A flush is written only while its attempt holds the job, and a sequence number exists once; so a
process that has lost the job cannot contradict what a reader has seen.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from inhouse.stores.database import Database, Statement

Json = dict[str, Any]
_INSERT = "INSERT INTO run_log (run, first, last, attempt, frames) VALUES (?, ?, ?, ?, ?)"
_READ = "SELECT last, frames FROM run_log WHERE run = ? AND last > ? ORDER BY first LIMIT 200"
_ENDED = "run IN (SELECT id FROM responses WHERE logged = 1 AND ended < ? ORDER BY ended LIMIT ?)"

_encode = msgspec.json.Encoder().encode_lines
_decode = msgspec.json.Decoder().decode_lines


def name(run: str) -> str:
    """What the readers of a run watch."""
    return f"run:{run}"


def appending(run: str, attempt: int, events: Sequence[Json]) -> Statement:
    """The statement that keeps `events`, which the job's attempt made (0: before it had a job).

    Goes into a unit with `Job.guard`. Duplicate if another attempt has written those numbers.
    """
    first, last = events[0]["sequence_number"], events[-1]["sequence_number"]
    return Statement(_INSERT, (run, first, last, attempt, _encode(events).decode()))


def deleting(run: str) -> Statement:
    """The statement that deletes all events of `run`."""
    return Statement("DELETE FROM run_log WHERE run = ?", (run,))


def standing(run: str, last: int) -> Statement:
    """A statement that lets its unit pass only while event `last` is the log's last; else Stale.

    Holds to the commit if the unit has ended the job before, or holds it.
    """
    sql = (
        "UPDATE run_log SET last = last WHERE run = ? AND last = ? AND NOT EXISTS"
        " (SELECT 1 FROM run_log WHERE run = ? AND last > ?)"
    )
    return Statement(sql, (run, last, run, last), rows=1)


class RunLog:
    """Reads and prunes the logs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, run: str, after: int) -> list[Json]:
        """Events of `run` with sequence numbers over `after`, in order; not more than 200
        flushes.
        """
        rows = await self._database.read(_READ, (run, after))
        events: list[Json] = []
        for _, frames in rows:
            events += (e for e in _decode(frames) if e["sequence_number"] > after)
        return events

    async def prune(self, before: int, runs: int = 100) -> None:
        """Delete the logs of up to `runs` runs that ended before that instant (seconds)."""
        await self._database.write(
            Statement(f"DELETE FROM run_log WHERE {_ENDED}", (before, runs)),  # noqa: S608
            Statement(
                "UPDATE responses SET logged = 0 WHERE id IN (SELECT id FROM responses"
                " WHERE logged = 1 AND ended < ? ORDER BY ended LIMIT ?)",
                (before, runs),
            ),
            quiet=True,
        )
