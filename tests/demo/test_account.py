# SPDX-License-Identifier: Apache-2.0
"""The closing account: what is lost, doubled or wrongly green must show in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_cloudjobs.demo.account import Account, Json, account
from airflow_cloudjobs.demo.expectation import Task


def _task(task_id: str, state: str = "success") -> Task:
    return Task("dag", "run", task_id, -1, state, 1, 1.0, "Operator")


def _result(key: str, outcome: str = "succeeded", api: str = "dli.sql_job") -> Json:
    return {"api": api, "job_key": key, "outcome": outcome}


def _job(key: str, succeeded: bool = True) -> Json:
    return {"api": "dli.sql_job", "key": key, "succeeded": succeeded}


def _event(task_id: str | None, event: str, second: int) -> Json:
    when = f"2026-01-01T00:00:{second:02}Z"
    return {"dag_id": "dag", "run_id": "run", "task_id": task_id, "map_index": -1, "event": event, "when": when}


def _drawn(results: dict[Task, Sequence[Json]], jobs: Sequence[Json], submits: int, *events: Any) -> Account:
    return account(results, jobs, submits, events)


def test_every_job_is_known_and_ended_as_its_task_says() -> None:
    results: dict[Task, Sequence[Json]] = {
        _task("one"): [_result("a"), _result("b", api="an.api_of_the_dag")],
        _task("submit"): [_result("c", "submitted")],
        _task("wait"): [_result("c")],
        _task("fails", "failed"): [_result("d", "failed")],
        _task("no_job"): [],
    }
    drawn = _drawn(results, [_job("a"), _job("b"), _job("c"), _job("d", False)], 4)
    assert str(drawn) == "4 jobs, 4 submits, 0 lost, 0 false greens; waited 0 s, of them 0 s on a worker"
    assert drawn.is_right


def test_a_job_that_follows_another_is_known_too() -> None:
    """An export, that a query's result names."""
    exported = {**_result("a"), "result": {"rows": [1], "export": {"job_key": "e", "outcome": "succeeded"}}}
    assert _drawn({_task("one"): [exported]}, [_job("a"), _job("e")], 2).is_right
    assert _drawn({_task("one"): [exported]}, [_job("a"), _job("e", False)], 2).false_greens == 1


def test_a_job_that_was_submitted_twice_is_lost_once() -> None:
    drawn = _drawn({_task("one"): [_result("b")]}, [_job("a"), _job("b")], 2)
    assert (drawn.jobs, drawn.submits, drawn.lost) == (1, 2, 1)
    assert not drawn.is_right
    # The second upload to a DRS task takes the place of the first.
    assert not _drawn({_task("one"): [_result("a")]}, [_job("a")], 2).is_right


def test_a_green_task_whose_job_has_not_succeeded_is_false() -> None:
    for result, jobs in (
        (_result("a"), [_job("a", False)]),
        (_result("a", "failed"), [_job("a", False)]),
        (_result("a"), []),
    ):
        drawn = _drawn({_task("one"): [result]}, jobs, 1)
        assert drawn.false_greens == 1
        assert not drawn.is_right


def test_a_demo_without_jobs_proves_nothing() -> None:
    assert not _drawn({_task("no_job"): []}, [], 0).is_right


def test_times_are_those_of_the_audit_log() -> None:
    drawn = _drawn(
        {_task("one"): [_result("a")], _task("no_job"): []},
        [_job("a")],
        1,
        _event("one", "deferred", 4),
        _event("one", "running", 1),
        _event("one", "running", 30),
        _event("one", "heartbeat timeout", 42),
        _event("one", "running", 50),
        _event("one", "success", 52),
        _event("no_job", "running", 0),
        _event("no_job", "success", 59),
        _event(None, "trigger", 0),
    )
    assert (drawn.waited, drawn.on_worker) == (51.0, 3.0 + 12.0 + 2.0)
