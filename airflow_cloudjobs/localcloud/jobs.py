# SPDX-License-Identifier: Apache-2.0
"""Jobs that move by themselves: a job is a script (which status, for how long) read against a clock. No I/O.

Nothing runs in the background: the status of a job is computed when someone asks, so ten thousand waiting
jobs cost memory only. A job may also live by its polls instead of the clock: then the n-th one ends it, however
busy the machine is.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

#: Jobs kept for each API; the oldest are forgotten first.
KEPT_JOBS = 100_000


@dataclass(frozen=True, slots=True)
class Script:
    """The life of one job.

    :param steps: pairs of raw status (None where the API leaves the status out) and the seconds it lasts; the
        last one lasts for ever, whatever its seconds.
    :param succeeds: whether the last status is the API's success.
    :param ends: whether the last status is an end at all; False for a job that never ends.
    :param reason: the API's explanation of the end.
    :param code: the API's error code of the end, where it has one.
    :param result: what the job yields, in the API's own form; None leaves it to the API.
    """

    steps: tuple[tuple[Any, float], ...]
    succeeds: bool = True
    ends: bool = True
    reason: str = ""
    code: str = ""
    result: Mapping[str, Any] | None = None

    @property
    def seconds(self) -> float:
        """Time from the start until the last status is reached."""
        return self._turns()[-1]

    def until(self, elapsed: float) -> Iterator[tuple[Any, float]]:
        """Each status there has been by then, and when it began, in seconds since the start.

        :param elapsed: seconds since the start.
        """
        for number, turn in enumerate(self._turns()):
            if number == 0 or turn <= elapsed:
                yield self.steps[number][0], turn

    def status(self, elapsed: float) -> Any:
        """The raw status this long after the start.

        :param elapsed: seconds since the start.
        """
        return self.steps[max(0, bisect_right(self._turns(), elapsed) - 1)][0]

    def within(self, seconds: float) -> Script:
        """The same life in another time.

        :param seconds: time from the start until the last status is reached.
        """
        factor = seconds / self.seconds if self.seconds else 1.0
        return replace(self, steps=tuple((status, lasts * factor) for status, lasts in self.steps))

    def _turns(self) -> list[float]:
        """When each status begins, in seconds since the start."""
        # Rounded: the shares of a time do not add up to it exactly, and the poll that was said would miss the end.
        turns = itertools.accumulate((seconds for _, seconds in self.steps[:-1]), initial=0.0)
        return [round(turn, 9) for turn in turns]


class Job:
    """One job of one API.

    :param api: id of the API, for example ``dli.sql_job``.
    :param key: the job's key in that API.
    :param fields: what it was submitted with, under the API's own names.
    :param script: its life.
    :param now: when it starts, in seconds since the epoch.
    :param seconds_per_poll: how far each poll brings its life on, in seconds; None if it lives by the clock.
    """

    __slots__ = (
        "_begun",
        "_past",
        "_polls",
        "_seconds_per_poll",
        "api",
        "fields",
        "key",
        "previous",
        "script",
        "started",
    )

    def __init__(
        self,
        api: str,
        key: str,
        fields: dict[str, Any],
        script: Script,
        now: float,
        seconds_per_poll: float | None = None,
    ) -> None:
        self.api = api
        self.key = key
        self.fields = fields
        self.script = script
        self.started = now
        self.previous: Job | None = None
        """The job that had this key before, for APIs whose key is not the job's own."""
        self._begun = 0.0
        self._past: tuple[tuple[Any, float], ...] = ()
        self._polls = 0
        self._seconds_per_poll = seconds_per_poll

    def fits(self, asked: Mapping[str, Any]) -> bool:
        """Whether its fields have these values; one that it was not submitted with fits any.

        :param asked: the values by the names of the fields.
        """
        return all(self.fields.get(name, value) == value for name, value in asked.items())

    def polled(self) -> None:
        """Count a poll that the job has answered."""
        self._polls += 1

    def age(self, now: float) -> float:
        """How long the job has lived, in seconds of the clock or of its polls.

        :param now: seconds since the epoch.
        """
        if self._seconds_per_poll is None:
            return now - self.started
        return self._polls * self._seconds_per_poll

    def lasted(self, now: float) -> float:
        """How long the job has lived, or did until its end, in seconds.

        :param now: seconds since the epoch.
        """
        return self._begun + self.script.seconds if self.ended(now) else self.age(now)

    def _played(self, now: float) -> float:
        """How far the script has come, in seconds."""
        return self.age(now) - self._begun

    def status(self, now: float) -> Any:
        """The raw status at a moment.

        :param now: seconds since the epoch.
        """
        return self.script.status(self._played(now))

    def life(self, now: float) -> tuple[tuple[Any, float], ...]:
        """Each status the job has had, and how old it was when that began, in seconds; a status lasts until the next.

        :param now: seconds since the epoch.
        """
        steps = [*self._past, *((status, self._begun + turn) for status, turn in self.script.until(self._played(now)))]
        # One that lasted no time was never seen.
        seen = [step for step, after in itertools.pairwise(steps) if step[1] < after[1]] + steps[-1:]
        return tuple(step for number, step in enumerate(seen) if number == 0 or step[0] != seen[number - 1][0])

    def ended(self, now: float) -> bool:
        """Whether the job has come to its end.

        :param now: seconds since the epoch.
        """
        return self.script.ends and self._played(now) >= self.script.seconds

    def succeeded(self, now: float) -> bool:
        """Whether the job has ended well.

        :param now: seconds since the epoch.
        """
        return self.script.succeeds and self.ended(now)

    def progress(self, now: float) -> float:
        """How much of the work is done, 0 to 1; never all of it unless the job succeeded.

        :param now: seconds since the epoch.
        """
        if self.succeeded(now):
            return 1.0
        seconds = self.script.seconds
        share = min(1.0, max(0.0, self._played(now) / seconds)) if seconds else 1.0
        return share * (0.99 if self.script.succeeds else 0.6)

    def ended_at(self) -> float:
        """When the job ends or has ended, in seconds since the epoch."""
        return self.started + self._begun + self.script.seconds

    def play(self, script: Script, now: float) -> None:
        """Give the job another script, from now on; its start time stays.

        :param script: what happens from now on.
        :param now: seconds since the epoch.
        """
        self._past = self.life(now)
        self.script = script
        self._begun = self.age(now)


class JobStore:
    """All jobs, by API and key."""

    def __init__(self) -> None:
        self._jobs: dict[str, dict[str, Job]] = {}

    def add(self, job: Job) -> Job:
        """Store a job; one that had the key before stays reachable as ``previous``.

        :param job: the new job.
        """
        jobs = self._jobs.setdefault(job.api, {})
        job.previous = jobs.pop(job.key, None)
        if job.previous is not None:
            job.previous.previous = None
        jobs[job.key] = job
        if len(jobs) > KEPT_JOBS:
            del jobs[next(iter(jobs))]
        return job

    def get(self, api: str, key: str) -> Job | None:
        """The job of that key, or None.

        :param api: id of the API.
        :param key: the job's key.
        """
        return self._jobs.get(api, {}).get(key)

    def of(self, api: str) -> Iterator[Job]:
        """The jobs of one API, oldest first.

        :param api: id of the API.
        """
        return iter(list(self._jobs.get(api, {}).values()))

    def polled(self, api: str, keys: Iterable[str]) -> None:
        """Count a poll of jobs; keys that nobody has are passed over.

        :param api: id of the API.
        :param keys: the keys asked about.
        """
        for key in keys:
            job = self.get(api, key)
            if job is not None:
                job.polled()

    def __iter__(self) -> Iterator[Job]:
        return itertools.chain.from_iterable(self.of(api) for api in list(self._jobs))
