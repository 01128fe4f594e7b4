# SPDX-License-Identifier: Apache-2.0
"""Driving a wait without I/O: a clock that only moves when told, answers made up by the test."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow_cloudjobs.apis import spec_of
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.outcome import JobResult
from airflow_cloudjobs.jobs.spec import JobSpec, Observation
from airflow_cloudjobs.jobs.wait import LogLine, Wait, WaitPlan

START = 1_800_000_000.0
SPEC = spec_of("dli.sql_job")

Answer = Observation | CloudApiError


def seen(status: str, spec: JobSpec = SPEC, **record: Any) -> Observation:
    """One look that showed a status."""
    return Observation(status, {spec.status: status, **record}, "request-1")


def error(
    kind: ErrorKind = ErrorKind.TRANSIENT,
    retry_after: float | None = None,
    message: str = "m",
    *,
    misdirected: bool = False,
) -> CloudApiError:
    """One look that showed nothing."""
    return CloudApiError(message, kind=kind, retry_after=retry_after, misdirected=misdirected)


def plan(interval: float = 10.0, deadline: float | None = None, **more: Any) -> WaitPlan:
    """A plan that begins at :data:`START`; a deadline counts from there."""
    return WaitPlan(START, interval, None if deadline is None else START + deadline, **more)


def wait_for(
    keys: Sequence[str] = ("k",),
    the_plan: WaitPlan | None = None,
    *,
    spec: JobSpec = SPEC,
    random: Callable[[], float] = lambda: 0.0,
    **more: Any,
) -> Wait:
    """A wait with a random source that never shortens a pause, unless told."""
    return Wait(spec, keys, the_plan or plan(), random=random, **more)


def through_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """What a database gives back."""
    again: dict[str, Any] = json.loads(json.dumps(value))
    return again


def handed_over(wait: Wait, now: float) -> Wait:
    """The wait as another process goes on with it, from what is stored of it only."""
    remaining = replace(wait.continued(now), not_before=wait.plan.not_before, looked=wait.plan.looked)
    the_plan = WaitPlan.from_dict(through_json(remaining.as_dict()))
    return wait_for(
        wait.keys,
        the_plan,
        spec=wait.spec,
        resumed=now,
        unknown_since=through_json(wait.unknown_since),
        misdirected_since=wait.misdirected_since,
        random=lambda: 0.5,
    )


def poll(wait: Wait, answer: Answer | Mapping[str, Answer], now: float, latency: float = 0.0) -> list[LogLine]:
    """Ask for what is due and have it answered."""
    due = wait.due(now)
    answers = answer if isinstance(answer, Mapping) else dict.fromkeys(due, answer)
    return wait.take({key: answers[key] for key in due}, now + latency)


def polled_until(wait: Wait, answer: Answer, limit: float, start: float = START) -> tuple[float, list[LogLine]]:
    """Give the same answer at every look until the wait is over or the time is up; when that was, and all notes."""
    now, notes = start, []
    while not wait.over and now < start + limit:
        now += wait.pause(now)
        notes += poll(wait, answer, now)
    return now, notes


def the_end(wait: Wait) -> JobResult:
    """How the only job's wait ended."""
    assert wait.over
    [end] = wait.results
    return end
