# SPDX-License-Identifier: Apache-2.0
"""Pollers with a cloud that is a coroutine, and waits to put into them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from polling_virtual import VirtualLoop, virtual_clock

from airflow_cloudjobs.apis import spec_of
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.outcome import Outcome
from airflow_cloudjobs.jobs.spec import Observation
from airflow_cloudjobs.jobs.wait import LogLine, Wait, WaitPlan
from airflow_cloudjobs.polling.limiter import Limiter
from airflow_cloudjobs.polling.poller import Poller

API = "dms.file_upload"

Answer = Observation | CloudApiError

RUNNING = Observation("RUNNING", {})
DONE = Observation("SUCCESS", {})


class FakeCloud:
    """Answers for keys, remembers calls.

    :param answer: what to say of a key.
    :param latency: seconds that an answer takes.
    :param uneven: draws from [0, 1): what part of the latency each answer takes, so that answers overtake each other.
    """

    def __init__(
        self,
        answer: Callable[[str], Answer] = lambda key: RUNNING,
        latency: float = 0.001,
        uneven: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self.answer = answer
        self.latency = latency
        self.uneven = uneven
        self.calls: list[list[str]] = []
        self.listed: Sequence[str] | Exception = ()
        self.pages: list[int] = []
        self.in_flight = 0
        self.most_in_flight = 0

    async def fetch(self, keys: Sequence[str]) -> Mapping[str, Answer]:
        """One call."""
        self.calls.append(list(keys))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency * self.uneven())
            return {key: self.answer(key) for key in keys}
        finally:
            self.in_flight -= 1

    async def fetch_page(self, page: int) -> tuple[Mapping[str, Observation], bool]:
        """A page of :attr:`listed`, ten jobs long; none can be had while that is an error."""
        self.pages.append(page)
        await asyncio.sleep(self.latency * self.uneven())
        if isinstance(self.listed, Exception):
            raise self.listed
        keys = list(self.listed)[(page - 1) * 10 :]
        return dict.fromkeys(keys[:10], RUNNING), len(keys) > 10

    def asked(self, key: str) -> int:
        """How often a key was asked for."""
        return sum(keys.count(key) for keys in self.calls)


def new_limiter(capacity: int = 50) -> Limiter:
    """Lets so many calls be in flight; to be shared by pollers."""
    return Limiter(capacity, virtual_clock())


def new_poller(cloud: FakeCloud, *, batch: int = 1, lists: bool = False, limiter: Limiter | None = None) -> Poller:
    """A poller of a cloud, on the clock of the running loop.

    :param lists: True for a cloud whose jobs in progress can be listed.
    """
    return Poller(
        cloud.fetch,
        batch=batch,
        fetch_page=cloud.fetch_page if lists else None,
        limiter=limiter or new_limiter(),
        clock=virtual_clock(),
    )


def new_wait(
    *keys: str, interval: float = 0.05, deadline: float | None = None, resumed: bool = True, api: str = API
) -> Wait:
    """A wait that has gone on for ten minutes, so that its pauses are the interval.

    :param deadline: seconds from now.
    :param resumed: False for one that is due at once.
    """
    loop = asyncio.get_running_loop()
    now = loop.wall_time() if isinstance(loop, VirtualLoop) else time.time()
    plan = WaitPlan(now - 600, interval, None if deadline is None else now + deadline)
    return Wait(spec_of(api), keys, plan, random=random.random, resumed=now if resumed else None)


def ending(wait: Wait) -> Outcome:
    """How a wait for one job ended."""
    return wait.results[0].outcome


def silent(note: LogLine) -> None:
    """Nobody reads the log."""


def refusal(retry_after: float | None = None) -> CloudApiError:
    """The cloud's word that a call was one too many."""
    return CloudApiError("too many calls", kind=ErrorKind.THROTTLED, retry_after=retry_after)


def run(work: Coroutine[Any, Any, None], limit: float = 20.0) -> None:
    """Run a test's coroutine that needs real time; one that hangs fails."""
    asyncio.run(asyncio.wait_for(work, limit))


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and see them end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def settled() -> None:
    """Let what was cancelled end; then no task of a poller may be left."""
    for _ in range(10):
        await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if "Poller" in repr(task)]
