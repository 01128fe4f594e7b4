# SPDX-License-Identifier: Apache-2.0
"""A poller: all waits of an event loop for jobs of one API on one connection and scope, asked for together.

Jobs that are due at about the same time go out in one call where the API takes several, or are looked up in its list of
running jobs; a job that several tasks wait for is asked for once; the API's limiter holds for all. A wait's own task
sleeps until the wait is over: its answers are judged as they come, and its log lines are written in its own context.

One timer stands for all jobs. When one is due, a task is started that has the limiter let it go, and only then
chooses its jobs, so that those which become due meanwhile join it::

    timer -> _call: async with limiter -> _next_call -> fetch -> _hand_out -> timer
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any

from airflow_cloudjobs.jobs.answers import BUG, Answers, first_error, refused_together
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.spec import Observation
from airflow_cloudjobs.jobs.wait import Wait
from airflow_cloudjobs.polling.clock import Clock
from airflow_cloudjobs.polling.limiter import Limiter
from airflow_cloudjobs.polling.pending import Log, PendingJobs, Waiter
from airflow_cloudjobs.polling.running_jobs import FetchPage, LookUp, Page, RunningJobsList

Fetch = Callable[[Sequence[str]], Awaitable[Answers]]

OVERDUE = 120.0
"""Seconds after its deadline at which a wait ends, even if no last look could be made: more than reading the
connection, logging in and a call may take together."""


class Poller:
    """Asks for jobs when they are due.

    :param fetch: makes one call for some jobs; must answer for each, with an error if need be.
    :param batch: how many jobs a call may ask for.
    :param fetch_page: makes one call for a page of the list of running jobs; None where there is no list.
    :param limiter: when the API may be called; shared by all pollers of it.
    :param clock: the running event loop's.
    """

    def __init__(
        self, fetch: Fetch, *, batch: int, fetch_page: FetchPage | None = None, limiter: Limiter, clock: Clock
    ) -> None:
        self._fetch = fetch
        self._batch = batch
        self._list = RunningJobsList(fetch_page, clock) if fetch_page else None
        self._limiter = limiter
        self._clock = clock
        self._pending = PendingJobs(clock)
        self._one_by_one: deque[str] = deque()
        """Jobs that the list did not show, or that were refused together."""
        self._timer: asyncio.TimerHandle | None = None
        self._calls_waiting = 0
        """Calls that the limiter has yet to let go; the last of them looks whether there is more to ask for."""
        self._calls: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> bool:
        """True while nobody waits here."""
        return not self._pending

    async def wait(self, wait: Wait, log: Log) -> None:
        """Wait until each of a wait's jobs has come to its end.

        :param wait: judges the answers.
        :param log: takes lines for the log; called in the context of the caller.
        """
        if wait.over:
            return
        waiter = Waiter(wait, log)
        overdue = self._give_up_later(waiter)
        self._pending.add(waiter)
        self._start_when_due()
        try:
            await waiter.over
        finally:
            if overdue:
                overdue.cancel()
            self._pending.remove(waiter)
            if self.idle:
                self._stop()

    def _give_up_later(self, waiter: Waiter) -> asyncio.TimerHandle | None:
        deadline = waiter.wait.plan.deadline
        if deadline is None:
            return None
        # A wait that resumes after its deadline is given the same time for its last look.
        late = OVERDUE + max(0.0, deadline - self._clock.time())
        return self._clock.call_at(self._clock.monotonic() + late, lambda: waiter.give_up(self._clock.time()))

    def _stop(self) -> None:
        """Nobody waits any more."""
        self._one_by_one.clear()
        if self._list:
            self._list.clear()
        self._set_timer(None)
        self._calls_waiting = 0
        calls = list(self._calls)
        self._calls.clear()  # by which a call knows that it was cancelled from here
        for call in calls:
            call.cancel()

    def _start_when_due(self) -> None:
        """Start calls if there is something to ask for; else sleep until there is.

        What they ask for is chosen in a later turn of the loop, so that waits that begin together go out together.
        """
        if self._calls_waiting:
            return
        due = self._next_due()
        if due is None or due > self._clock.monotonic():
            self._set_timer(due)
        else:
            self._set_timer(None)
            self._start(self._calls_for(due))

    def _next_due(self) -> float | None:
        if self._one_by_one or (self._list and self._list.unfinished):
            return -math.inf
        return self._pending.next_due()

    def _calls_for(self, due: float) -> int:
        """How many calls to start: all that could go at once, since one by one each would take a turn of the loop."""
        if self._list and self._list.most:
            return 1
        wanted = len(self._one_by_one) or math.ceil(self._pending.number_at(due) / self._batch)
        return max(1, min(wanted, self._limiter.ready))

    def _set_timer(self, at: float | None) -> None:
        if self._timer:
            if at == self._timer.when():
                return
            self._timer.cancel()
        self._timer = None if at is None else self._clock.call_at(at, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        self._start_when_due()

    def _start(self, calls: int) -> None:
        loop = asyncio.get_running_loop()
        self._calls_waiting = calls
        for _ in range(calls):
            # In a context of its own, or it would log as the trigger that happened to start it.
            self._calls.add(loop.create_task(self._call(), context=contextvars.Context()))

    async def _call(self) -> None:
        """Make the next call, whichever it is by the time that the limiter lets it go."""
        try:
            async with self._limiter:
                self._calls_waiting -= 1
                call = self._next_call()
                self._start_when_due()
                if call:
                    await call
                    self._start_when_due()
        finally:
            if task := asyncio.current_task():
                self._calls.discard(task)

    def _next_call(self) -> Coroutine[Any, Any, None] | None:
        """The next call, not yet begun; None if those who wanted it have left."""
        if self._list and self._list.unfinished:
            return self._look_up(self._list, self._list.resume())
        while self._one_by_one:
            if (key := self._one_by_one.popleft()) in self._pending:
                return self._fetch_jobs([key])
        keys = self._pending.take_due(max(self._batch, self._list.most if self._list else 0))
        if self._list and (look_up := self._list.begin(keys)):
            return self._look_up(self._list, look_up)
        self._pending.put_back(keys[self._batch :])
        return self._fetch_jobs(keys[: self._batch]) if keys else None

    async def _fetch_jobs(self, keys: Sequence[str]) -> None:
        try:
            answers = await self._fetch(keys)
        except Exception as error:
            answers = dict.fromkeys(keys, _failed(error, ErrorKind.UNKNOWN))
        except asyncio.CancelledError as error:
            if self._is_abandoned():
                raise
            answers = dict.fromkeys(keys, _failed(error, ErrorKind.TRANSIENT))
        self._limiter.on_answer(first_error(answers))
        if refused_together(answers):
            self._one_by_one.extend(keys)
        else:
            self._hand_out(keys, answers)

    async def _look_up(self, running: RunningJobsList, look_up: LookUp) -> None:
        """See in the list which of these jobs are in progress; the others are then asked for one by one."""
        try:
            page = await running.fetch(look_up.page)
        except asyncio.CancelledError:
            if self._is_abandoned():
                raise
            page = Page({}, more=False)
        self._limiter.on_answer(page.error)
        found, missing = running.sort(look_up, page, self._pending)
        self._one_by_one.extend(missing)
        self._hand_out(found, page.jobs)

    def _is_abandoned(self) -> bool:
        """True in a call that was cancelled since all waits have left.

        One that was cancelled by something in it must go on, or the waits for its jobs would have no answer ever.
        """
        return asyncio.current_task() not in self._calls

    def _hand_out(self, keys: Collection[str], answers: Answers) -> None:
        """Each wait judges what was seen of its jobs, all of it at once, and says when to look again."""
        now = self._clock.time()
        seen_by: dict[Waiter, dict[str, Observation | CloudApiError]] = {}
        for key in keys:
            for waiter in self._pending.land(key):
                seen_by.setdefault(waiter, {})[key] = answers[key]
        for waiter, seen in seen_by.items():
            waiter.judge(seen, now)
            if not waiter.over.done():
                self._pending.plan(waiter.wait.schedule(), seen)


def _failed(error: BaseException, kind: ErrorKind) -> CloudApiError:
    """What to answer where asking itself failed: nobody may be left waiting for an answer that never comes."""
    return CloudApiError(f"asking failed: {error!r}", kind=kind, code=BUG)
