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
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from airflow_cloudjobs.jobs.backoff import Backoff
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome
from airflow_cloudjobs.jobs.span import span
from airflow_cloudjobs.jobs.spec import JobSpec, Observation, fields_in
from airflow_cloudjobs.jobs.stored import stored_fields
from airflow_cloudjobs.jobs.submission import Submission

FIRST_PAUSE = 1.0
"""Seconds between the first polls, unless the interval is shorter."""

GROWTH = 0.1
"""Pauses are this part of the time waited so far: a job's end is seen late by a tenth of its duration."""

JITTER = 0.2
"""Pauses are shortened by up to this part, so that waits begun together do not poll together."""

ERROR_BACKOFF = Backoff(first=2 * FIRST_PAUSE, cap=60.0, floor=0.1)
"""The pauses after trouble."""

GRACE_POLLS = 10
GRACE_CAP = 600.0
"""What is in no table (a status, a refusal) is waited out for this many intervals, seconds at most."""

MISDIRECTED_GRACE = 300.0
"""Seconds for which a wait that never had an answer bears a host that is none, or speaks no TLS. It is a mistake in the
connection then, which no waiting mends; a host that is made just now may be unknown for as long, since name servers
keep for minutes that they did not find it."""

HEARTBEAT = 300.0
"""Seconds between two signs of life in the log while nothing changes."""


@dataclass(frozen=True, slots=True)
class WaitPlan:
    """What a wait knows when it begins; all of it fits in a trigger's arguments and survives restarts.

    :param started: when the wait began, seconds since the epoch.
    :param interval: the longest pause between two polls in seconds.
    :param deadline: when to give up, seconds since the epoch; None for never.
    :param not_found_until: "no such job" means "not yet" until then (our own submit was just before).
    :param baseline: the job's record before our submit, where the end of an earlier job may still be shown.
    :param trusted_after: until then, what is the same as the baseline is not taken for our job's end.
    :param not_before: the first look is not made before; a wait that moves keeps the pause it is in.
    :param looked: True if looks were taken at the jobs in an earlier part of this wait: one that is not found now was
        there then, and may be there again.
    :param answered: True if the cloud has answered before: its host is right then, and trouble of the network passes.
    :param handed_over: when a worker gave the wait to a triggerer, seconds since the epoch; 0 if none did.
    """

    started: float
    interval: float
    deadline: float | None = None
    not_found_until: float = 0.0
    baseline: Mapping[str, Any] | None = None
    trusted_after: float = 0.0
    not_before: float = 0.0
    looked: bool = False
    answered: bool = False
    handed_over: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON-able values."""
        return asdict(self)

    def after(self, submission: Submission, grace: float) -> WaitPlan:
        """The plan of a wait for the jobs of a submit that was made just before.

        :param submission: the submit, which the cloud has answered.
        :param grace: seconds from it for which the cloud may not know its jobs yet.
        """
        return replace(
            self,
            not_found_until=submission.at + grace,
            baseline=submission.baseline,
            trusted_after=submission.trusted_after,
            answered=True,
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WaitPlan:
        """The inverse of :meth:`as_dict`; fields of another version are ignored or defaulted.

        The release before did not tell whether looks were answered; they are taken for it.
        """
        return cls(**stored_fields(cls, {"answered": data.get("looked", False), **data}, _FORMER))


_FORMER = {"earlier": "baseline", "earlier_until": "trusted_after"}
"""What a worker of the release before has given to a trigger; read until the next release."""


class LogLine(NamedTuple):
    """A line for the task's log."""

    level: int
    text: str


@dataclass(slots=True)
class _Job:
    """What the wait knows of one job."""

    due: float
    logged: float
    seen: Observation | None = None
    error: CloudApiError | None = None
    errors: int = 0
    blind_since: float | None = None
    unknown_since: float | None = None
    result: JobResult | None = None

    def answered(self, now: float) -> None:
        """The cloud has answered; while it could not, the grace of what is unknown did not run out."""
        if self.blind_since is not None and self.unknown_since is not None:
            self.unknown_since += now - self.blind_since
        self.blind_since = None


@dataclass(slots=True)
class _StaleGuard:
    """Tells the end of an earlier job, that the cloud still shows after our submit, from that of ours."""

    baseline: Mapping[str, Any] | None
    trusted_after: float

    def distrusts(self, seen: Observation, now: float) -> bool:
        """True as long as nothing else was shown; after that, an end is ours even if it is in the same words."""
        if now >= self.trusted_after or self.baseline is None or dict(seen.record) != dict(self.baseline):
            self.baseline = None
        return self.baseline is not None


class Wait:
    """A wait for some jobs of one API.

    :param spec: the API.
    :param keys: the jobs; the order is kept.
    :param plan: intervals and limits.
    :param random: draws from [0, 1).
    :param resumed: the time, if this goes on with a wait begun elsewhere: the first looks are then spread
        over a pause, since many waits resume together when a process restarts.
    :param unknown_since: since when something undocumented is seen, by key, from an earlier part of this wait.
    :param misdirected_since: since when no host is found that could answer, from an earlier part of this wait.
    """

    def __init__(
        self,
        spec: JobSpec,
        keys: Sequence[str],
        plan: WaitPlan,
        *,
        random: Callable[[], float],
        resumed: float | None = None,
        unknown_since: Mapping[str, float] | None = None,
        misdirected_since: float | None = None,
    ) -> None:
        self.spec = spec
        self.plan = plan
        self.answered = plan.answered
        """Whether the cloud has answered, now or in an earlier part of this wait."""
        self.misdirected_since = misdirected_since
        """Since when no host is found that could answer; None if the last look had other trouble, or none."""
        self._guard = _StaleGuard(plan.baseline, plan.trusted_after)
        self._random = random
        start = plan.started if resumed is None else resumed
        spread = 0.0 if resumed is None else random() * self._steady_pause(start)
        due = max(plan.not_before, start + spread)
        self._jobs = {key: _Job(due=due, logged=start) for key in keys}
        for key, since in (unknown_since or {}).items():
            if key in self._jobs:
                self._jobs[key].unknown_since = since

    @property
    def keys(self) -> list[str]:
        """All jobs, ended or not."""
        return list(self._jobs)

    @property
    def over(self) -> bool:
        """True once every job's wait has ended."""
        return all(job.result is not None for job in self._jobs.values())

    @property
    def results(self) -> list[JobResult]:
        """How it ended for each job, in the order of the keys; complete once :attr:`over`."""
        return [job.result for job in self._jobs.values() if job.result is not None]

    @property
    def seen(self) -> dict[str, Observation]:
        """What was last seen of each job, by key; nothing of those that were not seen yet."""
        return {key: job.seen for key, job in self._jobs.items() if job.seen is not None}

    @property
    def unknown_since(self) -> dict[str, float]:
        """Since when something undocumented is seen, by key."""
        return {key: job.unknown_since for key, job in self._jobs.items() if job.unknown_since is not None}

    def continued(self, now: float) -> WaitPlan:
        """The plan for the rest of this wait, elsewhere: a pause that the cloud has asked for is made there too."""
        return replace(
            self.plan,
            baseline=self._guard.baseline,
            not_before=now + self.pause(now),
            looked=True,
            answered=self.answered,
            handed_over=now,
        )

    def due(self, now: float) -> list[str]:
        """The keys to ask for now."""
        return [key for key, job in self._jobs.items() if job.result is None and self._next(job) <= now]

    def schedule(self) -> dict[str, float]:
        """When to ask for each job that has not ended, seconds since the epoch."""
        return {key: self._next(job) for key, job in self._jobs.items() if job.result is None}

    def pause(self, now: float) -> float:
        """Seconds until a key is due; 0 if one is now, or if the wait is over."""
        pending = [self._next(job) for job in self._jobs.values() if job.result is None]
        return max(0.0, min(pending) - now) if pending else 0.0

    def _next(self, job: _Job) -> float:
        """When to look at a job: never after the deadline, so that the last look is made right at it."""
        return job.due if self.plan.deadline is None else min(job.due, self.plan.deadline)

    def take(self, answers: Mapping[str, Observation | CloudApiError], now: float) -> list[LogLine]:
        """Learn from what was asked, and judge each job by it.

        :param answers: what was seen of each key, or why nothing was.
        :param now: the time after the answers came, seconds since the epoch.
        :return: lines for the log.
        """
        lines: list[LogLine] = []
        pause = self._steady_pause(now)
        self._learn_of_host(answers.values(), now)
        for key, answer in answers.items():
            job = self._jobs[key]
            if job.result is not None:
                continue
            if isinstance(answer, CloudApiError):
                lines += self._take_error(key, job, answer, now)
            else:
                lines += self._take_observation(key, job, answer, now, pause)
        if self.plan.deadline is not None and now >= self.plan.deadline:
            self._time_out(answers, now)
        return lines

    def give_up(self, now: float) -> None:
        """The deadline is past and nobody could take the last look: end with what is known."""
        self._time_out(self._jobs, now)

    def _time_out(self, keys: Iterable[str], now: float) -> None:
        for key in keys:
            job = self._jobs[key]
            if job.result is None:
                self._finish(key, job, now, Outcome.TIMED_OUT, self._last_words(job, now))

    def _learn_of_host(self, answers: Collection[Observation | CloudApiError], now: float) -> None:
        """Whether the connection's host is right, as far as answers tell."""
        errors = [answer for answer in answers if isinstance(answer, CloudApiError)]
        if len(errors) < len(answers) or any(error.http_status for error in errors):
            self.answered = True
        if self.answered or not all(error.misdirected for error in errors):
            self.misdirected_since = None
        elif errors and self.misdirected_since is None:
            self.misdirected_since = now

    def _take_observation(self, key: str, job: _Job, seen: Observation, now: float, pause: float) -> list[LogLine]:
        lines = self._readable_again(key, job, now)
        before, job.seen = job.seen, seen
        job.errors, job.error, job.due = 0, None, now + pause
        stale = self._guard.distrusts(seen, now)
        return [
            *lines,
            *self._status_logged(key, job, seen, before, stale, now),
            *self._judge(key, job, seen, stale, now),
        ]

    def _readable_again(self, key: str, job: _Job, now: float) -> list[LogLine]:
        blind_since = job.blind_since
        job.answered(now)
        if blind_since is None:
            return []
        return [LogLine(logging.INFO, f"{self.spec.api} {key}: readable again after {span(now - blind_since)}")]

    def _status_logged(
        self, key: str, job: _Job, seen: Observation, before: Observation | None, stale: bool, now: float
    ) -> list[LogLine]:
        """A line for a change of the status, or now and then a sign of life."""
        changed = before is None or before.status != seen.status
        if not changed and now - job.logged < HEARTBEAT:
            return []
        job.logged = now
        states = self.spec.states
        shown = _shown(seen.status) if states.knows(seen.status) else repr(seen.status)
        if stale and states.outcome(seen.status) is not None:
            shown += " (of an earlier job, not believed yet)"
        if changed:
            text = f"{shown} after {self._waited(now)}"
            if before is not None:
                text = f"{_shown(before.status)} -> {text}"
        else:
            progress = self.spec.progress(seen.record)
            text = f"still {shown} after {self._waited(now)}{progress and f', {progress}'}"
        return [LogLine(logging.INFO, f"{self.spec.api} {key}: {text}")]

    def _judge(self, key: str, job: _Job, seen: Observation, stale: bool, now: float) -> list[LogLine]:
        """What the status means for the job."""
        if not self.spec.states.knows(seen.status):
            what = f"the cloud shows the undocumented status {seen.status!r}"
            if not seen.status:
                what += f" (no {self.spec.status!r} in {fields_in(seen.record)})"
            return self._wait_out(key, job, now, what, Outcome.UNREADABLE)
        outcome = self.spec.states.outcome(seen.status)
        if outcome is None or stale:
            job.unknown_since = None
        else:
            self._finish(key, job, now, outcome, self.spec.reason_of(seen.record))
        return []

    def _take_error(self, key: str, job: _Job, error: CloudApiError, now: float) -> list[LogLine]:
        name = f"{self.spec.api} {key}"
        not_yet = error.kind is ErrorKind.NOT_FOUND and now < self.plan.not_found_until
        job.error = error
        job.errors += 1
        known = job.seen is not None or self.plan.looked
        gone = error.kind is ErrorKind.NOT_FOUND and known and not not_yet
        if error.kind is ErrorKind.UNKNOWN or gone:
            job.answered(now)
            job.due = now + self._error_pause(job)
            lines = self._wait_out(
                key,
                job,
                now,
                f"the cloud {'does not show it any more' if gone else 'refuses to tell'}: {error}",
                Outcome.ERROR,
            )
            return lines or self._still_blind(name, job, now, job.unknown_since or now)
        if not (error.retryable or not_yet):
            self._finish(key, job, now, Outcome.ERROR, str(error))
            return []
        since, again = self.misdirected_since, "will ask again"
        if since is not None:
            if now - since >= MISDIRECTED_GRACE:
                self._finish(key, job, now, Outcome.ERROR, f"no answer since {span(now - since)}: {error}")
                return []
            again += f" for {span(MISDIRECTED_GRACE - (now - since))}"
        job.due = now + self._error_pause(job)
        if job.blind_since is None:
            job.blind_since = job.logged = now
            return [LogLine(logging.WARNING, f"{name}: could not be read, {again}: {error}")]
        return self._still_blind(name, job, now, job.blind_since)

    def _still_blind(self, name: str, job: _Job, now: float, since: float) -> list[LogLine]:
        if now - job.logged < HEARTBEAT or job.result is not None:
            return []
        job.logged = now
        blind = span(now - since)
        return [LogLine(logging.WARNING, f"{name}: not readable for {blind}, will ask again: {job.error}")]

    def _wait_out(self, key: str, job: _Job, now: float, what: str, outcome: Outcome) -> list[LogLine]:
        """Something no table lists: say so once, look on for a while, then stop."""
        grace = min(GRACE_CAP, GRACE_POLLS * self.plan.interval)
        if job.unknown_since is None:
            job.unknown_since = job.logged = now
            return [
                LogLine(
                    logging.WARNING,
                    f"{self.spec.api} {key}: {what}; it is not taken for success, will look on for {span(grace)}",
                )
            ]
        if now - job.unknown_since >= grace:
            self._finish(key, job, now, outcome, f"{what}, since {span(now - job.unknown_since)}")
        return []

    def _finish(self, key: str, job: _Job, now: float, outcome: Outcome, reason: str) -> None:
        seen = job.seen or Observation("", {})
        seconds = now - self.plan.started
        job.result = JobResult(key, outcome, seen.status, reason, seen.record, seen.request_id, job.error, seconds)

    def _last_words(self, job: _Job, now: float) -> str:
        waited = f"time ran out after {self._waited(now)}"
        if job.error is not None:
            return f"{waited}; the last look failed: {job.error}"
        if job.seen is not None:
            return f"{waited}; the job is still {_shown(job.seen.status)}"
        return f"{waited}; the job was never seen"

    def _waited(self, now: float) -> str:
        return span(now - self.plan.started)

    def _steady_pause(self, now: float) -> float:
        grown = max(FIRST_PAUSE, GROWTH * (now - self.plan.started))
        return min(self.plan.interval, grown) * (1.0 - JITTER * self._random())

    def _error_pause(self, job: _Job) -> float:
        asked = job.error.retry_after if job.error else None
        return ERROR_BACKOFF.after(job.errors - 1, asked, self._random)


def _shown(status: str) -> str:
    return status or "(no status)"
