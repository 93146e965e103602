"""One attempt at a job: runs its handler and writes down how it ended."""

import asyncio
import logging
from collections.abc import Awaitable

from inhouse.jobs.handler import Abort, Handler, Retry
from inhouse.stores.errors import Stale
from inhouse.stores.jobs import Job, Jobs

log = logging.getLogger(__name__)

_TRIES_TO_FAIL = 5
"""How many further attempts `failed` gets if it raises itself."""


class Attempt:
    """Runs as a task, which never raises."""

    def __init__(self, job: Job, handler: Handler, jobs: Jobs) -> None:
        self.job = job
        self._handler = handler
        self._jobs = jobs
        self._ending = False
        self.task: asyncio.Task[None] = asyncio.create_task(self._run(), name=f"job {job.id}")

    def drop(self) -> None:
        """Cancel the handler and leave the job's row to others. No effect once its end is being
        written down.
        """
        if not self._ending:
            self.task.cancel()

    async def _run(self) -> None:
        try:
            ending = await self._outcome()
            self._ending = True
            if ending is not None:
                await ending
        except asyncio.CancelledError:  # dropped; what the handler had to say is of no interest
            pass
        except Stale:
            log.info("job %s ended by another hand", self.job.id)
        except Exception:
            log.exception("the end of job %s could not be written down", self.job.id)

    async def _outcome(self) -> Awaitable[None] | None:
        """Run the handler. The write that says how the job goes on; None if it was dropped."""
        job = self.job
        try:
            if job.attempt > job.max_attempts:
                raise Abort(job.error)  # noqa: TRY301 - it ends as those that say so themselves
            await self._handler.run(job)
        except Retry as retry:
            return self._jobs.postpone(job, retry.seconds)
        except Abort as abort:
            return await self._fail(abort.reason)
        except (Exception, asyncio.CancelledError) as error:
            if _cancelled():
                return None
            log.warning("attempt %d at job %s failed", job.attempt, job.id, exc_info=error)
            reason = f"{type(error).__name__}: {error}"
            if job.attempt < job.max_attempts:
                return self._jobs.retry(job, reason)
            return await self._fail(reason)
        return self._jobs.finish(job)

    async def _fail(self, reason: str) -> Awaitable[None] | None:
        """Tell the kind that the job has failed. If that fails in turn, it is tried again."""
        job = self.job
        try:
            if self._handler.failed:
                await self._handler.failed(job, reason)
        except (Exception, asyncio.CancelledError):
            if _cancelled():
                return None
            log.exception("job %s of kind %s could not be failed", job.id, job.kind)
            if job.attempt < job.max_attempts + _TRIES_TO_FAIL:
                return self._jobs.retry(job, reason, last=True)
        return self._jobs.fail(job, reason)


def _cancelled() -> bool:
    """Whether somebody wants this task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
