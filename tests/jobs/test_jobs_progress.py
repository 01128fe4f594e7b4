# SPDX-License-Identifier: Apache-2.0
"""What is told of a wait that goes on, and when."""

from __future__ import annotations

import json

import pytest
from support.jobapis import DLI, DMS_UPLOAD

from airflow_cloudjobs.jobs.outcome import JobResult, Outcome
from airflow_cloudjobs.jobs.progress import EVERY, FIRST, Pace, progress_at_end, progress_of, slowest
from airflow_cloudjobs.jobs.spec import Observation
from airflow_cloudjobs.jobs.wait import Wait, WaitPlan

T0 = 1_800_000_000.0
AT = "2027-01-15T08:01:15+00:00"
UPLOAD = DMS_UPLOAD.sensor.spec
QUERY = DLI.sensor.spec


def wait_for(*keys: str) -> Wait:
    return Wait(UPLOAD, keys, WaitPlan(T0, 10.0), random=lambda: 0.0)


def seen(status: str, done: int = 12) -> Observation:
    return Observation(status, {"JobStatus": status, "UploadedSize": done, "FileSize": 40})


def test_one_job() -> None:
    wait = wait_for("k")
    wait.take({"k": seen("RUNNING")}, T0 + 1)
    assert progress_of(wait, T0 + 75.4, 0.12345) == {
        "job_key": "k",
        "status": "RUNNING",
        "at": AT,
        "waited_seconds": 75,
        "figures": "12 of 40 bytes",
        "progress": 0.123,
    }


def test_a_job_that_nobody_has_seen() -> None:
    assert progress_of(wait_for("k"), T0 + 75) == {"job_key": "k", "status": "", "at": AT, "waited_seconds": 75}


def test_of_several_the_slowest_and_how_many_have_which_status() -> None:
    wait = wait_for("a", "b", "c", "d")
    wait.take({"a": seen("SUCCESS"), "b": seen("PENDING"), "c": seen("RUNNING")}, T0 + 1)
    told = progress_of(wait, T0 + 75)
    assert (told["job_key"], told["status"]) == ("b", "PENDING") == (slowest(wait), "PENDING")
    assert told["jobs"] == {"SUCCESS": 1, "PENDING": 1, "RUNNING": 1, "": 1}


def test_a_thousand_jobs_are_told_of_in_a_few_words() -> None:
    keys = [f"job-{number}" for number in range(1000)]
    wait = wait_for(*keys)
    wait.take({key: seen(f"STATUS_{number}" * 100) for number, key in enumerate(keys)}, T0 + 1)
    assert len(json.dumps(progress_of(wait, T0 + 75))) < 6000


def test_the_end_is_told_in_the_same_form() -> None:
    ended = [
        JobResult("a", Outcome.SUCCEEDED, "SUCCESS", record={"UploadedSize": 40, "FileSize": 40}, seconds=74.6),
        JobResult("b", Outcome.FAILED, "FAIL", record={"UploadedSize": 12, "FileSize": 40}, seconds=70.0),
    ]
    told = progress_at_end(UPLOAD, ended, T0 + 75)
    assert told == {
        "job_key": "b",
        "status": "FAIL",
        "at": AT,
        "waited_seconds": 75,
        "figures": "12 of 40 bytes",
        "jobs": {"SUCCESS": 1, "FAIL": 1},
    }
    assert progress_at_end(QUERY, [JobResult("a", Outcome.SUCCEEDED, "FINISHED")], T0)["progress"] == 1.0
    assert "progress" not in progress_at_end(QUERY, [JobResult("a", Outcome.FAILED, "FAILED")], T0)


def test_the_pace() -> None:
    pace = Pace(T0)
    assert pace.due == T0 + FIRST
    pace.changed()
    assert pace.due == T0 + FIRST, "a short wait is not told of"
    pace.told(T0 + 20)
    assert pace.due == T0 + 20 + EVERY
    pace.changed()
    assert pace.due == T0 + 20 + FIRST, "a change is told soon"
    pace.told(T0 + 30)
    assert pace.due == T0 + 30 + EVERY


@pytest.mark.parametrize("answer", [{}, {"progress": None}, {"progress": "much"}, {"progress": 42}, {"progress": -1}])
def test_what_is_no_part_is_refused(answer: dict[str, object]) -> None:
    assert QUERY.measure is not None
    assert QUERY.measure.part({"progress": "0.25"}) == 0.25
    with pytest.raises((TypeError, ValueError)):
        QUERY.measure.part(answer)
