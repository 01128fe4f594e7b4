# SPDX-License-Identifier: Apache-2.0
"""What our tasks and hooks raise. The base decides what Airflow does: retry, fail at once, or skip on ``soft_fail``.

=============================  =======================  ============================================
exception                      Airflow's kind           raised when
=============================  =======================  ============================================
:class:`JobFailed`             AirflowException         an operator's job failed or was cancelled
:class:`JobFailedForGood`      AirflowFailException     a sensor's job did: a retry reads the same end
:class:`JobTimedOut`           AirflowSensorTimeout     time ran out with the job still running
:class:`ExecutionTimedOut`     AirflowException         an operator's ``execution_timeout`` did
:class:`JobOutcomeUnknown`     AirflowFailException     the cloud would not tell whether the job ended, and how
:class:`ResultUnavailable`     AirflowException         the job succeeded, and what it made could not be fetched
:class:`SubmitFailed`          AirflowException         nothing was sent, or no job taken; a later attempt may work
:class:`TaskRefused`           AirflowFailException     a check or the cloud refused what the task is to do
:class:`LookUpFailed`          AirflowException         it may have, and a later attempt can look for the job
:class:`SubmitOutcomeUnknown`  AirflowFailException     the cloud may or may not have taken the job
:class:`InvalidConnection`     ValueError               a hook's connection cannot work; a task makes it TaskRefused
=============================  =======================  ============================================

The last line of each says what to do next; ``error.next_step`` is that line (:mod:`airflow_cloudjobs.next_step`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from airflow_cloudjobs.compat import AirflowException, AirflowFailException, AirflowSensorTimeout
from airflow_cloudjobs.connection.settings import InvalidConnection as InvalidConnection
from airflow_cloudjobs.former import former_names
from airflow_cloudjobs.jobs.outcome import JobResult


class WithNextStep(Exception):
    """An exception that ends a task; what it says ends with a line ``Next: …`` (:mod:`airflow_cloudjobs.failure`)."""

    next_step = ""
    """What to do about it: that line, without its beginning. Empty until the task has told it."""


class _WithResults(WithNextStep):
    """An exception about jobs.

    :param message: what the task's log shows.
    :param results: what was found out, job by job.
    """

    def __init__(self, message: str, results: Sequence[JobResult] = ()) -> None:
        super().__init__(message)
        self.results = tuple(results)

    @property
    def ends(self) -> tuple[JobResult, ...]:
        """The former name of ``results``; goes with the next release."""
        warnings.warn("'ends' is called 'results' now", DeprecationWarning, stacklevel=2)
        return self.results


class JobFailed(_WithResults, AirflowException):
    """The job failed or was cancelled; a retry of the task may do better."""


class JobFailedForGood(_WithResults, AirflowFailException):
    """The job failed or was cancelled, and looking again cannot change that."""


class JobTimedOut(_WithResults, AirflowSensorTimeout):
    """Time ran out; the job may go on."""


class ExecutionTimedOut(_WithResults, AirflowException):
    """The time of one attempt ran out; the next goes on with the job, or submits anew if it was cancelled."""


class JobOutcomeUnknown(_WithResults, AirflowFailException):
    """The cloud did not tell whether the job has ended, and how: it may still run, and one more might double it."""


class ResultUnavailable(_WithResults, AirflowException):
    """The job succeeded, and what the task was to fetch of it could not be had; the next attempt fetches again."""


class SubmitFailed(WithNextStep, AirflowException):
    """Nothing was sent, or the cloud took no job, because of passing trouble; of a submit nothing is running."""


class TaskRefused(WithNextStep, AirflowFailException):
    """A check of arguments and connection, or the cloud, refused what the task is to do; no job was started."""


class LookUpFailed(WithNextStep, AirflowException):
    """The cloud may have taken the job and cannot be asked just now; a later attempt looks for it before it submits."""


class SubmitOutcomeUnknown(WithNextStep, AirflowFailException):
    """The submit got no answer: the cloud may have taken the job. It is not repeated blindly."""


__getattr__ = former_names(
    __name__,
    {"JobUntold": JobOutcomeUnknown, "SubmitUntold": SubmitOutcomeUnknown, "SubmitRefused": TaskRefused},
)
