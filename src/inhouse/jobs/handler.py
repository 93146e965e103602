"""What a job of one kind does, and the two exceptions by which it says how it ended.

Retry   not now
Abort   never

Anything else that it raises is a failed attempt, and is tried again until the attempts are used up.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from inhouse.stores.jobs import Job


class Retry(Exception):
    """Not now: run the job again in `seconds`. It does not count as an attempt."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds} s")
        self.seconds = seconds


class Abort(Exception):
    """The job cannot succeed; `reason` says why. It is not tried again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Handler:
    """How jobs of `kind` are run.

    `run` may be called more than once for a job, and is cancelled when the job is, when its lease
    is lost and when the server stops; it finds out how far it came from the job's checkpoint and
    its subject, and writes only on the condition that it holds the job.

    `failed` is called, likewise under a lease, when the job will not be tried again, with the
    reason: so that its subject does not look busy for ever. It may be called more than once, too.

    `parallel` is how many a process runs at once.
    """

    kind: str
    run: Callable[[Job], Awaitable[None]]
    failed: Callable[[Job, str], Awaitable[None]] | None = None
    parallel: int = 10
