# SPDX-License-Identifier: Apache-2.0
"""What a DAG says about its own end."""

from __future__ import annotations

import pytest

from airflow_cloudjobs.demo.expectation import Run, Task, surprises


def _task(task_id: str, state: str, map_index: int = -1) -> Task:
    return Task("dag", "run", task_id, map_index, state, 1, 1.0, "Operator")


def _run(state: str, *tasks: Task) -> Run:
    return Run("dag", "run", state, tasks)


@pytest.mark.parametrize(
    ("run", "tags"),
    [
        (_run("success", _task("a", "success"), _task("b", "success")), []),
        (_run("success", _task("a", "failed"), _task("b", "success")), ["other", "expect:a=failed"]),
        (_run("failed", _task("a", "upstream_failed")), ["expect:a=upstream_failed", "expect:run=failed"]),
        (_run("success", _task("a", "skipped", 0), _task("a", "skipped", 1)), ["expect:a=skipped"]),
        (_run("failed"), ["expect:run=failed"]),
    ],
)
def test_a_run_that_ends_as_said_is_no_surprise(run: Run, tags: list[str]) -> None:
    assert surprises(run, tags) == []


@pytest.mark.parametrize(
    ("run", "tags", "texts"),
    [
        (_run("success", _task("a", "skipped")), [], ["dag.a ended as skipped, expected was success"]),
        (
            _run("failed", _task("a", "success", 0), _task("a", "failed", 1)),
            ["expect:run=failed"],
            ["dag.a[1] ended as failed, expected was success"],
        ),
        (_run("failed"), [], ["dag: the run ended as failed, expected was success"]),
        (_run("success"), ["expect:run=failed"], ["dag: the run ended as success, expected was failed"]),
        (
            _run("success", _task("a", "success")),
            ["expect:b=failed"],
            ["dag: a tag expects something of b, which is no task of it"],
        ),
    ],
)
def test_everything_else_is_told(run: Run, tags: list[str], texts: list[str]) -> None:
    assert [surprise.text for surprise in surprises(run, tags)] == texts
