# SPDX-License-Identifier: Apache-2.0
"""The server's time: a clock that jobs live by, and the same as shown to clients, which may be wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

#: Both clouds refuse a request dated further than this from their own clock, in seconds.
TOLERATED_SKEW = 15 * 60


class Clock:
    """Time in seconds since the epoch.

    :param source: where the time comes from; the system's clock by default, a fake one in tests.
    """

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self.skew = 0.0
        """Seconds by which the clock shown to clients runs ahead of the real one."""

    def now(self) -> float:
        """Real time: jobs move by it, so that a skewed clock does not age them."""
        return self._source()

    def shown(self) -> float:
        """Time as the server believes it: request dates, ``Date`` headers and expiries are judged by it."""
        return self._source() + self.skew


def iso(moment: float) -> str:
    """``2021-11-07T10:03:37Z``, the documented form of Alibaba Cloud's times.

    :param moment: seconds since the epoch.
    """
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text: str, form: str) -> float | None:
    """Seconds since the epoch of a UTC time written in a ``strptime`` form, or None if it is not written so.

    :param text: the time as received.
    :param form: the ``strptime`` form it has to have.
    """
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
