"""Responses that run as jobs: nobody waits, everybody may read, and a crash costs one item at most.

The job's run is logged flush by flush, each on the condition that the attempt holds the job, and is
seen by readers only then. The next attempt reads the log and goes on from the last item that was
closed; an item that readers have seen open cannot be taken back, so it ends the response.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from inhouse.access import Access
from inhouse.agent.responses import request
from inhouse.agent.responses.fold import Fold
from inhouse.agent.responses.run import Events, Run, turns
from inhouse.agent.responses.runs import Runs
from inhouse.agent.responses.stored import OPERATION, in_conversation, lay_down, used
from inhouse.agent.responses.telling import Manner, Telling
from inhouse.agent.turn import Done, End, Limit
from inhouse.engines.model import Model
from inhouse.engines.text import Json
from inhouse.errors import APIError, BadRequest, RateLimited, ServerError
from inhouse.jobs import Handler, Job, NewJob, Retry
from inhouse.operations.bill import Bill, status_of
from inhouse.scope import Principal, Scope
from inhouse.stores import responses, run_log
from inhouse.stores.database import Statement
from inhouse.stores.errors import Stale
from inhouse.stores.jobs import NEWS, adding, cancel_news, cancelling
from inhouse.stores.responses import Stored
from inhouse.stores.run_log import RunLog
from inhouse.telemetry import Metrics

KIND = "response"
PERMISSION = "model.request"
FLUSH_SECONDS = 0.05
"""Between two flushes of one run."""
PARALLEL = 1000
_ENDING_ITEMS = frozenset({"message", "function_call", "custom_tool_call"})
"""After one of these the model had said what it wanted, as far as a log can tell."""


class Recorder:
    """Writes the events of one attempt: what comes while a flush is on its way goes with the
    next.
    """

    def __init__(self, runs: Runs, job: Job) -> None:
        self._database = runs.database
        self._job = job
        self._waiting: list[Json] = []
        self._flusher: asyncio.Task[None] | None = None

    def add(self, events: Sequence[Json]) -> None:
        """Take events; they are written soon. Stale, once a flush found that the job is lost."""
        self._waiting += events
        flusher = self._flusher
        if flusher is not None and flusher.done():
            flusher.result()
            flusher = None
        if flusher is None and self._waiting:
            self._flusher = asyncio.ensure_future(self._flush())

    async def end(self, events: Sequence[Json], *also: Statement) -> None:
        """Write what is left and the last `events`, with `also` in the same unit."""
        await self.close()
        left, self._waiting = [*self._waiting, *events], []
        await self._write(left, *also)

    async def close(self) -> None:
        """Wait for the flush that is on its way."""
        flusher, self._flusher = self._flusher, None
        if flusher is not None:
            await flusher

    async def _flush(self) -> None:
        while self._waiting:
            left, self._waiting = self._waiting, []
            try:
                await self._write(left)
            except BaseException:  # the log has no gaps: they go with what is written next
                self._waiting[:0] = left
                raise
            await asyncio.sleep(FLUSH_SECONDS)

    async def _write(self, events: Sequence[Json], *also: Statement) -> None:
        job = self._job
        rows = [run_log.appending(job.subject, job.attempt, events)] if events else []
        await self._database.write(
            job.guard, *rows, *also, quiet=True, wakes=[run_log.name(job.subject)]
        )


@dataclass(frozen=True, slots=True)
class Background:
    """Begins, runs and cancels background responses."""

    runs: Runs
    access: Access
    metrics: Metrics

    @property
    def handler(self) -> Handler:
        """How jobs of this kind are run."""
        return Handler(KIND, self._perform, self._give_up, PARALLEL)

    async def create(self, scope: Scope, model: Model, body: Json) -> Json:
        """Lay a response down with the job that will run it. The object, `queued`."""
        runs = self.runs
        request.check(body)
        given = await runs.memory.gather(scope, body)
        now = runs.clock.now()
        response = {**runs.response(body, model), "status": "queued"}
        telling = Telling(response, runs.ids, runs.clock, Manner())
        job_id = runs.ids("job_")
        place = given.place_of(job=job_id)
        unit = [
            *responses.creating(scope, response, place, given.inputs, request=body),
            run_log.appending(response["id"], 0, telling.begin("created", "queued")),
            adding(job_id, NewJob(KIND, response["id"], scope), now),
        ]
        await lay_down(runs.database, response["id"], place, unit, wakes=[NEWS])
        return response

    async def cancel(self, scope: Scope, response_id: str) -> Json:
        """Stop a response; what it has said so far is its output. The object.

        One that has ended stays as it is. BadRequest for one that runs in the foreground.
        """
        runs, store, fold = self.runs, self.runs.memory.responses, Fold()
        while True:
            stored = await store.get(scope, response_id)
            if not stored.body.get("background"):
                raise BadRequest("Cannot cancel a synchronous response.", param="response_id")
            if not stored.under_way:
                return await store.whole(stored)
            await self._read_on(response_id, fold)
            output = [*fold.output, *({**item, "status": "incomplete"} for item in fold.open)]
            response = {**stored.body, "status": "cancelled", "output": output}
            now = runs.clock.now()
            start = await store.items.count(response_id)
            try:
                await runs.database.write(
                    cancelling(stored.place.job, now),
                    run_log.standing(response_id, fold.number - 1),
                    *responses.ending(scope, response, start, int(now)),
                    *in_conversation(scope, stored.place, (), response),
                    quiet=True,
                    wakes=[*cancel_news(stored.place.job), run_log.name(response_id)],
                )
            except Stale:  # it ended meanwhile, or went on
                continue
            return response

    async def delete(self, scope: Scope, response_id: str) -> None:
        """Delete a stored response; one that still runs as a job is stopped. NotFound."""
        store = self.runs.memory.responses
        job = (await store.get(scope, response_id)).place.job
        if not job:
            await store.delete(scope, response_id)
            return
        stop = cancelling(job, self.runs.clock.now())
        await store.delete(scope, response_id, stop, wakes=cancel_news(job))

    async def _perform(self, job: Job) -> None:
        """One attempt at a response."""
        scope = self._scope(job)
        stored = await self.runs.memory.responses.find(scope, job.subject)
        if stored is None or not stored.under_way:
            return
        fold = await self._folded(job.subject)
        recorder = Recorder(self.runs, job)
        if fold.open:
            error = ServerError("The server stopped while it made this response.")
            await self._end(scope, stored, recorder, self._told(fold, stored), error)
            return
        try:
            principal = await self.access.principal(job.key_id, job.project or None)
            self.access.authorise(principal, PERMISSION)
            model = await self.runs.models.resolve(stored.request["model"])
            scope.usage.model = model.id
            run = await self._run(scope, model, stored, fold)
            reservation = self.access.reserve(principal, model.id, 0)
        except RateLimited as error:
            raise Retry(_seconds(error)) from error
        except APIError as error:
            await self._end(scope, stored, recorder, self._told(fold, stored), error)
            return
        metrics = self.metrics.model(model.id)
        bill = Bill(scope, OPERATION, reservation, self.access, self.runs.clock, metrics)
        try:
            await self._go_on(run, stored, fold, recorder)
        except BaseException as error:
            await bill.settle(status_of(error))
            raise
        await bill.settle()

    async def _run(self, scope: Scope, model: Model, stored: Stored, fold: Fold) -> Run:
        """The run that goes on where the log ends. NotFound if what it goes on from is gone."""
        store, response_id = self.runs.memory.responses, stored.body["id"]
        inputs = await store.items.of(response_id)
        said = await store.said(scope, response_id)  # it has not said anything itself
        before = said[: len(said) - len(inputs)]
        response = {**stored.body, "status": "in_progress", "output": fold.output}
        return self.runs.run(scope, model, stored.request, before, inputs, response, fold.number)

    async def _go_on(self, run: Run, stored: Stored, fold: Fold, recorder: Recorder) -> None:
        telling, error = run.telling, None
        try:
            if fold.response.get("status") == "queued":
                begun = telling.begin("in_progress")
                await recorder.end(begun, responses.beginning(run.scope, telling.response))
            if _said_all(fold):
                telling.end = _end_of(fold.output[-1])
            else:
                await self._record(run_events=turns(run), recorder=recorder)
        except Stale:
            raise
        except Exception as caught:  # noqa: BLE001 - it is the response's end, whatever it is
            error = caught
        await self._end(run.scope, stored, recorder, telling, error)

    async def _record(self, *, run_events: Events, recorder: Recorder) -> None:
        try:
            async for batch in run_events:
                recorder.add(batch)
        finally:
            await run_events.aclose()
            await recorder.close()

    async def _end(
        self,
        scope: Scope,
        stored: Stored,
        recorder: Recorder,
        telling: Telling,
        error: Exception | None,
    ) -> None:
        """Write the last event, the object and the usage, in one unit."""
        store, now = self.runs.memory.responses, int(self.runs.clock.now())
        last = telling.finish() if error is None else telling.fail(error)
        response = telling.response
        inputs = await store.items.of(response["id"])
        await recorder.end(
            last,
            *responses.ending(scope, response, len(inputs), now),
            *in_conversation(scope, stored.place, inputs, response),
            *used(scope, now, keeping=error is None),
        )

    async def _give_up(self, job: Job, reason: str) -> None:
        """The job will not be tried again: the response has failed."""
        scope = self._scope(job)
        stored = await self.runs.memory.responses.find(scope, job.subject)
        if stored is None or not stored.under_way:
            return
        fold = await self._folded(job.subject)
        error = ServerError(f"The server could not make this response. ({reason})")
        await self._end(scope, stored, Recorder(self.runs, job), self._told(fold, stored), error)

    def _told(self, fold: Fold, stored: Stored) -> Telling:
        """The telling as the log has left it, to be ended: what is open counts as incomplete."""
        open_ = [{**item, "status": "incomplete"} for item in fold.open]
        response = {**stored.body, "output": [*fold.output, *open_]}
        return Telling(response, self.runs.ids, self.runs.clock, Manner(), number=fold.number)

    async def _folded(self, response_id: str) -> Fold:
        fold = Fold()
        await self._read_on(response_id, fold)
        return fold

    async def _read_on(self, response_id: str, fold: Fold) -> None:
        """Add to `fold` what the log has that it has not."""
        log = RunLog(self.runs.database)
        while events := await log.read(response_id, fold.number - 1):
            fold.add(events)

    def _scope(self, job: Job) -> Scope:
        owner, project = job.owner, job.project or None
        principal = Principal(owner, job.organization, project, job.key_id, frozenset())
        return Scope(job.organization, project, principal, self.runs.ids("req_"))


def _said_all(fold: Fold) -> bool:
    """Whether the log ends where a turn did that needs no other."""
    if not fold.output:
        return False
    last = fold.output[-1]
    return last["type"] in _ENDING_ITEMS or _is_cut(last)


def _end_of(last: Json) -> End:
    """How the turn ended that `last` is the last item of."""
    return Limit(0) if _is_cut(last) else Done(0)


def _is_cut(item: Json) -> bool:
    """Whether the model had no tokens left for it."""
    return item.get("status") == "incomplete"


def _seconds(error: RateLimited) -> float:
    try:
        return max(float(error.headers.get("retry-after-ms", "")) / 1000, 0.1)
    except ValueError:
        return 1.0
