# SPDX-License-Identifier: Apache-2.0
"""How long to pause after trouble before the same is tried again: one rule for all loops, each with its own figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that are drawn below a growing ceiling, after what the cloud asked to wait.

    :param first: the ceiling of the first pause in seconds.
    :param cap: the highest ceiling in seconds.
    :param factor: how many times higher each ceiling is than the one before.
    :param jitter: the part of a pause that is drawn: 1 draws all of it, so that those who failed together do not come
        back together; 0 makes every pause as long as its ceiling.
    :param floor: the shortest pause in seconds.
    """

    first: float
    cap: float
    factor: float = 2.0
    jitter: float = 1.0
    floor: float = 0.0

    def after(self, attempt: int, retry_after: float | None, random: Callable[[], float]) -> float:
        """The pause after a failed attempt, in seconds.

        :param attempt: how many have failed before this one.
        :param retry_after: seconds the cloud asked to wait, or None. The pause comes on top, since all whom it told the
            same would else come then.
        :param random: draws from 0 to 1.
        """
        try:
            ceiling = min(self.cap, self.first * self.factor**attempt)
        except OverflowError:
            ceiling = self.cap
        drawn = ceiling * (1.0 - self.jitter + self.jitter * random())
        return (retry_after or 0.0) + max(self.floor, drawn)
