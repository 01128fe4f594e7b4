# SPDX-License-Identifier: Apache-2.0
"""The jobs that somebody waits for, by their keys, and which of them is to be asked for next."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from airflow_cloudjobs.jobs.answers import Answers
from airflow_cloudjobs.jobs.wait import LogLine, Wait
from airflow_cloudjobs.polling.clock import Clock

Log = Callable[[LogLine], None]
"""Takes a line for the log."""

EARLY = 0.5
"""A call with room takes jobs along whose pause is over by this part: they cost nothing."""

SLACK = 0.025
"""Seconds: jobs are due at whole multiples of this, so that those of about the same time go out together. For an event
loop that wakes for each poll alone, with its caches cold, a poll costs half as much again."""


class Waiter:
    """A wait, and the task that sleeps until it is over.

    :param wait: judges the answers.
    :param log: takes lines for the log, in the context in which this is made.
    """

    __slots__ = ("_context", "_log", "over", "wait")

    def __init__(self, wait: Wait, log: Log) -> None:
        self.wait = wait
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._log = log
        self._context = contextvars.copy_context()

    def judge(self, answers: Answers, now: float) -> None:
        """Have the wait learn from answers, and wake the task if that was all or went wrong.

        :param now: seconds since the epoch.
        """
        try:
            for line in self.wait.take(answers, now):
                self._context.run(self._log, line)
        except Exception as error:
            if not self.over.done():
                self.over.set_exception(error)
        else:
            if self.wait.over:
                self._wake()

    def give_up(self, now: float) -> None:
        """The deadline is long past, and nobody could look.

        :param now: seconds since the epoch.
        """
        self.wait.give_up(now)
        self._wake()

    def _wake(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


@dataclass(slots=True)
class PendingJob:
    """A job that is to be asked for; its moments are of the monotonic clock.

    :param waiters: who wants to know.
    :param due: when to ask; None from an answer until somebody has planned the next look.
    :param planned: when that was decided.
    :param in_flight: True from being taken for a call until there is an answer.
    """

    waiters: list[Waiter] = field(default_factory=list)
    due: float | None = None
    planned: float = 0.0
    in_flight: bool = False


class PendingJobs:
    """Jobs by their keys, and their keys by the moments at which they are due.

    A key stands at each moment for which its job was planned; only that which the job itself has is the right one.

    :param clock: the running event loop's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: dict[str, PendingJob] = {}
        self._keys_at: dict[float, list[str]] = {}
        self._moments: list[float] = []
        """A heap of those in :attr:`_keys_at`."""

    def __contains__(self, key: object) -> bool:
        return key in self._jobs

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, waiter: Waiter) -> None:
        """Somebody waits for all jobs of a wait that have not ended."""
        schedule = waiter.wait.schedule()
        for key in schedule:
            self._jobs.setdefault(key, PendingJob()).waiters.append(waiter)
        self.plan(schedule, schedule)

    def remove(self, waiter: Waiter) -> None:
        """Somebody waits no more; jobs that nobody else waits for are forgotten."""
        for key in waiter.wait.keys:
            job = self._jobs.get(key)
            if job and waiter in job.waiters:
                job.waiters.remove(waiter)
                if not job.waiters:
                    del self._jobs[key]
        if not self._jobs:
            self._keys_at.clear()
            self._moments.clear()

    def plan(self, schedule: Mapping[str, float], keys: Container[str]) -> None:
        """Jobs are to be asked for then, or earlier if another wait wants it.

        :param schedule: key -> seconds since the epoch.
        :param keys: which jobs of the schedule.
        """
        now, date = self._clock.monotonic(), self._clock.time()
        for key, moment in schedule.items():
            if key not in keys:
                continue
            due = now + (moment - date)
            # Short pauses stay as they are: rounding up would make them longer by more than a quarter.
            if due - now > 4 * SLACK:
                due = math.ceil(due / SLACK) * SLACK
            job = self._jobs[key]
            if job.due is None or due < job.due:
                job.due, job.planned = due, now
                self._put(key, due)

    def next_due(self) -> float | None:
        """When the next job is due that is not in flight; None if there is none."""
        while self._moments:
            due = self._moments[0]
            keys = self._keys_at[due]
            while keys:
                job = self._jobs.get(keys[-1])
                if job is not None and job.due == due and not job.in_flight:
                    return due
                keys.pop()  # nobody waits for it any more, it is in flight, or was planned anew
            del self._keys_at[heapq.heappop(self._moments)]
        return None

    def number_at(self, due: float) -> int:
        """How many jobs are due at a moment, at most."""
        return len(self._keys_at.get(due, ()))

    def take_due(self, most: int) -> list[str]:
        """Put jobs in flight: those that are due, and while there is room others that are nearly so.

        :param most: how many at most.
        :return: their keys.
        """
        now = self._clock.monotonic()
        taken: list[str] = []
        while len(taken) < most and (due := self.next_due()) is not None:
            keys = self._keys_at[due]
            job = self._jobs[keys[-1]]
            if due > now and (not taken or due - now > EARLY * (due - job.planned)):
                break
            job.in_flight = True
            taken.append(keys.pop())
        return taken

    def put_back(self, keys: Iterable[str]) -> None:
        """Jobs just taken are not asked for yet."""
        for key in keys:
            job = self._jobs[key]
            job.in_flight = False
            if job.due is not None:
                self._put(key, job.due)

    def _put(self, key: str, due: float) -> None:
        keys = self._keys_at.get(due)
        if keys is None:
            self._keys_at[due] = [key]
            heapq.heappush(self._moments, due)
        else:
            keys.append(key)

    def land(self, key: str) -> Sequence[Waiter]:
        """There is an answer for a job, and no plan for the next look.

        :return: who waits for it.
        """
        job = self._jobs.get(key)
        if job is None:
            return ()
        job.in_flight, job.due = False, None
        return job.waiters

    def is_last_look(self, key: str) -> bool:
        """True if a wait for the job is out of time, so that it must end by what the job itself says."""
        job, date = self._jobs.get(key), self._clock.time()
        deadlines = [waiter.wait.plan.deadline for waiter in job.waiters] if job else ()
        return any(deadline is not None and deadline <= date for deadline in deadlines)
