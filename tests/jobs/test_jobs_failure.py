# SPDX-License-Identifier: Apache-2.0
"""What a task that ends red says: three lines that no page cuts off, and an exception that says all of it."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cloudjobs import exceptions
from airflow_cloudjobs.exceptions import JobFailed, SubmitFailed, TaskRefused
from airflow_cloudjobs.failure import LONGEST, WIDTH, Failure, columns, facts_of, what_happened, wrapped
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.next_step import NEXT, SENTENCES

CONSOLE = (
    "https://console.huaweicloud.com/dli/?region=cn-north-4#/main/jobs/sqlJobs/208b08d4-0dc2-4dd7-8879-ddd4c020d7aa"
)
KEY = "208b08d4-0dc2-4dd7-8879-ddd4c020d7aa"
WHERE = (f"dli.sql_job {KEY}", "request id 29b9118a477a4a60650df7a90b4259ce")
STEP = "fix what the reason says, then clear the task that submits the job, with its downstream"
OURS = [kind for kind in SENTENCES if issubclass(kind, exceptions.WithNextStep)]

TEXTS = st.text(st.sampled_from("ab '`,.:表不存在\n") | st.characters(), max_size=400)


def failure(*what: str) -> Failure:
    return Failure(what or ("FAILED: no table",), WHERE, CONSOLE, STEP)


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_an_exception_says_all_of_it_and_nothing_stands_behind(kind: type[exceptions.WithNextStep]) -> None:
    error = kind("no job was started")
    error.__cause__ = CloudApiError("refused", kind=ErrorKind.DENIED)
    failure("FAILED: a", "FAILED: b").tell(error)
    for each in (error, pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own bytes
        assert str(each).splitlines() == [
            "FAILED: a",
            "FAILED: b",
            f"{WHERE[0]}, {WHERE[1]}. Console: {CONSOLE}",
            NEXT + STEP,
        ]
        assert each.next_step == STEP
    assert (error.__cause__, error.__suppress_context__) == (None, True), "Airflow would show the cause below it"


def test_a_log_begins_with_what_happened_what_to_do_and_where() -> None:
    what, step, where = failure().lines
    assert what == "FAILED: no table"
    assert step == f"{NEXT}fix what the reason says, then clear the task that submits the job, with\nits downstream"
    assert where == f"{WHERE[0]},\n{WHERE[1]}\n{CONSOLE}", "neither an id nor an address is broken"


@given(TEXTS)
def test_no_line_is_wider_than_the_page(text: str) -> None:
    shown = wrapped(text)
    assert [line for line in shown.splitlines() if columns(line) > WIDTH and "://" not in line] == []
    assert "".join(shown.split()) == "".join(text.split()), "nothing is lost"


def test_what_belongs_together_is_not_parted() -> None:
    words = f"{'mend key or permissions of a connection ' * 2} (`cloudjobs check my_connection`), then"
    assert "(`cloudjobs check my_connection`)," in wrapped(words).replace("\n", "|")
    address = "https://" + "x" * 200
    assert wrapped(f"see {address} for more").splitlines() == ["see", address, "for more"]


def test_chinese_is_wide() -> None:
    assert columns("表 a") == 4
    assert max(map(columns, wrapped("表不存在" * 50).splitlines())) == WIDTH


def test_many_jobs_and_long_reasons_leave_the_step_in_view() -> None:
    reasons = [f"FAILED: {'no table, ' * 100} ({number})" for number in range(30)]
    what, _, _ = failure(*reasons).lines
    assert what.splitlines()[-1] == "and 27 more"
    assert sum(map(columns, what.splitlines())) <= 3 * LONGEST + 20
    error = JobFailed("the job did not succeed")
    failure(*reasons).tell(error)
    assert [reason for reason in reasons if reason not in str(error)] == [], "the exception has them all"


def test_a_line_alone() -> None:
    assert failure("FAILED: a", "FAILED: b").summary == f"FAILED: a and 1 more ({WHERE[0]}, {WHERE[1]})"


def test_the_vendors_reason_comes_first() -> None:
    refused = TaskRefused("no job was started")
    refused.__cause__ = CloudApiError(
        "Specified signature is\nnot matched.",
        kind=ErrorKind.DENIED,
        operation="UploadMediaByURL",
        code="SignatureDoesNotMatch",
        http_status=403,
        request_id="R",
    )
    assert what_happened(refused) == "SignatureDoesNotMatch: Specified signature is not matched; no job was started"
    assert facts_of(refused.__cause__) == ["UploadMediaByURL", "HTTP 403", "request id R"]
    unsent = SubmitFailed("no job was started")
    unsent.__cause__ = CloudApiError("no connection (host h)", kind=ErrorKind.TRANSIENT, code="<no connection>")
    assert what_happened(unsent) == "no connection (host h); no job was started"
    assert what_happened(KeyError("k")) == "KeyError: 'k'"
    assert what_happened(RuntimeError()) == "RuntimeError"
