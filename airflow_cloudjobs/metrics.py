# SPDX-License-Identifier: Apache-2.0
"""What is counted, in Airflow's own metrics: calls, polls, errors and waits of each API, and how long jobs took."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from airflow_cloudjobs.compat import Stats
from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.outcome import JobResult

GATHERED = 5.0
"""Seconds for which an event loop gathers its counts: sending one costs as much as judging an answer."""

_waits: Counter[str] = Counter()
"""By API, the waits on this process's event loops."""


def ended(api: str, results: Iterable[JobResult]) -> None:
    """``cloudjobs.job_seconds`` (tags ``api``, ``ending``): from the beginning of a wait to each job's end."""
    for result in results:
        tags = {"api": api, "ending": result.outcome.value}
        Stats.timing("cloudjobs.job_seconds", timedelta(seconds=result.seconds), tags=tags)


def called(api: str, calls: int, polls: int) -> None:
    """``cloudjobs.calls`` and ``cloudjobs.polls``, the jobs that were asked for (tag ``api``)."""
    Stats.incr("cloudjobs.calls", calls, tags={"api": api})
    if polls:
        Stats.incr("cloudjobs.polls", polls, tags={"api": api})


def failed(api: str, error: CloudApiError) -> None:
    """``cloudjobs.errors`` (tags ``api``, ``kind``), one a call; throttling is one of the kinds."""
    Stats.incr("cloudjobs.errors", tags={"api": api, "kind": error.kind.value})


class Meter:
    """Counts the calls and waits of one API on an event loop.

    :param api: the public id.
    """

    def __init__(self, api: str) -> None:
        self._api = api
        self._calls = 0
        self._polls = 0
        self._timer: asyncio.TimerHandle | None = None

    def called(self, polls: int = 0, error: CloudApiError | None = None) -> None:
        """A call is over.

        :param polls: the jobs that it asked for.
        :param error: what came instead of an answer, or of a part of it.
        """
        self._calls += 1
        self._polls += polls
        if error:
            failed(self._api, error)
        self._send_later()

    def waits(self, change: int) -> None:
        """Waits have begun, or ended."""
        _waits[self._api] += change
        self._send_later()

    def _send_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHERED, self.send)

    def send(self) -> None:
        """Send what was gathered, and ``cloudjobs.waits`` (tags ``api``, ``hostname``) as it is now."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        calls, self._calls, polls, self._polls = self._calls, 0, self._polls, 0
        if calls:
            called(self._api, calls, polls)
        Stats.gauge("cloudjobs.waits", _waits[self._api], tags={"api": self._api, "hostname": socket.gethostname()})
