# SPDX-License-Identifier: Apache-2.0
"""When a call of one API may be made: at the rate that the cloud takes, and only so many in flight."""

from __future__ import annotations

import asyncio
from collections import deque

from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.polling.clock import Clock

WINDOW = 3.0
"""Seconds over which the calls that the cloud took are counted."""

CUT = 0.85
"""A refusal slows us to this part of the rate that was too much, once a second while there are refusals."""

QUIET = 2.0
"""Seconds without a refusal after which the rate grows again, and after which the next one is a new finding."""

RECOVERY = 1.25
"""By this factor a second the rate grows back to what was nearly too much."""

PROBING = 1.001
"""By this factor a second it grows beyond: a tenth in a minute and a half."""

FREE = 1000.0
"""Calls a second at which a limit is forgotten."""

LEAST = 1.0
"""Calls a second; slower we do not get."""


class Limiter:
    """Lets the calls of one API go, whoever makes them, in the order in which they came: ``async with limiter: ...``.

    :param capacity: how many may be in flight.
    :param clock: the running event loop's.
    """

    def __init__(self, capacity: int, clock: Clock) -> None:
        self.adaptive = AdaptiveRateLimiter()
        self._free = capacity
        self._clock = clock
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def ready(self) -> int:
        """How many calls would be let go at once."""
        if self._waiters or self.adaptive.delay(self._clock.monotonic()) > 0:
            return 0
        return self._free if self.adaptive.rate is None else min(self._free, 1)

    def on_answer(self, error: Exception | None) -> None:
        """Learn from what came of a call how fast they may be made.

        :param error: the trouble that came instead of an answer.
        """
        now = self._clock.monotonic()
        if isinstance(error, CloudApiError) and error.kind is ErrorKind.THROTTLED:
            self.adaptive.on_throttled(now, error.retry_after)
        else:
            self.adaptive.on_success(now)

    async def __aenter__(self) -> None:
        now = self._clock.monotonic()
        if self._free and not self._waiters and self.adaptive.delay(now) <= 0:
            self._let_go(now)
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._wake()
        try:
            await waiter
        except asyncio.CancelledError:
            self._withdraw(waiter)
            raise

    async def __aexit__(self, *error: object) -> None:
        self._release()

    def _let_go(self, now: float) -> None:
        self._free -= 1
        self.adaptive.on_sent(now)

    def _release(self) -> None:
        self._free += 1
        self._wake()

    def _wake(self) -> None:
        """Let those go who may; a timer does it for the next one when the rate allows."""
        while self._waiters and self._free and not self._timer:
            now = self._clock.monotonic()
            delay = self.adaptive.delay(now)
            if delay > 0:
                self._timer = self._clock.call_at(now + delay, self._timer_fired)
                return
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._let_go(now)
                waiter.set_result(None)

    def _timer_fired(self) -> None:
        self._timer = None
        self._wake()

    def _withdraw(self, waiter: asyncio.Future[None]) -> None:
        """Somebody does not want a call any more."""
        if not waiter.cancelled():
            self._release()  # it was let go, and cancelled before it went
        elif waiter in self._waiters:
            self._waiters.remove(waiter)
        if not self._waiters and self._timer:
            self._timer.cancel()
            self._timer = None


class AdaptiveRateLimiter:
    """Lets calls pass unlimited until the cloud refuses one for being too many; then at the rate it takes.

    A quota is the account's, so what others use of it changes all the time. It is found as congestion is found
    on a network: slow down while calls are refused, recover quickly to just below the rate that was too much, and
    go beyond it slowly. No I/O and no clock of its own.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        self._too_much: float | None = None
        self._accepted: deque[float] = deque()
        self._next = 0.0
        self._held_until = 0.0
        self._throttled_at = float("-inf")
        self._cut_at = float("-inf")
        self._grown_at = 0.0

    def delay(self, now: float) -> float:
        """Seconds until the next call may be made."""
        return max(0.0, self._held_until - now, self._next - now if self.rate else 0.0)

    def on_sent(self, now: float) -> None:
        """A call is made."""
        if self.rate is None:
            return
        self.rate = self._grown(self.rate, now)
        if self.rate > FREE:
            self.rate = self._too_much = None
        else:
            self._next = max(now, self._next) + 1.0 / self.rate

    def on_success(self, now: float) -> None:
        """The cloud answered a call, so it was not one too many."""
        self._accepted.append(now)
        while self._accepted[0] < now - WINDOW:
            self._accepted.popleft()

    def on_throttled(self, now: float, retry_after: float | None) -> None:
        """The cloud refused a call for being one too many.

        :param retry_after: seconds that it asks to wait; no call of the API is made until then.
        """
        if retry_after:
            self._held_until = max(self._held_until, now + retry_after)
        quiet = now - self._throttled_at > QUIET
        self._throttled_at = now
        if now - self._cut_at < 1.0:
            return  # one burst, one cut: the other calls in flight were sent at the old rate
        took = self._rate_accepted(now)
        if self.rate is None:
            self.rate = max(LEAST, CUT * took)
        else:
            if quiet:
                self._too_much = self.rate
            self.rate = max(LEAST, min(CUT * self.rate, max(took, self.rate / 2)))
        self._cut_at = self._grown_at = now
        self._next = max(self._next, now + 1.0 / self.rate)

    def _grown(self, rate: float, now: float) -> float:
        """The rate, grown for the time since it last was."""
        since = max(self._grown_at, self._throttled_at + QUIET)
        if now <= since:
            return rate
        self._grown_at = now
        # A minute's growth reaches any rate there is; more would only overflow.
        seconds = min(now - since, 60.0)
        recovered: float = rate * RECOVERY**seconds
        if self._too_much is None:
            return recovered
        nearly = CUT * self._too_much
        probed: float = rate * PROBING**seconds
        return min(recovered, nearly) if rate < nearly else probed

    def _rate_accepted(self, now: float) -> float:
        """Calls a second that the cloud took lately."""
        recent = [moment for moment in self._accepted if moment >= now - WINDOW]
        return len(recent) / max(1.0, now - recent[0]) if recent else 0.0
