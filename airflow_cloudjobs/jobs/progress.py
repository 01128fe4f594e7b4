# SPDX-License-Identifier: Apache-2.0
"""How far a wait is, for people who look at a task that waits: what is told, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow_cloudjobs.jobs.outcome import JobResult, Outcome
from airflow_cloudjobs.jobs.spec import JobSpec, Observation
from airflow_cloudjobs.jobs.wait import Wait

PROGRESS = "progress"
"""The XCom that tells it."""

FIRST = 10.0
"""Seconds that a wait has lasted before anything is told of it, and between two tellings at least: who waits for
seconds only does not want to know."""

EVERY = 60.0
"""Seconds between two tellings while nothing changes."""

MOST_STATUSES, LONGEST_TEXT = 20, 200
"""How many statuses are counted, and how many characters are told of a text in the vendor's words."""


class Pace:
    """When a wait is to be told of; moments are seconds since the epoch.

    :param started: when the wait began.
    """

    __slots__ = ("_soonest", "due")

    def __init__(self, started: float) -> None:
        self.due = self._soonest = started + FIRST

    def changed(self) -> None:
        """The status of a job has changed, which is told as soon as may be."""
        self.due = self._soonest

    def told(self, now: float) -> None:
        """The wait was told of."""
        self._soonest, self.due = now + FIRST, now + EVERY


def slowest(wait: Wait) -> str:
    """The first job that has not ended; the last of all if none is left."""
    ended = {result.key for result in wait.results}
    return next((key for key in wait.keys if key not in ended), wait.keys[-1])


def progress_of(wait: Wait, now: float, part: float | None = None) -> dict[str, Any]:
    """How far a wait is.

    :param wait: the wait.
    :param now: seconds since the epoch.
    :param part: how much of its slowest job is done, from 0 to 1; None if that is not known.
    :return: ``job_key`` and ``status`` of the slowest job; ``at`` (UTC), ``waited_seconds``; ``figures``, words of how
        far it is, and ``progress``, from 0 to 1, where the API tells; of several jobs ``jobs`` too: how many have which
        status.
    """
    return _told(wait.spec, slowest(wait), wait.keys, wait.seen, now, now - wait.plan.started, part)


def was_told(results: Sequence[JobResult]) -> bool:
    """True if a wait has lasted so long that something may have been told of it, so that its end has to be told, too.

    :param results: how its jobs ended.
    """
    return max((one.seconds for one in results), default=0.0) >= FIRST


def progress_at_end(spec: JobSpec, results: Sequence[JobResult], now: float) -> dict[str, Any]:
    """The last that is told, in the same form.

    :param spec: the jobs' API.
    :param results: how they ended, at least one.
    :param now: seconds since the epoch.
    """
    shown = next((one for one in results if one.outcome is not Outcome.SUCCEEDED), results[-1])
    part = 1.0 if spec.measure and shown.outcome is Outcome.SUCCEEDED else None
    seen = {one.key: Observation(one.status, one.record) for one in results}
    return _told(spec, shown.key, list(seen), seen, now, max(one.seconds for one in results), part)


def _told(
    spec: JobSpec,
    key: str,
    keys: Sequence[str],
    seen: Mapping[str, Observation],
    now: float,
    waited: float,
    part: float | None,
) -> dict[str, Any]:
    job = seen.get(key, Observation("", {}))
    told: dict[str, Any] = {
        "job_key": key,
        "status": job.status[:LONGEST_TEXT],
        "at": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
        "waited_seconds": round(waited),
    }
    if figures := spec.progress(job.record):
        told["figures"] = figures[:LONGEST_TEXT]
    if part is not None:
        told["progress"] = round(part, 3)
    if len(keys) > 1:
        statuses = Counter(seen[each].status[:LONGEST_TEXT] if each in seen else "" for each in keys)
        told["jobs"] = dict(statuses.most_common(MOST_STATUSES))
    return told
