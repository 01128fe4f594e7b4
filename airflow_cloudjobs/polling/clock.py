# SPDX-License-Identifier: Apache-2.0
"""The time as polling knows it, in one value, so that a test's event loop need not wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Clock:
    """The two clocks of the running event loop's waits.

    ``monotonic()`` gives seconds of the clock that nobody sets, and ``call_at(moment, callback)`` sets a timer by it:
    both are the event loop's own. ``time()`` gives seconds since the epoch, which a wait's plan is in.

    :param wall_time: reads the time since the epoch.
    """

    __slots__ = ("call_at", "monotonic", "time")

    def __init__(self, wall_time: Callable[[], float] = time.time) -> None:
        loop = asyncio.get_running_loop()
        self.monotonic = loop.time
        self.call_at = loop.call_at
        self.time = wall_time
