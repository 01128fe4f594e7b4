# SPDX-License-Identifier: Apache-2.0
"""When a call of one API may be made: at the pace that the cloud takes, and only so many in flight."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from airflow_cloudjobs.http.pace import Pace
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind

Go = Callable[[], bool]
"""Makes a call, if there still is one to make; tells whether it has."""


class Gate:
    """Lets the lanes of one API make their calls, in turn.

    :param pace: how fast calls are taken.
    :param room: how many may be in flight.
    """

    def __init__(self, pace: Pace, room: int) -> None:
        self.pace = pace
        self._room = room
        self._line: deque[Go] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._opening = False

    def line_up(self, go: Go) -> None:
        """Have a call made as soon as it may be; whoever wants another then lines up again."""
        self._line.append(go)
        self._open()

    def leave(self, go: Go) -> None:
        """Do not want a call any more."""
        self._line.remove(go)
        if not self._line and self._timer:
            self._timer.cancel()
            self._timer = None

    def landed(self, problem: Exception | None = None) -> None:
        """A call has come back, or was cancelled: learn from it how fast they may be made, and let the next one go.

        :param problem: the trouble that came instead of an answer.
        """
        now = time.monotonic()
        if isinstance(problem, CloudApiError) and problem.kind is ErrorKind.THROTTLED:
            self.pace.refused(now, problem.retry_after)
        else:
            self.pace.taken(now)
        self._room += 1
        self._open()

    def _open(self) -> None:
        if self._opening or self._timer:
            return
        self._opening = True
        try:
            while self._line and self._room:
                now = time.monotonic()
                delay = self.pace.delay(now)
                if delay > 0:
                    self._timer = asyncio.get_running_loop().call_later(delay, self._again)
                    return
                if self._line.popleft()():
                    self._room -= 1
                    self.pace.sent(now)
        finally:
            self._opening = False

    def _again(self) -> None:
        self._timer = None
        self._open()
