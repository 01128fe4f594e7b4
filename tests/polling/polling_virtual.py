# SPDX-License-Identifier: Apache-2.0
"""An event loop that waits for nothing: where all there is to do is to wait for a timer, its clock jumps there."""

from __future__ import annotations

import asyncio
import concurrent.futures
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

from airflow_cloudjobs.polling.clock import Clock

EPOCH = 1_750_000_000.0
"""Seconds since the epoch at which the wall clock starts, unlike the monotonic one."""

ON_THE_WAY = 0.002
"""Real seconds in which what was written to a socket of this process has come to its other end."""


class _JumpingSelector(selectors.DefaultSelector):
    """A selector whose timeouts pass at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.threads = 0
        """Work that threads do for the loop, whose end must be waited for."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; the clock jumps if nothing is, and nothing will be before the timeout."""
        if timeout is None or self.threads:
            return super().select(timeout and 1.0 if self.threads else timeout)
        has_sockets = len(self.get_map()) > 1  # beside the loop's own
        ready = super().select(ON_THE_WAY if has_sockets and timeout > 0 else 0)
        if not ready:
            # The least more than asked for, or rounding could keep a timer from ever being due.
            self.now += timeout + 1e-9 if timeout > 0 else 0.0
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a clock of its own. I/O may be awaited if its other end is on the same loop."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        self.wall_clock_set_by = 0.0
        """Seconds by which somebody has set the wall clock."""
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds of the clock that nobody sets."""
        return self._jumping.now

    @property
    def timers(self) -> int:
        """How many are set."""
        return sum(not timer.cancelled() for timer in self._scheduled)

    def be_busy(self, seconds: float) -> None:
        """Time passes while something keeps the loop from its work."""
        self._jumping.now += seconds

    def wall_time(self) -> float:
        """Seconds since the epoch."""
        return EPOCH + self._jumping.now + self.wall_clock_set_by

    def run_in_executor(
        self, executor: concurrent.futures.Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Have a thread do something; no time passes until it is done."""
        done = super().run_in_executor(executor, func, *args)
        self._jumping.threads += 1
        done.add_done_callback(self._thread_done)
        return done

    def _thread_done(self, done: asyncio.Future[Any]) -> None:
        self._jumping.threads -= 1


def virtual_loop() -> VirtualLoop:
    """The running loop of a test."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def virtual_clock() -> Clock:
    """The clock of the running loop."""
    return Clock(virtual_loop().wall_time)


def run_virtually(work: Coroutine[Any, Any, None], limit: float = 20.0) -> None:
    """Run a test's coroutine; one that hangs fails.

    :param limit: seconds of the loop's clock.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(_limited(work, limit))


async def _limited(work: Coroutine[Any, Any, None], limit: float) -> None:
    async with asyncio.timeout(limit):
        await work
