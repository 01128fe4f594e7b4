# SPDX-License-Identifier: Apache-2.0
"""A lane: all waits of an event loop for jobs of one API on one connection and scope, asked for together.

Jobs that are due at about the same time go out in one call where the API takes several, or are looked up in its list of
jobs in progress; a job that several tasks wait for is asked for once; the API's gate holds for all. A wait's own task
sleeps until the wait is over: its answers are judged as they come, and its log lines are written in its own context.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_cloudjobs.http.gate import Gate
from airflow_cloudjobs.jobs.answers import Answers, first_error, refused_together
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.spec import Observation
from airflow_cloudjobs.jobs.wait import Note, Wait

log = logging.getLogger(__name__)

Ask = Callable[[Sequence[str]], Awaitable[Answers]]
ListPage = Callable[[int], Awaitable[tuple[Mapping[str, Observation], bool]]]

Tell = Callable[[Note], None]
"""Takes a line for the log."""

EARLY = 0.5
"""A call with room takes jobs along whose pause is over by this part: they cost nothing."""

SLACK = 0.025
"""Seconds: jobs are due at whole multiples of this, so that those of about the same time go out together. For an event
loop that wakes for each poll alone, with its caches cold, a poll costs half as much again."""

LISTED = 1000
"""Jobs that are looked up in a list at a time, at most."""

WORTH = 5
"""For so many jobs a page of a list is worth its call."""

LIST_REST = 60.0
"""Seconds without lists after one that was not worth it: most jobs in progress are not ours, or it may not be read."""

OVERDUE = 120.0
"""Seconds after its deadline at which a wait ends, even if no last look could be made: more than reading the
connection, logging in and a call may take together."""


class _Watcher:
    """A wait, and the task that sleeps until it is over."""

    __slots__ = ("_context", "_tell", "over", "wait")

    def __init__(self, wait: Wait, tell: Tell) -> None:
        self.wait = wait
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tell = tell
        self._context = contextvars.copy_context()

    def judge(self, answers: Answers, now: float) -> None:
        """Have the wait learn from answers, and wake the task if that was all or went wrong."""
        try:
            for note in self.wait.take(answers, now):
                self._context.run(self._tell, note)
        except Exception as error:
            self.wake(error)
        else:
            if self.wait.over:
                self.wake()

    def give_up(self) -> None:
        """The deadline is long past, and nobody could look."""
        self.wait.give_up(time.time())
        self.wake()

    def wake(self, error: Exception | None = None) -> None:
        """End the task's sleep."""
        if self.over.done():
            return
        if error:
            self.over.set_exception(error)
        else:
            self.over.set_result(None)


@dataclass(slots=True)
class _Key:
    """A job that is asked for; its moments are of the clock that nobody sets."""

    watchers: list[_Watcher] = field(default_factory=list)
    due: float | None = None
    since: float = 0.0
    flying: bool = False


class Lane:
    """Asks for jobs when they are due.

    :param ask: makes one call for some jobs; must answer for each, with an error if need be.
    :param batch: how many jobs a call may ask for.
    :param list_page: makes one call for a page of the jobs in progress, from 1, and tells whether there may be more;
        None where there is no list.
    :param gate: when the API may be called; shared by all lanes of it.
    """

    def __init__(self, ask: Ask, *, batch: int, list_page: ListPage | None = None, gate: Gate) -> None:
        self._ask = ask
        self._batch = batch
        self._list_page = list_page
        self._lists_from = 0.0
        self._gate = gate
        self._keys: dict[str, _Key] = {}
        self._heap: list[tuple[float, str]] = []
        self._looked_up: deque[tuple[list[str], int, int]] = deque()
        """Jobs to look up in a page of the list, its number, and that of the last page that is worth it."""
        self._singly: deque[str] = deque()
        """Jobs that the list did not tell of."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._lined_up = False
        self._calls: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> bool:
        """True while nobody waits here."""
        return not self._keys

    async def watch(self, wait: Wait, tell: Tell) -> None:
        """Wait until each of a wait's jobs has come to its end.

        :param wait: judges the answers.
        :param tell: takes lines for the log; called in the context of the caller.
        """
        if wait.over:
            return
        watcher = _Watcher(wait, tell)
        overdue: asyncio.TimerHandle | None = None
        if wait.plan.deadline is not None:
            # A wait that resumes after its deadline is given the same time for its last look.
            late = OVERDUE + max(0.0, wait.plan.deadline - time.time())
            overdue = asyncio.get_running_loop().call_later(late, watcher.give_up)
        schedule = wait.schedule()
        for name in schedule:
            self._keys.setdefault(name, _Key()).watchers.append(watcher)
        self._plan(schedule)
        self._rest()
        try:
            await watcher.over
        finally:
            if overdue:
                overdue.cancel()
            self._leave(watcher)

    def _leave(self, watcher: _Watcher) -> None:
        for name in watcher.wait.keys:
            key = self._keys.get(name)
            if key and watcher in key.watchers:
                key.watchers.remove(watcher)
                if not key.watchers:
                    del self._keys[name]
        if not self._keys:
            self._heap.clear()
            self._singly.clear()
            self._looked_up.clear()
            self._set_timer(None)
            if self._lined_up:
                self._lined_up = False
                self._gate.leave(self._go)
            # Not at once: one that is cancelled before its first step never runs a line of it, and so never lands.
            for call in self._calls:
                asyncio.get_running_loop().call_soon(call.cancel)

    def _plan(self, schedule: Mapping[str, float]) -> None:
        """Jobs are to be asked for then, seconds since the epoch, or earlier if another wait wants it."""
        now, date = time.monotonic(), time.time()
        for name, moment in schedule.items():
            due = now + (moment - date)
            if due - now > 4 * SLACK:
                due = math.ceil(due / SLACK) * SLACK
            key = self._keys[name]
            if key.due is None or due < key.due:
                key.due, key.since = due, now
                heapq.heappush(self._heap, (due, name))

    def _rest(self) -> None:
        """Sleep until the next job is due; not even then without a turn of the loop, in which others may join it."""
        if self._lined_up:
            return
        if self._looked_up or self._singly:
            self._line_up()
        else:
            self._set_timer(self._heap[0][0] if self._heap else None)

    def _set_timer(self, at: float | None) -> None:
        if self._timer:
            if at == self._timer_at:
                return
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer_at = at
            self._timer = asyncio.get_running_loop().call_later(max(0.0, at - time.monotonic()), self._woken)

    def _woken(self) -> None:
        self._timer = None
        self._line_up()

    def _line_up(self) -> None:
        self._lined_up = True
        self._gate.line_up(self._go)

    def _go(self) -> bool:
        """Make a call for what is due."""
        self._lined_up = False
        now = time.monotonic()
        work = self._next(now)
        if work is not None:
            # In a context of its own, or it would log as the trigger that happened to start it.
            call = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
            self._calls.add(call)
        if self._heap and self._heap[0][0] <= now:
            self._line_up()
        else:
            self._rest()
        return work is not None

    def _next(self, now: float) -> Coroutine[Any, Any, None] | None:
        """The next call, not yet begun; None if there is none to make."""
        if self._list_page and self._looked_up:
            return self._look_up(self._list_page, *self._looked_up.popleft())
        while self._singly:
            if (name := self._singly.popleft()) in self._keys:
                return self._call([name])
        if self._list_page and now >= self._lists_from:
            names = self._due(now, LISTED)
            if len(names) >= WORTH:
                return self._look_up(self._list_page, names, 1, len(names) // WORTH)
            for name in names:
                key = self._keys[name]
                key.flying = False
                heapq.heappush(self._heap, (key.due or now, name))
        names = self._due(now, self._batch)
        return self._call(names) if names else None

    def _due(self, now: float, most: int) -> list[str]:
        """The jobs of the next call: those that are due, and others that are nearly so while there is room."""
        names: list[str] = []
        while self._heap and len(names) < most:
            due, name = self._heap[0]
            key = self._keys.get(name)
            if key is None or key.flying or key.due != due:
                heapq.heappop(self._heap)  # left, on its way, or planned anew
                continue
            if due > now and (not names or due - now > EARLY * (due - key.since)):
                break
            heapq.heappop(self._heap)
            key.flying = True
            names.append(name)
        return names

    async def _call(self, names: Sequence[str]) -> None:
        try:
            answers = await self._ask(names)
        except Exception as error:
            answers = dict.fromkeys(names, _unasked(error, ErrorKind.UNKNOWN))
        except asyncio.CancelledError as error:
            if self.idle:
                self._landed()
                raise
            answers = dict.fromkeys(names, _unasked(error, ErrorKind.TRANSIENT))
        self._landed(first_error(answers))
        if refused_together(answers):
            self._singly.extend(names)
        else:
            self._hand_out(names, answers)
        self._rest()

    async def _look_up(self, list_page: ListPage, names: Sequence[str], page: int, last: int) -> None:
        """See in the list which of these jobs are in progress; the others are then asked for one by one."""
        problem: Exception | None = None
        try:
            seen, more = await list_page(page)
        except Exception as error:
            seen, more, problem = {}, False, error
            log.info("Jobs in progress could not be listed, so they are asked for one by one: %s", error)
        except asyncio.CancelledError:
            if self.idle:
                self._landed()
                raise
            seen, more = {}, False
        self._landed(problem)
        told = {name for name in names if name in seen and not self._is_last_look(name)}
        left = [name for name in names if name not in told]
        ours = sum(name in self._keys for name in seen)
        if page == 1 and ours < WORTH:
            self._lists_from = time.monotonic() + LIST_REST
        if more and ours >= WORTH and len(left) >= WORTH and page < last:
            self._looked_up.append((left, page + 1, last))
        else:
            self._singly.extend(left)
        self._hand_out(told, seen)
        self._rest()

    def _is_last_look(self, name: str) -> bool:
        """True if a wait for the job is out of time, so that it must end by what the job itself says."""
        key, now = self._keys.get(name), time.time()
        deadlines = [watcher.wait.plan.deadline for watcher in key.watchers] if key else ()
        return any(deadline is not None and deadline <= now for deadline in deadlines)

    def _landed(self, problem: Exception | None = None) -> None:
        """The running call is over."""
        if call := asyncio.current_task():
            self._calls.discard(call)
        self._gate.landed(problem)

    def _hand_out(self, names: Collection[str], answers: Answers) -> None:
        """Each wait judges what was seen of its jobs, all of it at once, and says when to look again."""
        now = time.time()
        watchers: dict[_Watcher, dict[str, Observation | CloudApiError]] = {}
        for name in names:
            key = self._keys.get(name)
            if key is not None:
                key.flying, key.due = False, None
                for watcher in key.watchers:
                    watchers.setdefault(watcher, {})[name] = answers[name]
        for watcher, seen in watchers.items():
            watcher.judge(seen, now)
            if not watcher.over.done():
                self._plan({name: due for name, due in watcher.wait.schedule().items() if name in seen})


def _unasked(error: BaseException, kind: ErrorKind) -> CloudApiError:
    """What to answer where asking itself failed: nobody may be left waiting for an answer that never comes."""
    return CloudApiError(f"asking failed: {error!r}", kind=kind, code="<bug>")
