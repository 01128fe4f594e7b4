# SPDX-License-Identifier: Apache-2.0
"""How a job ended, as far as it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airflow_cloudjobs.jobs.errors import CloudApiError


class Outcome(StrEnum):
    """How a job ended, or why that is not known."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUBMITTED = "submitted"
    """The job was started and not waited for."""
    TIMED_OUT = "timed_out"
    """Time ran out; the job may well go on."""
    UNREADABLE = "unreadable"
    """The cloud kept showing a status that is not documented."""
    ERROR = "error"
    """The cloud refused to say."""

    @property
    def public(self) -> str:
        """``outcome`` of a task's result: ``submitted`` is all that is sure where the job's own end is not known."""
        return (self if self in JOB_ENDS else Outcome.SUBMITTED).value


JOB_ENDS = frozenset({Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CANCELLED})
"""The outcomes that are the job's own end, and not that of the wait for it."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a wait found out about one job.

    :param key: the job's key.
    :param outcome: how it ended, or why that is not known.
    :param status: the last raw status seen, empty if none was.
    :param reason: the vendor's words, or ours.
    :param record: the job's fields as last seen.
    :param request_id: the vendor's id of the last request that showed the job.
    :param error: the API error that ended the wait or kept us blind at its end, if one did.
    :param seconds: how long the wait was.
    """

    key: str
    outcome: Outcome
    status: str = ""
    reason: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = ""
    error: CloudApiError | None = None
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON-able values, to travel in a trigger's event."""
        return {
            "key": self.key,
            "outcome": self.outcome.value,
            "status": self.status,
            "reason": self.reason,
            "record": dict(self.record),
            "request_id": self.request_id,
            "error": self.error.as_dict() if self.error else None,
            "seconds": round(self.seconds, 3),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> JobResult:
        """The inverse of :meth:`as_dict`; raises ValueError if it names no known outcome."""
        error = data.get("error")
        return cls(
            key=str(data["key"]),
            # A triggerer of the release before says "ending"; read until the next release.
            outcome=Outcome(data["outcome"] if "outcome" in data else data["ending"]),
            status=str(data.get("status") or ""),
            reason=str(data.get("reason") or ""),
            record=data.get("record") or {},
            request_id=str(data.get("request_id") or ""),
            error=CloudApiError.from_dict(error) if error else None,
            seconds=float(data.get("seconds") or 0.0),
        )


def results_in(event: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What a trigger's event says of each job, as ``JobResult.as_dict`` gives it; empty if it names none."""
    # A triggerer of the release before says "ends"; read until the next release.
    results: Sequence[Mapping[str, Any]] = event.get("results") or event.get("ends") or ()
    return results
