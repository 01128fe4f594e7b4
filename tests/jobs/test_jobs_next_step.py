# SPDX-License-Identifier: Apache-2.0
"""The last line of a task that has ended red: there for every exception of ours, and right for who fails and how."""

from __future__ import annotations

import itertools
import pickle
import re

import pytest

from airflow_cloudjobs import exceptions, next_step
from airflow_cloudjobs.compat import TaskDeferralError
from airflow_cloudjobs.connection.source import UNREAD
from airflow_cloudjobs.exceptions import (
    ExecutionTimedOut,
    InvalidConnection,
    JobFailed,
    JobFailedForGood,
    JobOutcomeUnknown,
    JobTimedOut,
    LookUpFailed,
    SubmitFailed,
    SubmitOutcomeUnknown,
    TaskRefused,
)
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome
from airflow_cloudjobs.next_step import CURES, NEXT, SENTENCES, Situation, Who, sentence, tell, trouble_of

CONSOLE = "https://console.huaweicloud.com/drs/?region=cn-north-4#/drs/synchronization/list"
KEY = "208b08d4-0dc2-4dd7-8879-ddd4c020d7aa"
CONN_ID = "华为云_生产环境"
LONGEST = 320
"""Characters of a line that can still be read at night, with a long address and a long key in it."""

OURS = [
    each
    for each in vars(exceptions).values()
    if isinstance(each, type) and issubclass(each, Exception) and each.__module__.startswith("airflow_cloudjobs.")
]
OF_A_SHELL = (JobFailedForGood, JobTimedOut, JobOutcomeUnknown, TaskRefused, InvalidConnection)
"""The ends of ``cloudjobs wait``."""

ENDS = [each for each in OURS if each not in (exceptions.WithNextStep, exceptions._WithResults)]


def at(who: Who = Who.SUBMITTER, **known: object) -> Situation:
    return Situation(who, CONN_ID, lambda: CONSOLE, **{"key_argument": "job_id", **known})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ENDS, ids=lambda kind: kind.__name__)
def test_no_exception_of_ours_is_without_a_next_step(kind: type[Exception]) -> None:
    assert kind in SENTENCES
    assert issubclass(kind, exceptions.WithNextStep) or kind is InvalidConnection


def test_no_trouble_of_a_cloud_is_without_a_cure() -> None:
    assert [kind for kind in ErrorKind if kind not in CURES] == []


@pytest.mark.parametrize("kind", [*SENTENCES, TaskDeferralError, KeyError], ids=lambda kind: kind.__name__)
def test_every_sentence_is_one_line_that_can_be_read(kind: type[BaseException]) -> None:
    for who, trouble, retried, goes_on, running, submitting in itertools.product(
        Who, ("", *CURES), (False, True), (False, True), ((), (KEY,), (KEY,) * 30), (False, True)
    ):
        if (kind is InvalidConnection and not trouble) or (who is Who.SHELL and kind not in OF_A_SHELL):
            continue
        # What a cloud refuses of a job is said with the address of its console.
        known = {
            "message": CONSOLE if trouble or (running and kind is LookUpFailed) else "",
            "retried": retried,
            "goes_on": goes_on,
            "running": running,
            "submitting": submitting,
        }
        text = sentence(kind, at(who, trouble=trouble, limit="wait_timeout", **known))
        assert text
        assert len(text) <= LONGEST, text
        assert "\n" not in text
        assert not text.endswith("."), "as all our messages"
        assert "{" not in text
        assert not re.search(r"; ;|, then $|  |; $|\(\)", text), text
        assert who is not Who.SHELL or "clear this task" not in text, text


@pytest.mark.parametrize(
    "kind", [each for each in ENDS if each is not InvalidConnection], ids=lambda kind: kind.__name__
)
def test_it_is_the_last_line_of_the_exception(kind: type[exceptions.WithNextStep]) -> None:
    error = kind("what was wrong\nwith two jobs")
    error.__cause__ = CloudApiError("refused", kind=ErrorKind.DENIED)
    tell(error, "do this")
    for each in (error, pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own bytes
        assert str(each) == f"what was wrong\nwith two jobs\n{NEXT}do this"
        assert each.next_step == "do this"
    assert (error.__cause__, error.__suppress_context__) == (None, True), "Airflow would show the cause below it"


@pytest.mark.parametrize(
    ("kind", "known", "told"),
    [
        (JobFailed, {"retried": True}, "Airflow tries again by itself, with a new job; fix what the reason says"),
        (JobFailed, {}, "fix what the reason says, then clear this task: it submits a new job"),
        (JobFailed, {"who": Who.ADOPTER}, "give its key here (job_id); a retry or a clear of this task reads the same"),
        (JobFailedForGood, {"who": Who.SENSOR}, "clear the task that submits the job, with its downstream"),
        (JobFailedForGood, {"who": Who.SHELL}, "fix what the reason says, then submit the job anew"),
        (JobTimedOut, {"limit": "wait_timeout"}, "raise wait_timeout, then clear this task: it submits a new job"),
        (JobTimedOut, {"limit": "wait_timeout", "running": [KEY]}, f"give job_id={KEY!r} to this operator;"),
        (JobTimedOut, {"limit": "timeout", "who": Who.SENSOR}, "raise timeout, then clear this task: it looks at the"),
        (JobTimedOut, {"limit": "--timeout", "who": Who.SHELL}, "raise --timeout, then run this command again"),
        (JobTimedOut, {"who": Who.SENSOR, "trouble": "transient"}, "cloudjobs check"),
        (ExecutionTimedOut, {"limit": "execution_timeout", "retried": True}, "by itself, with a new job; if the job"),
        (ExecutionTimedOut, {"retried": True, "goes_on": True, "running": [KEY]}, "goes on with the same job"),
        (ExecutionTimedOut, {"retried": True, "running": [KEY]}, f"end this one in the console ({CONSOLE})"),
        (JobOutcomeUnknown, {"trouble": "denied"}, f"mend key or permissions of connection {CONN_ID!r}"),
        (JobOutcomeUnknown, {"trouble": "denied"}, "then clear this task: it submits a new job"),
        (JobOutcomeUnknown, {"trouble": "denied", "running": [KEY]}, "to submit another, clear this task"),
        (JobOutcomeUnknown, {"running": [KEY], "key_argument": ""}, "to wait for it, use a sensor;"),
        (JobOutcomeUnknown, {"running": [KEY, "k"]}, "give job_id=their keys to this operator"),
        (JobOutcomeUnknown, {"who": Who.SENSOR}, "if well, mark this task success"),
        (JobOutcomeUnknown, {"who": Who.SENSOR, "trouble": "not_found"}, "then clear this task: it looks at the"),
        (TaskRefused, {"trouble": "argument"}, "correct that argument, then clear this task"),
        (TaskRefused, {"trouble": "connection"}, f"correct that field of connection {CONN_ID!r}"),
        (TaskRefused, {"trouble": "clock"}, "NTP"),
        (TaskRefused, {"trouble": "expired"}, "fresh credential"),
        (SubmitFailed, {"trouble": "throttled"}, "a pool"),
        (SubmitFailed, {"trouble": "transient", "retried": True}, "if that fails too, see with `cloudjobs check"),
        (SubmitFailed, {"trouble": "not handed out"}, f"create connection {CONN_ID!r} if there is none"),
        (LookUpFailed, {"retried": True}, "looks for the job before it submits one"),
        (LookUpFailed, {}, f"look for the job in the console ({CONSOLE})"),
        (LookUpFailed, {"trouble": "not handed out", "retried": True, "goes_on": True, "running": [KEY]}, "same job"),
        (SubmitOutcomeUnknown, {}, "or give its key here (job_id); if not, clear this task"),
        (SubmitOutcomeUnknown, {"key_argument": ""}, "wait for it with a sensor; if not, clear this task"),
        (SubmitOutcomeUnknown, {"message": f"see {CONSOLE}"}, "look for the job in the console: if it is there"),
        (TaskDeferralError, {"trouble": "trigger", "who": Who.SENSOR}, "why the trigger ended; clear this"),
        (KeyError, {"retried": True, "goes_on": True, "running": [KEY]}, "goes on with the same job"),
        (KeyError, {"submitting": True}, "look for the job in the console"),
    ],
)  # fmt: skip
def test_it_says_the_right_thing(kind: type[BaseException], known: dict[str, object], told: str) -> None:
    assert told in sentence(kind, at(**known))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        *((CloudApiError("m", kind=kind), kind) for kind in ErrorKind),
        (CloudApiError("m", kind=ErrorKind.INVALID, code=UNREAD), next_step.CONNECTION),
        (CloudApiError("m", kind=ErrorKind.UNKNOWN, code=UNREAD), next_step.NOT_HANDED_OUT),
        (InvalidConnection("c", "region", "is missing"), next_step.CONNECTION),
        (InvalidArgument("DliSqlJobOperator 't'", "sql", "is empty"), next_step.ARGUMENT),
        (TaskDeferralError("Trigger failure"), next_step.TRIGGER),
        (KeyError("k"), ""),
    ],
    ids=repr,
)
def test_what_was_wrong_is_told_by_type_and_kind(error: Exception, trouble: str) -> None:
    assert trouble_of(error) == trouble
    refused = TaskRefused("m")
    refused.__cause__ = error
    assert trouble_of(refused) == trouble
    if isinstance(error, CloudApiError):
        assert trouble_of(JobOutcomeUnknown("m"), [JobResult("k", Outcome.ERROR, error=error)]) == trouble
