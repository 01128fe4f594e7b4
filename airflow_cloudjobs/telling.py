# SPDX-License-Identifier: Apache-2.0
"""Tells how far the waits of a triggerer are, in an XCom of each task.

Airflow's supervisor stores XComs one by one, and has better things to do: so all waits of an event loop take turns, and
whose turn comes late tells what is so then. Nothing waits for it, and nothing is lost if it fails.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.progress import Pace, progress_of, slowest
from airflow_cloudjobs.jobs.wait import Wait

log = logging.getLogger(__name__)

Store = Callable[[dict[str, Any]], Awaitable[None]]
"""Stores what is told of a wait."""

Measuring = Callable[[str], Awaitable[float]]
"""Asks how much is done of the job with a key."""

TURN = 1.0
"""Seconds between two tellings of an event loop."""

ASK_PATIENCE = 10.0
"""Seconds that the cloud has to say how much of a job is done."""


class _Told:
    """A wait that is told of.

    :param wait: the wait.
    :param store: stores what is told of it.
    :param measure: asks how much of a job is done; None if that cannot be asked.
    """

    def __init__(self, wait: Wait, store: Store, measure: Measuring | None) -> None:
        self.pace = Pace(wait.plan.started)
        self.left = False
        self._wait = wait
        self._store = store
        self._measure = measure

    async def tell(self) -> None:
        """Store how far the wait is, once something is known; trouble with that is nobody's."""
        if not self._wait.seen:
            return
        try:
            part = await self._part()
            if not self.left:
                await self._store(progress_of(self._wait, time.time(), part))
        except Exception as error:
            log.debug("The progress could not be stored: %r", error)

    async def _part(self) -> float | None:
        """How much of the slowest job is done, if the cloud tells; where it cannot, it is not asked again."""
        key = slowest(self._wait)
        if self._measure is None or key not in self._wait.seen:
            return None
        try:
            async with asyncio.timeout(ASK_PATIENCE):
                return await self._measure(key)
        except Exception as error:
            if not (isinstance(error, TimeoutError) or (isinstance(error, CloudApiError) and error.retryable)):
                self._measure = None
            log.debug("The cloud does not say how much of %s is done: %r", key, error)
            return None


class _Turns:
    """The waits of an event loop that are told of."""

    def __init__(self) -> None:
        self._waits: dict[_Told, None] = {}
        self._work: asyncio.Task[None] | None = None

    def enter(self, told: _Told) -> None:
        """A wait begins."""
        self._waits[told] = None
        if self._work is None:
            self._work = asyncio.create_task(self._tell(), context=contextvars.Context())

    def leave(self, told: _Told) -> None:
        """A wait is over."""
        told.left = True
        del self._waits[told]

    async def _tell(self) -> None:
        try:
            while self._waits:
                told = min(self._waits, key=lambda each: each.pace.due)
                if told.pace.due <= time.time():
                    told.pace.told(time.time())
                    await told.tell()
                await asyncio.sleep(TURN)
        finally:
            self._work = None


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()


@contextmanager
def told_of(wait: Wait, store: Store, measure: Measuring | None) -> Iterator[Callable[[], None]]:
    """Have the progress of a wait told meanwhile.

    :param wait: the wait.
    :param store: stores what is told of it.
    :param measure: asks the cloud how much of a job is done, from 0 to 1; None where it cannot be asked.
    :return: to be called when something has changed.
    """
    turns, told = _turns.setdefault(asyncio.get_running_loop(), _Turns()), _Told(wait, store, measure)
    turns.enter(told)
    try:
        yield told.pace.changed
    finally:
        turns.leave(told)
