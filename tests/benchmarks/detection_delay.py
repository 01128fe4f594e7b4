# SPDX-License-Identifier: Apache-2.0
"""How long after a job's end a wait notices, for jobs of 1 to 600 s, on a simulated clock.

The wait itself is asked, as triggers, blocking waits and pokes ask it; each answer takes 50 ms. A trigger tells of it
at once, but no sooner after the deferral than Airflow can bear.
"""

from __future__ import annotations

import random
import sys
from statistics import median

import measure
from measure import Report

from airflow_cloudjobs import compat
from airflow_cloudjobs.apis import SPECS, spec_of
from airflow_cloudjobs.jobs.spec import JobSpec, Observation
from airflow_cloudjobs.jobs.wait import Wait, WaitPlan

DURATIONS = (1, 2, 5, 10, 20, 60, 120, 300, 600)
ANSWER = 0.05


def delay(spec: JobSpec, duration: float, interval: float, draw: random.Random) -> tuple[float, float, int]:
    """Seconds from a job's end until the wait knows and until its event, where it began with a deferral; polls."""
    running, done = sorted(spec.states.in_progress)[0], sorted(spec.states.succeeded)[0]
    start = draw.random()
    wait, now, polls = Wait(spec, ["job"], WaitPlan(start, interval), random=draw.random), start, 0
    while not wait.over:
        now += wait.pause(now)
        status = done if now >= start + duration else running
        now, polls = now + ANSWER, polls + 1
        wait.take({"job": Observation(status, {})}, now)
    end = start + duration
    return now - end, max(now, start + compat.EVENT_HOLD) - end, polls


def main() -> int:
    """Run it."""
    told = measure.options(__doc__, draws=(1000, "jobs of each duration"))
    draws = 50 if told.quick else told.draws
    report = Report("detection delay", "seconds from a job's end until its wait knows")
    intervals = {"10 min": 600.0, **{api: spec_of(api).interval for api in SPECS}}
    worst_share = worst_event = 0.0
    for name, interval in intervals.items():
        spec = spec_of(name if name in SPECS else "dli.sql_job")
        for duration in DURATIONS:
            draw = random.Random(duration)
            seen = [delay(spec, duration * (1 + 0.1 * draw.random()), interval, draw) for _ in range(draws)]
            delays = sorted(late for late, _, _ in seen)
            event = max(late for _, late, _ in seen)
            allowed = min(max(2.0, 0.1 * duration * 1.1), max(2.0, interval)) + ANSWER
            worst_share = max(worst_share, delays[-1] / allowed)
            worst_event = max(worst_event, event / max(allowed, compat.EVENT_HOLD - duration))
            if name == "10 min" or duration == DURATIONS[-1]:
                report.row(
                    interval=name if name not in SPECS else f"{interval:g} s ({name})",
                    job_s=duration,
                    delay_median_s=median(delays),
                    delay_max_s=delays[-1],
                    event_max_s=event,
                    polls=median(polls for _, _, polls in seen),
                )
    what = "worst delay as a part of max(2 s, a tenth of the job's duration) or the interval, an answer's time added"
    report.budget(what, worst_share, at_most=1.05)
    report.budget(
        f"worst event, as a part of that or of {compat.EVENT_HOLD:g} s after deferral", worst_event, at_most=1.05
    )
    return report.finish(told)


if __name__ == "__main__":
    sys.exit(main())
