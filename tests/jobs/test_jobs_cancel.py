# SPDX-License-Identifier: Apache-2.0
"""The decision of a cancel: whatever the cloud answers, in time a word on what became of the job."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cloudjobs.cancel import CANCEL_BACKOFF, CancelResult, CancelStep, Reply, cancelling
from airflow_cloudjobs.huawei.dli import SQL_JOB
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind

PATIENCE = 10.0
CONSOLE = "https://console.example"
CANCELLED: Mapping[str, Any] = {"is_success": True}


def _error(kind: ErrorKind, retry_after: float | None = None) -> CloudApiError:
    return CloudApiError("not now", kind=kind, code="X.1", http_status=400, retry_after=retry_after)


def _seen(status: str) -> dict[str, Any]:
    return {"is_success": True, "job_id": "k", "status": status}


def _driven(answers: Iterable[Reply], drawn: float = 0.5) -> tuple[CancelResult, list[CancelStep]]:
    """Reply a cancel's steps with these on a clock that only its pauses move."""
    elapsed = 0.0
    flow = cancelling(SQL_JOB, "k", {}, deadline=PATIENCE, now=lambda: elapsed, random=lambda: drawn)
    steps = [next(flow)]
    for answer in answers:
        elapsed += steps[-1].pause
        try:
            steps.append(flow.send(answer))
        except StopIteration as end:
            return end.value, steps
    raise AssertionError(f"it asks for more than {steps}")


def _operations(steps: list[CancelStep]) -> list[str]:
    return [step.request.operation for step in steps]


def test_a_cancel_that_is_taken() -> None:
    result, steps = _driven([CANCELLED])
    assert result.done
    assert _operations(steps) == ["CancelSqlJob"]
    assert result.log_line(CONSOLE) == (logging.INFO, "dli.sql_job k: cancelled")


@pytest.mark.parametrize("kind", [ErrorKind.INVALID, ErrorKind.DENIED, ErrorKind.UNKNOWN, ErrorKind.NOT_FOUND])
@pytest.mark.parametrize(
    ("look", "done"),
    [
        (_seen("FINISHED"), True),
        (_seen("FAILED"), True),
        (_seen("CANCELLED"), True),
        (_seen("RUNNING"), False),
        (_seen("A_NEW_STATUS"), False),
        ({"is_success": True, "jobs": "of another form"}, False),
        (_error(ErrorKind.NOT_FOUND), False),
        (_error(ErrorKind.TRANSIENT), False),
    ],
)
def test_a_refused_cancel_is_an_error_unless_the_job_is_seen_to_have_ended(
    kind: ErrorKind, look: Reply, done: bool
) -> None:
    result, steps = _driven([_error(kind), look])
    assert _operations(steps) == ["CancelSqlJob", "ShowSqlJobStatus"]
    assert result.done == done
    level, text = result.log_line(CONSOLE)
    assert level == (logging.INFO if done else logging.ERROR)
    assert text.startswith("dli.sql_job k: ")
    if not done:
        assert {word for word in ("X.1", "not now", CONSOLE) if word in text} == {"X.1", "not now", CONSOLE}


def test_passing_trouble_is_met_by_asking_again() -> None:
    trouble = _error(ErrorKind.TRANSIENT)
    result, steps = _driven([trouble, trouble, trouble, CANCELLED])
    assert result.done
    assert [step.pause for step in steps] == [0.0, 0.5, 1.0, 2.0]


def test_what_the_cloud_asks_is_waited() -> None:
    _, steps = _driven([_error(ErrorKind.THROTTLED, retry_after=3.0), CANCELLED])
    assert [step.pause for step in steps] == [0.0, 3.5]


def test_a_cancel_that_is_to_come_too_late_is_given_up() -> None:
    result, steps = _driven([_error(ErrorKind.THROTTLED, retry_after=60.0), _seen("RUNNING")])
    assert _operations(steps) == ["CancelSqlJob", "ShowSqlJobStatus"]
    assert not result.done


ERRORS = st.builds(_error, st.sampled_from(ErrorKind), st.none() | st.floats(0.0, 20.0))


@given(st.lists(ERRORS, min_size=1, max_size=12), st.floats(0.1, 1.0))
def test_trouble_without_end_ends_in_time(some: list[CloudApiError], drawn: float) -> None:
    troubles = [
        *itertools.islice(itertools.cycle(some), 200)
    ]  # so many that are drawn one by one take Hypothesis too long
    result, steps = _driven(troubles, drawn)
    *cancels, look = steps
    assert not result.done
    assert set(_operations(cancels)) == {"CancelSqlJob"}
    assert look.request.operation == "ShowSqlJobStatus"
    assert sum(step.pause for step in steps) <= PATIENCE
    for step, trouble in zip(cancels[1:], troubles, strict=False):
        assert trouble.retryable
        assert step.pause <= CANCEL_BACKOFF.cap + (trouble.retry_after or 0.0)
