# SPDX-License-Identifier: Apache-2.0
"""A cloud with a quota and many waits, on a clock that only jumps: what a pace makes of them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from airflow_cloudjobs.http.pace import Pace

IN_FLIGHT = 50


@dataclass
class Quota:
    """A token bucket, as gateways have it.

    :param rate: calls a second that it takes in the long run.
    :param burst: calls that it takes at once after a rest.
    """

    rate: float
    burst: float
    filled_at: float = 0.0
    tokens: float | None = None

    def takes(self, now: float) -> bool:
        """Whether a call is taken now."""
        level = self.burst if self.tokens is None else self.tokens
        level = min(self.burst, level + (now - self.filled_at) * self.rate)
        self.filled_at, taken = now, level >= 1.0
        self.tokens = level - 1.0 if taken else level
        return taken


@dataclass
class Course:
    """What happened: the moments of calls by how they were met."""

    taken: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def rate(self, start: float, end: float) -> float:
        """Calls a second that were taken between two moments."""
        return sum(start <= moment < end for moment in self.taken) / (end - start)

    def refusals(self, start: float, end: float) -> int:
        """Calls that were refused between two moments."""
        return sum(start <= moment < end for moment in self.refused)


def simulate(
    pace: Pace,
    quota: Quota,
    *,
    waits: int,
    interval: float,
    seconds: float,
    latency: float = 0.1,
    retry_after: float | None = None,
    start: float = 0.0,
) -> Course:
    """Run waits against a quota, each due an interval after its last answer, at most 50 calls in flight.

    :param pace: decides when a call may be made.
    :param quota: decides which are taken.
    :param waits: how many; all are due at the start.
    :param interval: seconds between two looks of a wait.
    :param seconds: how long.
    :param latency: seconds from a call to its answer.
    :param retry_after: what a refusal asks for, in seconds.
    :param start: the clock's first moment; a pace may have a history.
    """
    course = Course()
    due = [start] * waits
    flying: list[tuple[float, int, bool]] = []
    sent = 0
    now = start
    while now < start + seconds:
        while flying and flying[0][0] <= now:
            _, _, taken = heapq.heappop(flying)
            if taken:
                pace.taken(now)
            else:
                pace.refused(now, retry_after)
            heapq.heappush(due, now + (interval if taken else min(interval, 2.0)))
        while due and due[0] <= now and len(flying) < IN_FLIGHT and pace.delay(now) <= 0:
            heapq.heappop(due)
            pace.sent(now)
            taken = quota.takes(now)
            (course.taken if taken else course.refused).append(now - start)
            sent += 1
            heapq.heappush(flying, (now + latency, sent, taken))
        moments = [flying[0][0]] if flying else []
        if due and len(flying) < IN_FLIGHT:
            moments.append(max(due[0], now + pace.delay(now)))
        now = max(min(moments), now + 1e-6)
    return course
