# SPDX-License-Identifier: Apache-2.0
"""How runs are expected to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_cloudjobs.demo.expectation import Run, Task, expected_in, surprises


def _task(task_id: str, state: str, map_index: int = -1) -> Task:
    return Task("dag", "run", task_id, map_index, state, 1, 1.0, "Operator")


def _run(state: str, *tasks: Task) -> Run:
    return Run("dag", "run", state, tasks)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (_run("success", _task("a", "success"), _task("b", "success")), {}),
        (_run("success", _task("a", "failed"), _task("b", "success")), {"a": "failed"}),
        (_run("failed", _task("a", "upstream_failed")), {"a": "upstream_failed", "run": "failed"}),
        (_run("success", _task("a", "skipped", 0), _task("a", "skipped", 1)), {"a": "skipped"}),
        (_run("failed"), {"run": "failed"}),
    ],
)
def test_a_run_that_ends_as_said_is_no_surprise(run: Run, expected: dict[str, str]) -> None:
    assert surprises(run, expected) == []


@pytest.mark.parametrize(
    ("run", "expected", "texts"),
    [
        (_run("success", _task("a", "skipped")), {}, ["dag.a ended as skipped, expected was success"]),
        (
            _run("failed", _task("a", "success", 0), _task("a", "failed", 1)),
            {"run": "failed"},
            ["dag.a[1] ended as failed, expected was success"],
        ),
        (_run("failed"), {}, ["dag: the run ended as failed, expected was success"]),
        (_run("success"), {"run": "failed"}, ["dag: the run ended as success, expected was failed"]),
        (
            _run("success", _task("a", "success")),
            {"b": "failed"},
            ["dag: expected.json expects something of b, which is no task of it"],
        ),
    ],
)
def test_everything_else_is_told(run: Run, expected: dict[str, str], texts: list[str]) -> None:
    assert [surprise.text for surprise in surprises(run, expected)] == texts


def test_a_folder_without_the_file_expects_success(tmp_path: Path) -> None:
    assert expected_in(tmp_path) == {}
    (tmp_path / "expected.json").write_text('{"dag": {"größe": "failed"}}', encoding="utf-8")
    assert expected_in(tmp_path) == {"dag": {"größe": "failed"}}
