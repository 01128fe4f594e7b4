# SPDX-License-Identifier: Apache-2.0
"""A cloud with a quota and many waits, on a clock that only jumps: what a limiter makes of them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from airflow_cloudjobs.polling.limiter import AdaptiveRateLimiter

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
    limiter: AdaptiveRateLimiter,
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

    :param limiter: decides when a call may be made.
    :param quota: decides which are taken.
    :param waits: how many; all are due at the start.
    :param interval: seconds between two looks of a wait.
    :param seconds: how long.
    :param latency: seconds from a call to its answer.
    :param retry_after: what a refusal asks for, in seconds.
    :param start: the clock's first moment; a limiter may have a history.
    """
    course = Course()
    due = [start] * waits
    in_flight: list[tuple[float, int, bool]] = []
    sent = 0
    now = start
    while now < start + seconds:
        while in_flight and in_flight[0][0] <= now:
            _, _, taken = heapq.heappop(in_flight)
            if taken:
                limiter.on_success(now)
            else:
                limiter.on_throttled(now, retry_after)
            heapq.heappush(due, now + (interval if taken else min(interval, 2.0)))
        while due and due[0] <= now and len(in_flight) < IN_FLIGHT and limiter.delay(now) <= 0:
            heapq.heappop(due)
            limiter.on_sent(now)
            taken = quota.takes(now)
            (course.taken if taken else course.refused).append(now - start)
            sent += 1
            heapq.heappush(in_flight, (now + latency, sent, taken))
        moments = [in_flight[0][0]] if in_flight else []
        if due and len(in_flight) < IN_FLIGHT:
            moments.append(max(due[0], now + limiter.delay(now)))
        now = max(min(moments), now + 1e-6)
    return course
