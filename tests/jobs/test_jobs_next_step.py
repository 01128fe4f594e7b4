# SPDX-License-Identifier: Apache-2.0
"""The last line of a task that has ended red: there for every exception of ours, and right for who fails and how."""

from __future__ import annotations

import itertools
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
from airflow_cloudjobs.failure import WIDTH
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome
from airflow_cloudjobs.next_step import CURES, SENTENCES, Situation, Who, hint_of, sentence, trouble_of

CONSOLE = "https://console.huaweicloud.com/drs/?region=cn-north-4#/drs/synchronization/list"
KEY = "208b08d4-0dc2-4dd7-8879-ddd4c020d7aa"
CONN_ID = "华为云_生产环境"
HINT = "Check 'proxy' of the connection, or HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment"
LONGEST = 5 * WIDTH
"""Characters of what can still be read at night: with a long hint, a long key, and where it is told an address."""

OURS = [
    each
    for each in vars(exceptions).values()
    if isinstance(each, type) and issubclass(each, Exception) and each.__module__.startswith("airflow_cloudjobs.")
]
OF_A_SHELL = (JobFailedForGood, JobTimedOut, JobOutcomeUnknown, TaskRefused, InvalidConnection)
"""The ends of ``cloudjobs wait``."""

ENDS = [each for each in OURS if each not in (exceptions.WithNextStep, exceptions._WithResults)]


def at(who: Who = Who.SUBMITTER, **known: object) -> Situation:
    return Situation(who, CONN_ID, **{"console": CONSOLE, "key_argument": "job_id", **known})  # type: ignore[arg-type]


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
        # A task tells its console's address in a line of its own.
        known = {
            "console": CONSOLE if who is Who.SHELL else "",
            "hint": HINT if trouble else "",
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
    ("kind", "known", "told"),
    [
        (JobFailed, {"retried": True}, "Airflow tries again by itself, with a new job; fix what the reason says"),
        (JobFailed, {}, "fix what the reason says, then clear this task: it submits a new job"),
        (JobFailed, {"retried": True, "following": "export"}, "by itself, with a new export; fix what the reason says"),
        (JobFailed, {"following": "export"}, "then clear this task: it submits a new export"),
        (
            JobFailed,
            {"following": "export", "follows": KEY},
            f"it submits a new job too (for a new export alone give job_id={KEY!r}",
        ),
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
        (JobOutcomeUnknown, {"trouble": "unknown key"}, "check the key, the region and the account of connection"),
        (JobOutcomeUnknown, {"trouble": "unknown key", "hint": "The host asked was h"}, "; the host asked was h, then"),
        (SubmitFailed, {"trouble": "transient", "hint": HINT}, "check 'proxy' of the connection"),
        (TaskRefused, {"trouble": "denied", "hint": "Ask RAM"}, f"ask RAM (`cloudjobs check {CONN_ID}`), then clear"),
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
        (SubmitOutcomeUnknown, {"console": ""}, "look for the job in the console: if it is there"),
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
        of_a_key = next_step.UNKNOWN_KEY if trouble is ErrorKind.NOT_FOUND else trouble
        assert trouble_of(JobOutcomeUnknown("m"), [JobResult("k", Outcome.ERROR, error=error)]) == of_a_key


def test_what_a_clouds_error_advises_is_found() -> None:
    advised = CloudApiError("m", kind=ErrorKind.DENIED, hint=HINT)
    refused = TaskRefused("m")
    assert hint_of(refused, ()) == ""
    refused.__cause__ = advised
    assert hint_of(refused, ()) == HINT
    assert hint_of(JobOutcomeUnknown("m"), [JobResult("k", Outcome.ERROR, error=advised)]) == HINT
