# SPDX-License-Identifier: Apache-2.0
"""Many short jobs at once: no task may come back before Airflow's scheduler has seen it leave.

Airflow has here the patience of a real one: with 24 workers on two processors a heartbeat is late at times, and a task
taken for dead is another matter.
"""

from __future__ import annotations

import signal

import pytest
from fault_cases import DLI
from fault_world import PATIENT, Case

AIRFLOW = PATIENT


def test_deferred_tasks_come_back_after_airflow_has_seen_them_leave(case: Case) -> None:
    world = case.world
    row = world.launch("mapped, jobs of 1-20 s", DLI, "mapped-short", seconds=None, jobs=case.many(300))
    world.wait_for([row], "success", "failed", timeout=1500.0)
    mismatches = world.mismatches(row)
    assert not mismatches, f"Airflow has failed {len(mismatches)} tasks: {mismatches[0]}"
    case.ends([row])


def test_rescheduled_tasks_come_back_after_airflow_has_seen_them_leave(case: Case) -> None:
    world = case.world
    row = world.launch("mapped, rescheduled", DLI, "mapped-reschedule", seconds=None, jobs=case.many(80))
    for number in range(row.tasks):
        key = f"{row.word}-{number}"
        world.control.create_job(DLI, key, seconds=20 + number % 40, fields={"sql": f"SELECT 1 /* {key} */"})
    world.wait_any(row, "up_for_reschedule")
    world.wait_for([row], "success", "failed", timeout=900.0)
    mismatches = world.mismatches(row)
    assert not mismatches, f"Airflow has failed {len(mismatches)} tasks: {mismatches[0]}"
    case.ends([row])


@pytest.mark.executor("local")  # Celery's forgets what came of a task when it sends the task again
def test_a_task_that_airflow_has_failed_wrongly_is_right_after_a_retry(case: Case) -> None:
    world = case.world
    # The scheduler is stopped while they submit, so it sees none of the last ones leave, however fast it is.
    world.control.fault("slow", "submit", after_commit=True, delay=5.0)
    rows = world.launch_all("red by Airflow's race, retried", "deferrable", seconds=10.0)
    world.wait_submitted(rows)
    for name in world.named("scheduler"):
        world.airflow.kill(name, signal.SIGSTOP)
    world.wait_for(rows, "scheduled", timeout=180.0)  # by their triggers, as soon as these no longer hold the event
    for name in world.named("scheduler"):
        world.airflow.kill(name, signal.SIGCONT)
    case.ends(rows)
    assert any(world.mismatches(row) for row in rows)
