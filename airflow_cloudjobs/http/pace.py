# SPDX-License-Identifier: Apache-2.0
"""How fast one API of one connection may be called. No I/O, no clock of its own."""

from __future__ import annotations

from collections import deque

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


class Pace:
    """Lets calls pass unlimited until the cloud refuses one for being too many; then at the rate it takes.

    A quota is the account's, so what others use of it changes all the time. It is found as congestion is found
    on a network: slow down while calls are refused, recover quickly to just below the rate that was too much, and
    go beyond it slowly.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        self._too_much: float | None = None
        self._taken: deque[float] = deque()
        self._next = 0.0
        self._held_until = 0.0
        self._refused_at = float("-inf")
        self._cut_at = float("-inf")
        self._grown_at = 0.0

    def delay(self, now: float) -> float:
        """Seconds until the next call may be made."""
        return max(0.0, self._held_until - now, self._next - now if self.rate else 0.0)

    def sent(self, now: float) -> None:
        """A call is made."""
        if self.rate is None:
            return
        self.rate = self._grown(self.rate, now)
        if self.rate > FREE:
            self.rate = self._too_much = None
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
        quiet = now - self._refused_at > QUIET
        self._refused_at = now
        if now - self._cut_at < 1.0:
            return  # one burst, one cut: the other calls in flight were sent at the old rate
        took = self._rate_taken(now)
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
        since = max(self._grown_at, self._refused_at + QUIET)
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

    def _rate_taken(self, now: float) -> float:
        """Calls a second that the cloud took lately."""
        recent = [moment for moment in self._taken if moment >= now - WINDOW]
        return len(recent) / max(1.0, now - recent[0]) if recent else 0.0
