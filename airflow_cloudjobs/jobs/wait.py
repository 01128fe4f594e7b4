# SPDX-License-Identifier: Apache-2.0
"""The wait: what to conclude from what was seen, and when to look again.

A :class:`Wait` knows some jobs and a plan. It is fed answers (observations or errors) and the time, and
tells when to ask next, or how each job ended. It does no I/O, reads no clock and draws from an injected
random source, so poke, blocking and deferrable waiting are the same wait with another driver::

    while not wait.over:
        pause(wait.pause(now()))
        log(wait.take(ask(wait.due(now())), now()))
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, NamedTuple

from airflow_cloudjobs.jobs.backoff import Backoff
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.spec import JobSpec, Observation, Outcome

FIRST_PAUSE = 1.0
"""Seconds between the first polls, unless the interval is shorter."""

GROWTH = 0.1
"""Pauses are this part of the time waited so far: a job's end is seen late by a tenth of its duration."""

JITTER = 0.2
"""Pauses are shortened by up to this part, so that waits begun together do not poll together."""

ERROR_BACKOFF = Backoff(first=2 * FIRST_PAUSE, cap=60.0, floor=0.1)
"""The pauses after trouble."""

PATIENCE_POLLS = 10
PATIENCE_CAP = 600.0
"""What is in no table (a status, a refusal) is waited out for this many intervals, seconds at most."""

HEARTBEAT = 300.0
"""Seconds between two signs of life in the log while nothing changes."""


class Ending(StrEnum):
    """Why a wait for one job is over."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    """Time ran out; the job may well go on."""
    UNREADABLE = "unreadable"
    """The cloud kept showing a status that is not documented."""
    ERROR = "error"
    """The cloud refused to tell."""
    NOT_AWAITED = "not_awaited"
    """Nobody wanted to know."""


@dataclass(frozen=True, slots=True)
class WaitPlan:
    """What a wait is told; all of it fits in a trigger's arguments and survives restarts.

    :param started: when the wait began, seconds since the epoch.
    :param interval: the longest pause between two polls in seconds.
    :param deadline: when to give up, seconds since the epoch; None for never.
    :param not_found_until: "no such job" means "not yet" until then (our own submit was just before).
    :param earlier: the job's record before our submit, where an earlier end may still be shown.
    :param earlier_until: the earlier record is not believed until then.
    :param not_before: the first look is not made before; a wait that moves keeps the pause it is in.
    :param looked: True if looks were taken at the jobs in an earlier part of this wait: one that is not found now was
        there then, and may be there again.
    """

    started: float
    interval: float
    deadline: float | None = None
    not_found_until: float = 0.0
    earlier: Mapping[str, Any] | None = None
    earlier_until: float = 0.0
    not_before: float = 0.0
    looked: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WaitPlan:
        """The inverse of :meth:`as_dict`; fields of another version are ignored or defaulted."""
        names = {item.name for item in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in names})


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How the wait for one job ended.

    :param key: the job's key.
    :param ending: why the wait is over.
    :param status: the last raw status seen, empty if none was.
    :param reason: the vendor's words, or ours.
    :param record: the job's fields as last seen, as they may be shown.
    :param request_id: the vendor's id of the last request that showed the job.
    :param error: the API error that ended the wait or kept us blind at its end, if one did.
    :param seconds: how long the wait was.
    """

    key: str
    ending: Ending
    status: str = ""
    reason: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = ""
    error: CloudApiError | None = None
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The end as JSON-able values, to travel in a trigger's event."""
        return {
            "key": self.key,
            "ending": self.ending.value,
            "status": self.status,
            "reason": self.reason,
            "record": dict(self.record),
            "request_id": self.request_id,
            "error": self.error.as_dict() if self.error else None,
            "seconds": round(self.seconds, 3),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> JobEnd:
        """The inverse of :meth:`as_dict`; raises ValueError if it names no known ending."""
        error = data.get("error")
        return cls(
            key=str(data["key"]),
            ending=Ending(data["ending"]),
            status=str(data.get("status") or ""),
            reason=str(data.get("reason") or ""),
            record=data.get("record") or {},
            request_id=str(data.get("request_id") or ""),
            error=CloudApiError.from_dict(error) if error else None,
            seconds=float(data.get("seconds") or 0.0),
        )


class Note(NamedTuple):
    """A line for the task's log."""

    level: int
    text: str


@dataclass(slots=True)
class _Job:
    """What the wait knows of one job."""

    due: float
    heard: float
    seen: Observation | None = None
    error: CloudApiError | None = None
    errors: int = 0
    blind_since: float | None = None
    doubt_since: float | None = None
    end: JobEnd | None = None

    def heard_again(self, now: float) -> None:
        """The cloud has answered; while it could not, no doubt has grown."""
        if self.blind_since is not None and self.doubt_since is not None:
            self.doubt_since += now - self.blind_since
        self.blind_since = None


class Wait:
    """A wait for some jobs of one API.

    :param spec: the API.
    :param keys: the jobs; the order is kept.
    :param plan: intervals and limits.
    :param random: draws from [0, 1).
    :param resumed: the time, if this goes on with a wait begun elsewhere: the first looks are then spread
        over a pause, since many waits resume together when a process restarts.
    :param doubts: since when something undocumented is seen, by key, from an earlier part of this wait.
    """

    def __init__(
        self,
        spec: JobSpec,
        keys: Sequence[str],
        plan: WaitPlan,
        *,
        random: Callable[[], float],
        resumed: float | None = None,
        doubts: Mapping[str, float] | None = None,
    ) -> None:
        self.spec = spec
        self.plan = plan
        self._random = random
        start = plan.started if resumed is None else resumed
        spread = 0.0 if resumed is None else random() * self._steady_pause(start)
        due = max(plan.not_before, start + spread)
        self._jobs = {key: _Job(due=due, heard=start) for key in keys}
        for key, since in (doubts or {}).items():
            if key in self._jobs:
                self._jobs[key].doubt_since = since

    @property
    def keys(self) -> list[str]:
        """All jobs, ended or not."""
        return list(self._jobs)

    @property
    def over(self) -> bool:
        """True once every job's wait has ended."""
        return all(job.end is not None for job in self._jobs.values())

    @property
    def ends(self) -> list[JobEnd]:
        """How it ended for each job, in the order of the keys; complete once :attr:`over`."""
        return [job.end for job in self._jobs.values() if job.end is not None]

    @property
    def doubts(self) -> dict[str, float]:
        """Since when something undocumented is seen, by key."""
        return {key: job.doubt_since for key, job in self._jobs.items() if job.doubt_since is not None}

    def due(self, now: float) -> list[str]:
        """The keys to ask for now."""
        return [key for key, job in self._jobs.items() if job.end is None and self._next(job) <= now]

    def schedule(self) -> dict[str, float]:
        """When to ask for each job that has not ended, seconds since the epoch."""
        return {key: self._next(job) for key, job in self._jobs.items() if job.end is None}

    def pause(self, now: float) -> float:
        """Seconds until a key is due; 0 if one is now, or if the wait is over."""
        pending = [self._next(job) for job in self._jobs.values() if job.end is None]
        return max(0.0, min(pending) - now) if pending else 0.0

    def _next(self, job: _Job) -> float:
        """When to look at a job: never after the deadline, so that the last look is made right at it."""
        return job.due if self.plan.deadline is None else min(job.due, self.plan.deadline)

    def take(self, answers: Mapping[str, Observation | CloudApiError], now: float) -> list[Note]:
        """Learn from what was asked, and judge each job by it.

        :param answers: what was seen of each key, or why nothing was.
        :param now: the time after the answers came, seconds since the epoch.
        :return: lines for the log.
        """
        notes: list[Note] = []
        pause = self._steady_pause(now)
        for key, answer in answers.items():
            job = self._jobs[key]
            if job.end is not None:
                continue
            if isinstance(answer, CloudApiError):
                notes += self._take_error(key, job, answer, now)
            else:
                notes += self._take_observation(key, job, answer, now, pause)
        if self.plan.deadline is not None and now >= self.plan.deadline:
            self._time_out(answers, now)
        return notes

    def give_up(self, now: float) -> None:
        """The deadline is past and nobody could take the last look: end with what is known."""
        self._time_out(self._jobs, now)

    def _time_out(self, keys: Iterable[str], now: float) -> None:
        for key in keys:
            job = self._jobs[key]
            if job.end is None:
                self._finish(key, job, now, Ending.TIMED_OUT, self._last_words(job, now))

    def _take_observation(self, key: str, job: _Job, seen: Observation, now: float, pause: float) -> list[Note]:
        notes: list[Note] = []
        name = f"{self.spec.api} {key}"
        if job.blind_since is not None:
            notes.append(Note(logging.INFO, f"{name}: readable again after {_span(now - job.blind_since)}"))
        job.heard_again(now)
        job.errors, job.error = 0, None
        before, job.seen = job.seen, seen
        job.due = now + pause

        states = self.spec.states
        known = states.knows(seen.status)
        outcome = states.outcome(seen.status)
        shown = _shown(seen.status) if known else repr(seen.status)
        if self.plan.earlier is not None:
            if not self._is_earlier(seen, now):
                # Something else is shown now, so the next end is that of our submit, even in the same words.
                self.plan = replace(self.plan, earlier=None)
            elif outcome is not None:
                outcome, shown = None, f"{shown} (of an earlier job, not believed yet)"
        if before is None or before.status != seen.status:
            change = shown if before is None else f"{_shown(before.status)} -> {shown}"
            notes.append(Note(logging.INFO, f"{name}: {change} after {self._waited(now)}"))
            job.heard = now
        elif now - job.heard >= HEARTBEAT:
            progress = self.spec.progress(seen.record)
            notes.append(
                Note(logging.INFO, f"{name}: still {shown} after {self._waited(now)}{progress and f', {progress}'}")
            )
            job.heard = now

        if outcome is not None:
            self._finish(key, job, now, _ENDINGS[outcome], self.spec.reason_of(seen.record))
        elif known:
            job.doubt_since = None
        else:
            notes += self._doubt(
                key,
                job,
                now,
                f"the cloud shows the undocumented status {seen.status!r}",
                Ending.UNREADABLE,
            )
        return notes

    def _take_error(self, key: str, job: _Job, error: CloudApiError, now: float) -> list[Note]:
        name = f"{self.spec.api} {key}"
        not_yet = error.kind is ErrorKind.NOT_FOUND and now < self.plan.not_found_until
        job.error = error
        job.errors += 1
        known = job.seen is not None or self.plan.looked
        gone = error.kind is ErrorKind.NOT_FOUND and known and not not_yet
        if error.kind is ErrorKind.UNKNOWN or gone:
            job.heard_again(now)
            job.due = now + self._error_pause(job)
            notes = self._doubt(
                key,
                job,
                now,
                f"the cloud {'does not show it any more' if gone else 'refuses to tell'}: {error}",
                Ending.ERROR,
            )
            return notes or self._still_blind(name, job, now, job.doubt_since or now)
        if not (error.retryable or not_yet):
            self._finish(key, job, now, Ending.ERROR, str(error))
            return []
        job.due = now + self._error_pause(job)
        if job.blind_since is None:
            job.blind_since = job.heard = now
            return [Note(logging.WARNING, f"{name}: could not be read, will ask again: {error}")]
        return self._still_blind(name, job, now, job.blind_since)

    def _still_blind(self, name: str, job: _Job, now: float, since: float) -> list[Note]:
        if now - job.heard < HEARTBEAT or job.end is not None:
            return []
        job.heard = now
        blind = _span(now - since)
        return [Note(logging.WARNING, f"{name}: not readable for {blind}, will ask again: {job.error}")]

    def _doubt(self, key: str, job: _Job, now: float, what: str, ending: Ending) -> list[Note]:
        """Something no table lists: say so once, look on for a while, then stop."""
        patience = min(PATIENCE_CAP, PATIENCE_POLLS * self.plan.interval)
        if job.doubt_since is None:
            job.doubt_since = job.heard = now
            return [
                Note(
                    logging.WARNING,
                    f"{self.spec.api} {key}: {what}; it is not taken for success, will look on for {_span(patience)}",
                )
            ]
        if now - job.doubt_since >= patience:
            self._finish(key, job, now, ending, f"{what}, since {_span(now - job.doubt_since)}")
        return []

    def _is_earlier(self, seen: Observation, now: float) -> bool:
        """True while an end that was there before our submit is all that is shown."""
        return now < self.plan.earlier_until and dict(seen.record) == dict(self.plan.earlier or {})

    def _finish(self, key: str, job: _Job, now: float, ending: Ending, reason: str) -> None:
        seen = job.seen or Observation("", {})
        seconds = now - self.plan.started
        job.end = JobEnd(key, ending, seen.status, reason, seen.record, seen.request_id, job.error, seconds)

    def _last_words(self, job: _Job, now: float) -> str:
        waited = f"time ran out after {self._waited(now)}"
        if job.error is not None:
            return f"{waited}; the last look failed: {job.error}"
        if job.seen is not None:
            return f"{waited}; the job is still {_shown(job.seen.status)}"
        return f"{waited}; the job was never seen"

    def _waited(self, now: float) -> str:
        return _span(now - self.plan.started)

    def _steady_pause(self, now: float) -> float:
        grown = max(FIRST_PAUSE, GROWTH * (now - self.plan.started))
        return min(self.plan.interval, grown) * (1.0 - JITTER * self._random())

    def _error_pause(self, job: _Job) -> float:
        asked = job.error.retry_after if job.error else None
        return ERROR_BACKOFF.after(job.errors - 1, asked, self._random)


_ENDINGS = {
    Outcome.SUCCEEDED: Ending.SUCCEEDED,
    Outcome.FAILED: Ending.FAILED,
    Outcome.CANCELLED: Ending.CANCELLED,
}


def _shown(status: str) -> str:
    return status or "(no status)"


def _span(seconds: float) -> str:
    """A duration for people: ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
