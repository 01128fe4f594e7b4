# SPDX-License-Identifier: Apache-2.0
"""Submitting once: what is remembered of a submit, and what the next attempt does first about it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum, auto
from typing import Any

from airflow_cloudjobs.jobs.stored import stored_fields


@dataclass(frozen=True, slots=True)
class Submission:
    """What is remembered of a submit. It is stored before the request is sent, and again with the keys.

    :param epoch: the identity's epoch when it was made.
    :param at: when it began, seconds since the epoch of Unix.
    :param keys: the jobs; empty, or with an empty text in the place of a job, as long as the cloud has not named them.
    :param superseded: jobs of earlier submits of the same epoch, that have failed.
    :param baseline: the record that the cloud showed before the submit, see ``WaitPlan.baseline``.
    :param abandoned: True once nobody wants the jobs any more: the next attempt is to submit anew.
    :param generation: the identity's generation when it was made.
    :param follows: for a job that follows another: which one, and where to its result goes; else empty.
    """

    epoch: int
    at: float
    keys: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()
    baseline: Mapping[str, Any] | None = None
    abandoned: bool = False
    generation: int = 0
    follows: str = ""

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
        named = iter(keys)
        return tuple(key or next(named) for key in self.keys) if self.keys else tuple(keys)

    def without(self, failed: Collection[str]) -> Submission:
        """What is left of it to go on with.

        :param failed: the keys of jobs to submit anew.
        """
        left = tuple("" if key in failed else key for key in self.keys)
        return replace(self, keys=left if any(left) else (), superseded=(*self.superseded, *failed))

    @property
    def trusted_after(self) -> float:
        """When an end that was shown before the submit too is taken for ours, seconds since the epoch of Unix."""
        return self.at + STALE_FOR

    def as_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {**asdict(self), "keys": list(self.keys), "superseded": list(self.superseded)}

    @classmethod
    def from_dict(cls, data: Any) -> Submission | None:
        """The inverse of :meth:`as_dict`; None for what is no submission."""
        if not isinstance(data, Mapping) or "epoch" not in data or "at" not in data:
            return None
        known = stored_fields(cls, data, _FORMER)
        known["keys"] = tuple(known.get("keys") or ())
        known["superseded"] = tuple(known.get("superseded") or ())
        return cls(**known)


_FORMER = {"past": "superseded", "earlier": "baseline", "given_up": "abandoned", "turn": "generation"}
"""What the release before has stored; read until the next release."""

STALE_FOR = 30.0
"""Seconds after a submit in which the cloud may still show the end of an earlier job."""


class Step(Enum):
    """What an attempt does first about its job."""

    SUBMIT = auto()
    """Nothing was submitted: do it."""
    LOOK_UP = auto()
    """Something may have been submitted: look for it in the cloud before submitting."""
    REATTACH = auto()
    """Something was submitted: go on with it, unless it has failed."""
    REPEAT = auto()
    """Something may have been submitted: do it again, since the cloud takes the same submit once."""
    STOP = auto()
    """Something may have been submitted and cannot be looked up: a person must look."""


def first_step(
    before: Submission | None, *, epoch: int, retried: bool, findable: bool, repeatable: bool = False
) -> Step:
    """What an attempt does first, given what earlier ones left.

    :param before: what is remembered; None if nothing is, or if there is no store.
    :param epoch: the epoch of this attempt.
    :param retried: True if there was an attempt before, of whatever epoch.
    :param findable: True if the API can look our own job up.
    :param repeatable: True if the cloud takes the submit that may have been made once, if it is made again.
    """
    if before is None or before.epoch != epoch or before.abandoned:
        # Without a store a retry cannot know what the attempt before did; where the job carries a marker of
        # this epoch, the cloud knows.
        if before is not None or not retried:
            return Step.SUBMIT
        return Step.REPEAT if repeatable else Step.LOOK_UP if findable else Step.SUBMIT
    if before.named:
        return Step.REATTACH
    if repeatable:
        return Step.REPEAT
    return Step.LOOK_UP if findable else Step.STOP
