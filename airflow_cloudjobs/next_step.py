# SPDX-License-Identifier: Apache-2.0
"""What to do next about a task that has ended red: one sentence for every way it can, followed at night.

:data:`SENTENCES` has a line for each exception of ours. What it says depends on who fails (:class:`Who`), on what was
wrong (:data:`CURES`), on whether Airflow tries again by itself, and on whether a job may still run
(:class:`Situation`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from airflow_cloudjobs.compat import AirflowException, AirflowSensorTimeout, AirflowTaskTimeout, TaskDeferralError
from airflow_cloudjobs.connection.settings import InvalidPlace
from airflow_cloudjobs.connection.source import UNREAD
from airflow_cloudjobs.exceptions import (
    ExecutionTimedOut,
    InvalidConnection,
    JobFailed,
    JobFailedForGood,
    JobOutcomeUnknown,
    JobTimedOut,
    LookUpFailed,
    ResultUnavailable,
    SubmitFailed,
    SubmitOutcomeUnknown,
    TaskRefused,
)
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome
from airflow_cloudjobs.state_path import StateTrouble

NEXT = "Next: "
"""How the line begins, everywhere."""

ARGUMENT, CONNECTION, NOT_HANDED_OUT, TRIGGER, STORE = "argument", "connection", "not handed out", "trigger", "store"
UNKNOWN_KEY = "unknown key"
"""What can be wrong beside what a cloud says."""

CHECK = "`cloudjobs check {conn_id}`"

CURES: Mapping[str, str] = {
    ErrorKind.DENIED: f"mend key or permissions of connection {{conn_id!r}} ({CHECK})",
    ErrorKind.EXPIRED: f"put a fresh credential into connection {{conn_id!r}} ({CHECK})",
    ErrorKind.CLOCK: "set the clock of the machine that called the cloud (NTP)",
    ErrorKind.NOT_FOUND: "check that what is named exists in the region and account of connection {conn_id!r}",
    ErrorKind.INVALID: "correct what the cloud refuses",
    ErrorKind.UNKNOWN: "look up the cloud's code (a quota, a right, a name?) and correct that",
    ErrorKind.THROTTLED: "have fewer tasks call this API at a time (a pool)",
    ErrorKind.TRANSIENT: f"see with {CHECK} whether this machine reaches the cloud",
    UNKNOWN_KEY: "check the key, the region and the account of connection {conn_id!r}",
    ARGUMENT: "correct that argument",
    CONNECTION: f"correct that field of connection {{conn_id!r}}, or the region or endpoint given here ({CHECK})",
    NOT_HANDED_OUT: "create connection {conn_id!r} if there is none, or see why Airflow cannot read it",
    TRIGGER: "see in the triggerer's log why the trigger ended",
    STORE: "see why the worker cannot use what [cloudjobs] state_path names",
}
"""What to do about what was wrong; what the sentence before says of it is not said again."""


class Who(Enum):
    """Who fails, and so what happens when it is run again."""

    SUBMITTER = auto()
    """An operator that submits: it submits a new job."""
    ADOPTER = auto()
    """An operator that was given a job's key: it looks at the same job."""
    SENSOR = auto()
    """A sensor: likewise."""
    SHELL = auto()
    """``cloudjobs wait``: likewise."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known by the one who fails.

    :param who: that one.
    :param conn_id: the Airflow connection.
    :param console: the address of the vendor's console; empty where it is told beside.
    :param trouble: what was wrong, a key of :data:`CURES`; empty where the job's own end says it.
    :param hint: what the error itself says can be done about it, which goes before :data:`CURES`.
    :param retried: True if Airflow tries again by itself.
    :param goes_on: True if that attempt goes on with the job of this one.
    :param running: the jobs that may still run.
    :param key_argument: the argument that has an operator wait for a job that exists; empty if it has none.
    :param limit: the name of the limit of time that has run out.
    :param submitting: True if it ended in the middle of a submit.
    :param following: what the job is called that this is about, where it follows the task's own: ``export``.
    :param follows: the key of that own one, which has succeeded, where the task has submitted it too.
    """

    who: Who
    conn_id: str
    console: str = ""
    trouble: str = ""
    hint: str = ""
    retried: bool = False
    goes_on: bool = False
    running: Sequence[str] = ()
    key_argument: str = ""
    limit: str = ""
    submitting: bool = False
    following: str = ""
    follows: str = ""

    @property
    def cure(self) -> str:
        """What to do about what was wrong; empty if it has no trouble of its own."""
        if not self.trouble:
            return ""
        cure = CURES[self.trouble].format(conn_id=self.conn_id)
        if not self.hint:
            return cure
        hint = self.hint[0].lower() + self.hint[1:].rstrip(".")
        if self.trouble == UNKNOWN_KEY:
            return f"{cure}; {hint}"
        return f"{hint} ({CHECK.format(conn_id=self.conn_id)})"

    @property
    def the_console(self) -> str:
        """The console, with its address unless that is told beside."""
        return f"the console ({self.console})" if self.console else "the console"

    @property
    def again(self) -> str:
        """How to have another attempt, once nothing is left of this one."""
        if self.who is Who.SHELL:
            return "run this command again"
        if self.who is not Who.SUBMITTER:
            return "clear this task: it looks at the same job again"
        if not self.follows:
            return f"clear this task: it submits {self.a_new_one}"
        return (
            f"clear this task: it submits a new job too (for {self.a_new_one} alone give "
            f"{self.key_argument}={self.follows!r} in place of what makes the job)"
        )

    @property
    def a_new_one(self) -> str:
        """What is submitted in place of a job that has not succeeded."""
        return f"a new {self.following or 'job'}"

    @property
    def by_itself(self) -> str:
        """What Airflow's next attempt does."""
        if self.who is not Who.SUBMITTER or (self.running and self.goes_on):
            return "Airflow tries again by itself, and goes on with the same job"
        if self.running:
            again = f"Airflow tries again by itself, with {self.a_new_one}"
            return f"{again}; end this one in {self.the_console} if it still runs"
        return f"Airflow tries again by itself, with {self.a_new_one}"

    @property
    def left_running(self) -> str:
        """What to do about jobs that an operator has submitted and that may still run."""
        wait = "use a sensor"
        if self.key_argument:
            key = repr(self.running[0]) if len(self.running) == 1 else "their keys"
            wait = f"give {self.key_argument}={key} to this operator"
        return (
            f"look in {self.the_console} what became of it: to wait for it, {wait}; to submit another, clear this task"
        )

    def after(self, first: str) -> str:
        """What is to be done first, and then another attempt, or a look at the job that is left.

        :param first: what is to be done first.
        """
        if self.who is Who.SUBMITTER and self.running:
            return f"{first}; {self.left_running}"
        return f"{first} Then {self.again}" if first.endswith("?") else f"{first}, then {self.again}"


def _job_failed(at: Situation) -> str:
    if at.who is Who.SHELL:
        return "fix what the reason says, then submit the job anew"
    if at.who is Who.SENSOR:
        return (
            "fix what the reason says, then clear the task that submits the job, with its downstream; "
            "clearing this one alone reads the same end"
        )
    if at.who is Who.ADOPTER:
        return (
            f"fix what the reason says, submit the job anew and give its key here ({at.key_argument}); "
            "a retry or a clear of this task reads the same end"
        )
    if at.retried:
        again = f"Airflow tries again by itself, with {at.a_new_one}"
        return f"{again}; fix what the reason says if it does not pass by itself"
    return f"fix what the reason says, then {at.again}"


def _out_of_time(at: Situation) -> str:
    longer = at.cure or f"if the job needs longer, raise {at.limit}"
    return f"{at.by_itself}; {longer}" if at.retried else at.after(longer)


def _outcome_unknown(at: Situation) -> str:
    if at.cure:
        return at.after(at.cure)
    if at.who is Who.SHELL:
        return f"look in {at.the_console} how the job ended"
    if at.who is Who.SUBMITTER and at.running:
        return at.left_running
    return f"look in {at.the_console} how the job ended: if well, mark this task success; if not, {at.again}"


def _result_unavailable(at: Situation) -> str:
    first = at.cure or "mend what the reason says"
    if at.retried and (at.who is not Who.SUBMITTER or at.goes_on):
        return f"Airflow tries again by itself, and fetches from the same job; if that fails too, {first}"
    if at.who is not Who.SUBMITTER:
        return f"{first}, then clear this task: it fetches from the same job"
    by_itself = "Airflow tries again by itself, with a new job; " if at.retried else ""
    if not at.key_argument:
        return f"{by_itself}{first}, then clear this task: it submits a new job"
    return f"{by_itself}{first}; to fetch from this job, give its key here ({at.key_argument})"


def _submit_refused(at: Situation) -> str:
    return at.after(at.cure or "correct that")


def _submit_failed(at: Situation) -> str:
    cure = at.cure or CURES[ErrorKind.TRANSIENT].format(conn_id=at.conn_id)
    return f"Airflow tries again by itself; if that fails too, {cure}" if at.retried else at.after(cure)


def _look_up_failed(at: Situation) -> str:
    if at.who is not Who.SUBMITTER or at.running:
        cure = at.cure or CURES[NOT_HANDED_OUT].format(conn_id=at.conn_id)
        return f"{at.by_itself}; if that fails too, {cure}" if at.retried else at.after(cure)
    if at.retried:
        return "Airflow tries again by itself, and looks for the job before it submits one"
    return _submit_unknown(at)


def _submit_unknown(at: Situation) -> str:
    adopt = f", or give its key here ({at.key_argument})" if at.key_argument else ""
    return f"look for the job in {at.the_console}: if it is there, wait for it with a sensor{adopt}; if not, {at.again}"


def _anything_else(at: Situation) -> str:
    """What ended the task is none of ours: a trigger that Airflow could not run, a defect."""
    first = f"{at.cure}; " if at.cure else ""
    if at.retried:
        # An attempt that was stopped while it submitted is looked into by the next one.
        return first + ("Airflow tries again by itself" if at.submitting else at.by_itself)
    if at.submitting:
        return first + _submit_unknown(at)
    return first + (at.left_running if at.who is Who.SUBMITTER and at.running else at.again)


SENTENCES: Mapping[type[BaseException], Callable[[Situation], str]] = {
    JobFailed: _job_failed,
    JobFailedForGood: _job_failed,
    JobTimedOut: _out_of_time,
    ExecutionTimedOut: _out_of_time,
    JobOutcomeUnknown: _outcome_unknown,
    ResultUnavailable: _result_unavailable,
    SubmitFailed: _submit_failed,
    TaskRefused: _submit_refused,
    LookUpFailed: _look_up_failed,
    SubmitOutcomeUnknown: _submit_unknown,
    InvalidConnection: lambda at: at.cure,
    AirflowSensorTimeout: _out_of_time,
    AirflowTaskTimeout: _out_of_time,
}
"""For every exception of ours what to do next, and for those of Airflow that end a task out of time."""


def sentence(kind: type[BaseException], at: Situation) -> str:
    """What to do next.

    :param kind: the class of what ended the task.
    :param at: what is known.
    :return: one line.
    """
    return next((SENTENCES[each] for each in kind.__mro__ if each in SENTENCES), _anything_else)(at)


def trouble_of(error: BaseException | None, results: Sequence[JobResult] = ()) -> str:
    """What was wrong, as a key of :data:`CURES`; empty if nothing was but the job itself.

    :param error: what ended the task; None if nothing was raised.
    :param results: what was found out about its jobs.
    """
    for each in (error, error and error.__cause__, *(result.error for result in results)):
        if isinstance(each, CloudApiError):
            if each.code != UNREAD:
                if each.misdirected:
                    return CONNECTION
                return UNKNOWN_KEY if results and each.kind is ErrorKind.NOT_FOUND else each.kind
            return CONNECTION if each.kind is ErrorKind.INVALID else NOT_HANDED_OUT
        if isinstance(each, InvalidConnection):
            return ARGUMENT if isinstance(each, InvalidPlace) else CONNECTION
        if isinstance(each, InvalidArgument):
            return ARGUMENT
        if isinstance(each, TaskDeferralError):
            return TRIGGER
        if isinstance(each, StateTrouble):
            return STORE
    return ""


def hint_of(error: BaseException, results: Sequence[JobResult]) -> str:
    """What a cloud's error says itself can be done about it; empty if there is none.

    :param error: what ended the task.
    :param results: what was found out about its jobs.
    """
    errors = (error.__cause__, *(result.error for result in results))
    return next((each.hint for each in errors if isinstance(each, CloudApiError) and each.hint), "")


def of_a_wait_not_begun(error: Exception, conn_id: str) -> str:
    """The last line of ``cloudjobs wait`` where it could not begin.

    :param error: why.
    :param conn_id: the Airflow connection.
    """
    trouble = NOT_HANDED_OUT if isinstance(error, AirflowException) else trouble_of(error)
    return NEXT + sentence(TaskRefused, Situation(Who.SHELL, conn_id, trouble=trouble))


def of_a_wait(results: Sequence[JobResult], conn_id: str, console: str) -> str:
    """The last line of ``cloudjobs wait``; empty if all jobs have succeeded.

    :param results: how its jobs ended.
    :param conn_id: the Airflow connection.
    :param console: the address of the vendor's console.
    """
    bad = [result for result in results if result.outcome is not Outcome.SUCCEEDED]
    if not bad:
        return ""
    outcomes = {result.outcome for result in bad}
    kind: type[BaseException] = JobOutcomeUnknown
    if outcomes & {Outcome.FAILED, Outcome.CANCELLED}:
        kind = JobFailedForGood
    elif Outcome.TIMED_OUT in outcomes:
        kind = JobTimedOut
    trouble = trouble_of(None, bad)
    at = Situation(Who.SHELL, conn_id, console=console, trouble=trouble, limit="--timeout")
    return NEXT + sentence(kind, at)


def note(error: InvalidConnection) -> None:
    """Have an invalid connection end with the next step where no task of ours does: a hook in somebody's own code.

    It is a note below the message, since the message also stands where there is room for a line alone.

    :param error: the exception.
    """
    at = Situation(Who.SHELL, error.conn_id, trouble=trouble_of(error))
    error.add_note(NEXT + sentence(type(error), at))


def end_by_hand(jobs: str, console: str) -> str:
    """What a person is to do where a job is left that nobody waits for.

    :param jobs: their keys.
    :param console: the address of the vendor's console.
    """
    return f"{NEXT}if it is to end, cancel {jobs} in the console: {console}"
