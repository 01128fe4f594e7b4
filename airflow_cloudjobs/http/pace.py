# SPDX-License-Identifier: Apache-2.0
"""How fast one API of one connection may be called. No I/O, no clock of its own."""

from __future__ import annotations

from collections import deque

WINDOW = 3.0
"""Seconds over which the calls that the cloud took are counted."""

CUT = 0.85
"""After a refusal we go at this part of the rate that the cloud took."""

GROWTH = 1.001
"""By this factor the rate grows back in a second: a tenth in a minute and a half."""

FREE = 1000.0
"""Calls a second at which a limit is forgotten."""

LEAST = 1.0
"""Calls a second; slower we do not get."""


class Pace:
    """Lets calls pass unlimited until the cloud refuses one for being too many; then at the rate it took.

    A quota is the account's, so what others use of it changes all the time: the rate is learnt from what was
    taken just before the refusal and grows back slowly.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        self._taken: deque[float] = deque()
        self._next = 0.0
        self._held_until = 0.0
        self._cut_at = float("-inf")
        self._grown_at = 0.0

    def delay(self, now: float) -> float:
        """Seconds until the next call may be made."""
        return max(0.0, self._held_until - now, self._next - now if self.rate else 0.0)

    def sent(self, now: float) -> None:
        """A call is made."""
        if self.rate is None:
            return
        self.rate *= GROWTH ** (now - self._grown_at)
        self._grown_at = now
        if self.rate > FREE:
            self.rate = None
        else:
            self._next = max(now, self._next) + 1.0 / self.rate

    def taken(self, now: float) -> None:
        """The cloud answered a call, so it was not one too many."""
        self._taken.append(now)
        while self._taken[0] < now - WINDOW:
            self._taken.popleft()

    def refused(self, now: float, retry_after: float | None) -> None:
        """The cloud refused a call for being one too many.

        :param retry_after: seconds that it asks to wait; no call of the API is made until then.
        """
        if retry_after:
            self._held_until = max(self._held_until, now + retry_after)
        if now - self._cut_at < 1.0:
            return  # one burst, one cut: the other calls in flight were sent at the old rate
        recent = [moment for moment in self._taken if moment >= now - WINDOW]
        span = max(1.0, now - recent[0]) if recent else 1.0
        took = len(recent) / span
        self.rate = max(LEAST, CUT * min(took, self.rate or took))
        self._cut_at = self._grown_at = now
        self._next = max(self._next, now + 1.0 / self.rate)
