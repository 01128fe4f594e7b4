# SPDX-License-Identifier: Apache-2.0
"""``fetch_rows`` of the DLI tasks: rows in every mode, and what becomes of a job whose rows cannot be had."""

from __future__ import annotations

from typing import Any

import pytest
from support.jobapis import DLI, MODES
from taskbench import FAILED, RETRY, SUCCESS, Attempts, Ran, TaskInstance, run

from airflow_cloudjobs.exceptions import JobFailed, ResultUnavailable
from airflow_cloudjobs.failure import WIDTH, columns
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.localcloud import Control
from airflow_cloudjobs.next_step import NEXT

FAST = 0.03
RESULT = {
    "schema": [{"城市": "string"}, {"paid": "decimal(10,2)"}, {"day": "date"}],
    "rows": [["北京", "12.30", "2026-01-31"], ["Köln", None, None], ["c4nary", 1, None]],
}
ROWS = [
    {"城市": "北京", "paid": "12.30", "day": "2026-01-31"},
    {"城市": "Köln", "paid": None, "day": None},
    {"城市": "c4nary", "paid": "1", "day": None},
]
PREVIEW = "PreviewSqlJobResult"
EXPIRED = {"status": 400, "code": "DLI.0100", "message": "The result of the job has expired"}


def previews(control: Control) -> int:
    """How often rows were asked for."""
    calls: int = control.stats()["operations"].get(PREVIEW, {"calls": 0})["calls"]
    return calls


def task(mode: str, **options: Any) -> Any:
    """A task that fetches rows of job ``k``, or of one that it submits."""
    kind, arguments = MODES[mode]
    if kind == "operator":
        return DLI.operator(task_id="t", **{"poll_interval": FAST, **DLI.new, **arguments, **options})
    return DLI.sensor(task_id="t", **{"poke_interval": FAST, "job_id": "k", **arguments, **options})


def fetching(mode: str, control: Control, end: str = "success", tries: int = 0, **options: Any) -> Ran:
    """What became of such a task, whose job has the rows above."""
    control.plan(DLI.api, end, result=RESULT)
    control.create_job(DLI.api, "k", end, result=RESULT)
    ti = TaskInstance()
    ti.max_tries = tries
    ran = run(lambda: task(mode, **options), ti=ti)
    ran.result = ran.result or ti.xcoms.get("return_value")
    return ran


@pytest.mark.parametrize("mode", MODES)
def test_rows_in_every_mode(mode: str, control: Control) -> None:
    ran = fetching(mode, control, fetch_rows="{{ 2 }}")
    assert ran.state == SUCCESS, ran.error
    result = ran.result["result"]
    assert (result["rows"], result["truncated"], result["result_count"]) == (ROWS[:2], True, 3)
    assert result["columns"] == [
        {"name": "城市", "type": "string"},
        {"name": "paid", "type": "decimal(10,2)"},
        {"name": "day", "type": "date"},
    ]
    assert previews(control) == 1
    assert "北京" not in ran.log


def test_all_rows_of_several_jobs(control: Control) -> None:
    control.create_job(DLI.api, "a", result=RESULT)
    control.create_job(DLI.api, "b")
    ran = run(lambda: task("deferrable sensor", job_id=["a", "b"], fetch_rows=1000))
    first, second = (job["result"] for job in ran.result)
    assert (first["rows"], first["truncated"]) == (ROWS, False)
    assert second["rows"] == [{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}]


@pytest.mark.parametrize("mode", ["blocking", "poke"])
def test_nothing_is_fetched_unasked_or_of_a_failed_job(mode: str, control: Control) -> None:
    assert "rows" not in fetching(mode, control).result["result"]
    control.reset()
    failed = fetching(mode, control, "fail", fetch_rows=5)
    assert failed.result["outcome"] == "failed"
    assert "rows" not in failed.result["result"]
    assert previews(control) == 0


def test_a_job_that_is_no_query(control: Control) -> None:
    """It has done what it should: the task is green, says so, and has None where a list of no rows would mislead."""
    ran = fetching("blocking", control, sql="SHOW TABLES", fetch_rows=5)
    assert ran.state == SUCCESS
    assert (ran.result["result"]["rows"], ran.result["result"]["columns"]) == (None, None)
    assert "is of type DDL: DLI shows rows of queries only, so 'rows' is None" in ran.log
    assert previews(control) == 0


@pytest.mark.parametrize("fault", [{"kind": "http"}, {"kind": "reset"}, {"kind": "throttle"}, {"kind": "truncated"}])
def test_passing_trouble_is_ridden_out(fault: dict[str, Any], control: Control, lucky: None) -> None:
    control.fault(target=PREVIEW, count=2, **fault)
    ran = fetching("deferrable", control, fetch_rows=5)
    assert (ran.state, ran.result["result"]["rows"]) == (SUCCESS, ROWS)
    assert previews(control) == 3


@pytest.mark.parametrize("tries", [0, 1])
@pytest.mark.parametrize("mode", ["blocking", "deferrable", "poke", "deferrable sensor"])
def test_rows_that_cannot_be_had(mode: str, tries: int, control: Control) -> None:
    control.fault("http", PREVIEW, **EXPIRED)
    ran = fetching(mode, control, tries=tries, fetch_rows=5)
    assert (ran.state, type(ran.error)) == (RETRY, ResultUnavailable)
    assert ran.result["status"] == "FINISHED"
    shown = next(line for line in ran.log.splitlines() if line.startswith("ERROR ")).removeprefix("ERROR ")
    first, where, step = str(ran.error).splitlines()
    assert (
        first == "DLI.0100: The result of the job has expired; the job is FINISHED, but its result could not be fetched"
    )
    assert first.startswith(shown)
    assert columns(shown) <= WIDTH
    assert PREVIEW in where
    assert "HTTP 400" in where
    assert step.startswith(NEXT)
    if tries:
        assert "Airflow tries again by itself, and fetches from the same job" in step
    elif MODES[mode][0] == "operator":
        assert "to fetch from this job, give its key here (job_id)" in step
    else:
        assert "then clear this task: it fetches from the same job" in step


@pytest.mark.parametrize("store", [True, False])
def test_a_retry_fetches_from_the_same_job(store: bool, control: Control) -> None:
    """Also on an Airflow that remembers nothing of an attempt: the job is found by its mark."""
    control.plan(DLI.api, result=RESULT)
    number = control.fault("http", PREVIEW, **EXPIRED)
    attempts = Attempts(lambda: task("blocking", fetch_rows=5), store=store)
    with pytest.raises(ResultUnavailable):
        attempts.run()
    control.clear_faults(number)
    assert attempts.run()["result"]["rows"] == ROWS
    assert control.stats()["submits"] == {DLI.api: 1}


def test_one_of_several_without_rows(control: Control) -> None:
    """The failed job is what the task says, and the others' rows are in XCom all the same."""
    control.create_job(DLI.api, "good", result=RESULT)
    control.create_job(DLI.api, "bad", "fail")
    ran = run(lambda: task("blocking", sql=None, job_id=["good", "bad"], fetch_rows=1))
    assert type(ran.error) is JobFailed
    assert [job["result"].get("rows") for job in ran.result] == [ROWS[:1], None]


@pytest.mark.parametrize(
    ("options", "argument", "words"),
    [
        ({"fetch_rows": 0}, "fetch_rows", "1 to 1000"),
        ({"fetch_rows": 1001}, "fetch_rows", "1 to 1000"),
        ({"fetch_rows": "all"}, "fetch_rows", "whole number"),
        ({"fetch_rows": True}, "fetch_rows", "whole number"),
        ({"fetch_rows": 5, "sql": "-- a\n/* SELECT */ insert INTO t SELECT 1"}, "fetch_rows", "begins with INSERT"),
        ({"fetch_rows": 5, "wait_for_completion": False}, "wait_for_completion", "must be True for fetch_rows"),
        (
            {"fetch_rows": 5, "deferrable": True, "end_from_trigger": True},
            "end_from_trigger",
            "that needs a worker",
        ),
    ],
)
def test_refused_when_the_dag_is_parsed(options: dict[str, Any], argument: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=f"argument '{argument}' .*{words}"):
        task("blocking", **options)


@pytest.mark.parametrize("options", [{"fetch_rows": "{{ 0 }}"}, {"fetch_rows": 1, "sql": "{{ 'DROP TABLE t' }}"}])
def test_refused_before_anything_is_sent(options: dict[str, Any], control: Control) -> None:
    ran = fetching("blocking", control, **options)
    assert ran.state == FAILED
    assert "argument 'fetch_rows'" in str(ran.error)
    assert [job["key"] for job in control.jobs(DLI.api)] == ["k"]


@pytest.mark.parametrize(
    "sql", ["SHOW TABLES", "WITH a AS (SELECT 1) SELECT * FROM a", "(SELECT 1)", "USER()", "x.sql"]
)
def test_what_may_have_rows_is_not_refused(sql: str) -> None:
    assert task("blocking", sql=sql, fetch_rows=5).fetch_rows == 5
