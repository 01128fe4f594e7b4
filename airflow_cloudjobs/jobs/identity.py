# SPDX-License-Identifier: Apache-2.0
"""Submitting once: whose job a job is, what is remembered of a submit, and what to do at the next attempt."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum, auto
from typing import Any

from airflow_cloudjobs.jobs.request import ApiRequest


@dataclass(frozen=True, slots=True)
class Identity:
    """The task instance that a job belongs to.

    :param epoch: the same for all retries of a task, another one after a user has cleared it: a retry goes on
        with the job of the attempt before, a clear asks for a new one.
    :param turn: how many jobs of this epoch were given up before: cancelled, since an attempt ran out of time.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    epoch: int
    turn: int = 0

    @property
    def marker(self) -> str:
        """A short text that no other task instance and epoch has, to find the job by."""
        parts = [self.dag_id, self.run_id, self.task_id, str(self.map_index), str(self.epoch)]
        parts += [str(self.turn)] if self.turn else []
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    def tags(self) -> dict[str, str]:
        """The identity as tags, for people who look at the job in the cloud; the marker for us."""
        values = {
            "airflow_dag_id": self.dag_id,
            "airflow_run_id": self.run_id,
            "airflow_task_id": self.task_id,
            "airflow_map_index": str(self.map_index),
            "airflow_epoch": str(self.epoch),
        }
        return {MARKER: self.marker} | {name: _tag_value(value) for name, value in values.items()}


MARKER = "airflow_job"
"""Name of the tag, or field, that holds the marker."""


def _tag_value(text: str) -> str:
    """Letters, digits and a few signs, 255 characters: what tags of the cloud may hold."""
    return re.sub(r"[^\w .:+=@/-]", "_", text, flags=re.ASCII)[:255]


@dataclass(frozen=True, slots=True)
class Finder:
    """How a job of ours can be found again, where an API lets us.

    :param mark: the submit arguments with the identity put into them.
    :param ask: the requests that list the jobs that could be it, given submit arguments and identity.
    :param found: the keys of our newest submit in the answers, given these, what was asked with, and the keys of
        earlier submits; none if it is not there. Raises :class:`Unclear` if it cannot be told whether it is.
    """

    mark: Callable[[Mapping[str, Any], Identity], dict[str, Any]]
    ask: Callable[[Mapping[str, Any], Identity], list[ApiRequest]]
    found: Callable[[Sequence[Mapping[str, Any]], Mapping[str, Any], Identity, Collection[str]], list[str]]


class Unclear(Exception):
    """What the cloud lists neither shows the whole of our submit nor that there is none."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What is remembered of a submit. It is stored before the request is sent, and again with the keys.

    :param epoch: the identity's epoch when it was made.
    :param at: when it began, seconds since the epoch of Unix.
    :param keys: the jobs; empty, or with an empty text in the place of a job, as long as the cloud has not named them.
    :param past: jobs of earlier submits of the same epoch, that have failed.
    :param earlier: the record that the cloud showed before the submit, see ``WaitPlan.earlier``.
    :param given_up: True once nobody wants the jobs any more: the next attempt is to submit anew.
    :param turn: the identity's turn when it was made.
    """

    epoch: int
    at: float
    keys: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    earlier: Mapping[str, Any] | None = field(default=None)
    given_up: bool = False
    turn: int = 0

    @property
    def named(self) -> bool:
        """Whether the cloud has named all jobs."""
        return bool(self.keys) and all(self.keys)

    @property
    def open_places(self) -> list[int]:
        """The places of the jobs that the cloud has not named yet, among those that it has."""
        return [place for place, key in enumerate(self.keys) if not key]

    def filled(self, keys: Sequence[str]) -> tuple[str, ...]:
        """All keys, once the cloud has named those that were open.

        :param keys: their keys.
        """
        rest = iter(keys)
        return tuple(key or next(rest) for key in self.keys) if self.keys else tuple(keys)

    def without(self, failed: Collection[str]) -> Submission:
        """What is left of it to go on with.

        :param failed: the keys of jobs to submit anew.
        """
        left = tuple("" if key in failed else key for key in self.keys)
        return replace(self, keys=left if any(left) else (), past=(*self.past, *failed))

    @property
    def believed_from(self) -> float:
        """When an end that was shown before the submit too is taken for ours, seconds since the epoch of Unix."""
        return self.at + EARLIER

    def as_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {**asdict(self), "keys": list(self.keys), "past": list(self.past)}

    @classmethod
    def from_dict(cls, data: Any) -> Submission | None:
        """The inverse of :meth:`as_dict`; None for what is no submission."""
        if not isinstance(data, Mapping) or "epoch" not in data or "at" not in data:
            return None
        names = {item.name for item in fields(cls)}
        known = {name: value for name, value in data.items() if name in names}
        known["keys"] = tuple(known.get("keys") or ())
        known["past"] = tuple(known.get("past") or ())
        return cls(**known)


EARLIER = 30.0
"""Seconds after a submit in which the cloud may still show the end of an earlier job."""


class Step(Enum):
    """What an attempt does first about its job."""

    SUBMIT = auto()
    """Nothing was submitted: do it."""
    LOOK_UP = auto()
    """Something may have been submitted: look for it in the cloud before submitting."""
    REATTACH = auto()
    """Something was submitted: go on with it, unless it has failed."""
    STOP = auto()
    """Something may have been submitted and cannot be looked up: a person must look."""


def first_step(before: Submission | None, *, epoch: int, retried: bool, findable: bool) -> Step:
    """What an attempt does first, given what earlier ones left.

    :param before: what is remembered; None if nothing is, or if there is no store.
    :param epoch: the epoch of this attempt.
    :param retried: True if there was an attempt before, of whatever epoch.
    :param findable: True if the API can look our own job up.
    """
    if before is None or before.epoch != epoch or before.given_up:
        # Without a store a retry cannot know what the attempt before did; where the job carries a marker of
        # this epoch, the cloud knows.
        return Step.LOOK_UP if before is None and retried and findable else Step.SUBMIT
    if before.named:
        return Step.REATTACH
    return Step.LOOK_UP if findable else Step.STOP
