# SPDX-License-Identifier: Apache-2.0
"""A lane: all waits of an event loop for jobs of one API on one connection and scope, asked for together.

Jobs that are due at about the same time go out in one call where the API takes several; a job that several
tasks wait for is asked for once; the API's pace holds for all. Each wait judges its answers in its own task, so
that its log lines stay its own.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_cloudjobs.http.pace import Pace
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.spec import Observation
from airflow_cloudjobs.jobs.wait import Note, Wait

Answers = Mapping[str, Observation | CloudApiError]
Ask = Callable[[Sequence[str]], Awaitable[Answers]]

EARLY = 0.5
"""A call with room takes jobs along whose pause is over by this part: they cost nothing."""

OVERDUE = 10.0
"""Seconds after its deadline at which a wait ends, even if no last look could be made."""


@dataclass(slots=True)
class _Key:
    """A job that is asked for."""

    watchers: list[_Watcher] = field(default_factory=list)
    due: float | None = None
    since: float = 0.0
    flying: bool = False


@dataclass(slots=True, eq=False)
class _Watcher:
    """A wait, and the answers that it has not judged yet."""

    wait: Wait
    answers: dict[str, Observation | CloudApiError] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Lane:
    """Asks for jobs when they are due.

    :param ask: makes one call for some jobs; must answer for each, with an error if need be.
    :param batch: how many jobs a call may ask for.
    :param pace: how fast the API may be called; shared by all lanes of it.
    :param slots: bounds the calls in flight; shared by all lanes of the API.
    """

    def __init__(self, ask: Ask, *, batch: int, pace: Pace, slots: asyncio.Semaphore) -> None:
        self._ask = ask
        self._batch = batch
        self._pace = pace
        self._slots = slots
        self._keys: dict[str, _Key] = {}
        self._heap: list[tuple[float, str]] = []
        self._changed = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """True while nobody waits here."""
        return not self._keys

    async def watch(self, wait: Wait, tell: Callable[[Note], None]) -> None:
        """Wait until each of a wait's jobs has come to its end.

        :param wait: judges the answers.
        :param tell: takes lines for the log; called in the task of the caller.
        """
        watcher = _Watcher(wait)
        for key in wait.schedule():
            self._keys.setdefault(key, _Key()).watchers.append(watcher)
        try:
            self._plan(wait.schedule())
            while not wait.over:
                self._run()
                try:
                    async with asyncio.timeout(self._patience(wait)):
                        await watcher.woken.wait()
                except TimeoutError:
                    wait.give_up(time.time())
                watcher.woken.clear()
                answers, watcher.answers = watcher.answers, {}
                for note in wait.take(answers, time.time()):
                    tell(note)
                self._plan({key: due for key, due in wait.schedule().items() if key in answers})
        finally:
            self._leave(watcher)

    def _patience(self, wait: Wait) -> float | None:
        deadline = wait.plan.deadline
        return None if deadline is None else max(0.0, deadline + OVERDUE - time.time())

    def _leave(self, watcher: _Watcher) -> None:
        for name in watcher.wait.keys:
            key = self._keys.get(name)
            if key and watcher in key.watchers:
                key.watchers.remove(watcher)
                if not key.watchers:
                    del self._keys[name]
        if not self._keys:
            if self._running:
                self._running.cancel()
                self._running = None
            for call in self._calls:
                call.cancel()

    def _plan(self, dues: Mapping[str, float]) -> None:
        """Jobs are to be asked for at these times, or earlier if another wait wants it."""
        now = time.time()
        for name, due in dues.items():
            key = self._keys[name]
            if key.due is None or due < key.due:
                key.due, key.since = due, now
                heapq.heappush(self._heap, (due, name))
                if self._heap[0][1] == name:
                    self._changed.set()

    def _run(self) -> None:
        if self._running is None or self._running.done():
            self._running = _unbound(self._loop())

    async def _loop(self) -> None:
        while True:
            now = time.time()
            pause = max(self._heap[0][0] - now, self._pace.delay(now)) if self._heap else None
            if pause is None or pause > 0:
                self._changed.clear()
                try:
                    async with asyncio.timeout(pause):
                        await self._changed.wait()
                except TimeoutError:
                    pass
                continue
            await self._slots.acquire()
            # What held true before the wait for a slot may not any more: a refusal may have come meanwhile.
            now = time.time()
            names = self._due(now) if self._pace.delay(now) <= 0 else []
            if not names:
                self._slots.release()
                continue
            self._pace.sent(now)
            call = _unbound(self._call(names))
            self._calls.add(call)
            call.add_done_callback(self._landed)

    def _landed(self, call: asyncio.Task[None]) -> None:
        # Not in the call itself: one that is cancelled before its first step never runs a line of it.
        self._calls.discard(call)
        self._slots.release()

    def _due(self, now: float) -> list[str]:
        """The jobs of the next call: those that are due, and others that are nearly so while there is room."""
        names: list[str] = []
        while self._heap and len(names) < self._batch:
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
            # Nobody may be left waiting for an answer that never comes.
            problem = CloudApiError(f"asking failed: {error!r}", kind=ErrorKind.UNKNOWN, code="<bug>")
            answers = dict.fromkeys(names, problem)
        now = time.time()
        refusal = next((a for a in answers.values() if _throttled(a)), None)
        if isinstance(refusal, CloudApiError):
            self._pace.refused(now, refusal.retry_after)
        else:
            self._pace.taken(now)
        for name in names:
            key = self._keys.get(name)
            if key is None:
                continue
            key.flying, key.due = False, None
            for watcher in key.watchers:
                watcher.answers[name] = answers[name]
                watcher.woken.set()


def _throttled(answer: Observation | CloudApiError) -> bool:
    return isinstance(answer, CloudApiError) and answer.kind is ErrorKind.THROTTLED


def _unbound(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task that does not inherit the log context of the trigger that happened to start it."""
    return asyncio.get_running_loop().create_task(work, context=contextvars.Context())
