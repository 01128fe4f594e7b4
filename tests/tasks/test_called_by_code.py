# SPDX-License-Identifier: Apache-2.0
"""A task that the code of another one calls: it waits where it is, since Airflow would bring back the other one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import BaseOperator
from support.jobapis import DLI, DMS_UPLOAD, MODES
from taskbench import SUCCESS, Ran, run

from airflow_cloudjobs.localcloud import Control

FAST = 0.03


class Code(BaseOperator):
    """A task whose code calls another one."""

    call: Callable[[Any], Any]

    def execute(self, context: Any) -> Any:
        return self.call({**context, "task": self})


def called(call: Callable[[Any], Any]) -> Ran:
    """Run a task of code.

    :param call: the code, which is given Airflow's context.
    """

    def make() -> Code:
        made = Code(task_id="code")
        made.call = call
        return made

    return run(make)


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
def test_an_operator_waits_and_submits_once_per_call(mode: str, control: Control) -> None:
    statements = ["SELECT 1", "SELECT 2"]

    def call(context: Any) -> Any:
        # By the same name, as in a loop: what Airflow remembers of the task must not give one the job of the other.
        return [
            DLI.operator(task_id="query", sql=sql, poll_interval=FAST, **MODES[mode][1]).execute(context)
            for sql in statements
        ]

    ran = called(call)
    assert (ran.state, ran.error, ran.deferrals) == (SUCCESS, None, 0)
    assert [job["fields"]["sql"] for job in control.jobs(DLI.api)] == statements
    assert [one["job_key"] for one in ran.result] == [job["key"] for job in control.jobs(DLI.api)]
    assert "Called by the code of task 'code', so it waits on this worker without deferring; a retry" in ran.log


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable sensor"])
def test_a_sensor_waits(mode: str, control: Control) -> None:
    for key in ("a", "b"):
        control.create_job(DMS_UPLOAD.api, key)

    def call(context: Any) -> Any:
        return [
            DMS_UPLOAD.sensor(task_id="w", job_key=key, poke_interval=FAST, **MODES[mode][1]).execute(context)
            for key in ("a", "b")
        ]

    ran = called(call)
    assert (ran.state, ran.error, ran.deferrals, ran.reschedules) == (SUCCESS, None, 0, 0)
    assert [one["job_key"] for one in ran.result] == ["a", "b"]
    assert len(re.findall("waits on this worker without deferring or giving it back between two looks", ran.log)) == 2


def test_a_question_is_not_asked_of_a_task_that_cannot_come_back(control: Control) -> None:
    control.fault("reset", "submit")
    ran = called(
        lambda context: DMS_UPLOAD.operator(
            task_id="t", **DMS_UPLOAD.new, on_unknown_submit="ask", poll_interval=FAST
        ).execute(context)
    )
    assert "may or may not run" in str(ran.error)
    assert "Asking a person" not in ran.log


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
def test_a_task_of_the_dag_is_not_taken_for_one(mode: str, control: Control) -> None:
    def make() -> Any:
        made = DLI.operator(task_id="t", **DLI.new, poll_interval=FAST, **MODES[mode][1])
        execute = made.execute
        made.execute = lambda context: execute({**context, "task": made})
        return made

    ran = run(make)
    assert (ran.state, ran.deferrals) == (SUCCESS, mode == "deferrable")
    assert "Called by" not in ran.log
