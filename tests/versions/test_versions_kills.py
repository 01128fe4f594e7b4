# SPDX-License-Identifier: Apache-2.0
"""Tasks that are stopped, by a user and by a machine: whose job is cancelled, and who goes on with which."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from any_airflow import AIRFLOW, IS_AIRFLOW_3, AnyAirflow
from packaging.version import Version

from airflow_cloudjobs.localcloud import LocalCloud

if IS_AIRFLOW_3:
    from airflow.sdk.execution_time.supervisor import ActivitySubprocess

    RETRIES_KILLED = "_should_retry" in ActivitySubprocess.__annotations__
else:
    RETRIES_KILLED = True

#: Older ones count those of runs that have ended.
COUNTS_ALL_CLEARS = Version("3.2") <= AIRFLOW

retries_killed = pytest.mark.skipif(
    not RETRIES_KILLED, reason="Airflow 3.0 fails a task whose process was killed, retries left or not"
)

#: The tasks of each DAG, and what they do while they wait.
TASKS = {
    "kills": {
        "deferred_failed": "deferred",
        "deferred_moved": "deferred",
        "adopted": "deferred",
        "running_failed": "running",
        "running_succeeded": "running",
        "worker_replaced": "running",
        "worker_gone": "running",
    },
    "kills_cleared": {"deferred_cleared": "deferred", "beside_cleared": "running"},
}
DAG_OF = {name: dag_id for dag_id, tasks in TASKS.items() for name in tasks}


class World:
    """One run of each DAG, with all tasks waiting, and the cloud that they wait for."""

    def __init__(self, airflow: AnyAirflow, cloud: LocalCloud) -> None:
        self.airflow, self.control = airflow, cloud.control
        airflow.wait_for_dags(list(TASKS))
        self.runs = {dag_id: airflow.trigger(dag_id) for dag_id in TASKS}
        for tasks in TASKS.values():
            for name, state in tasks.items():
                self.task(name, state)
                # The first look is the worker's; a trigger that does not run yet cannot hear of anything.
                self.until(lambda name=name: (self.jobs(name) or [{"polls": 0}])[0]["polls"] > 2, f"polls of {name}")

    def jobs(self, name: str) -> list[dict[str, Any]]:
        """The jobs of a task, oldest first."""
        return [job for job in self.control.jobs("dli.sql_job") if name in (job["key"], *str(job["fields"]).split("'"))]

    def task(self, name: str, *states: str) -> dict[str, Any]:
        """A task's row, once it is in one of some states."""
        return self.airflow.wait_for_task(DAG_OF[name], self.runs[DAG_OF[name]], name, states)

    def mark(self, name: str, state: str) -> None:
        """Mark a task as a user does."""
        self.airflow.mark(DAG_OF[name], self.runs[DAG_OF[name]], name, state)

    def evict(self, name: str) -> None:
        """End a task's process as a machine that shuts down does: ask, and do not wait for long."""
        pid = self.task(name, "running")["pid"]
        os.kill(pid, signal.SIGTERM)
        time.sleep(4)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def retried(self, name: str) -> None:
        """Wait until a task runs again."""
        self.until(lambda: self.task(name, "running", "up_for_retry")["try_number"] == 2, f"a retry of {name}")
        self.task(name, "running")

    def until(self, probe: Any, what: str, timeout: float = 180) -> None:
        """Wait for something."""
        end = time.monotonic() + timeout
        while not probe():
            assert time.monotonic() < end, what
            time.sleep(0.3)

    def cancelled(self, name: str) -> None:
        """Wait until a task's first job is cancelled."""
        done = f"the job of {name} to be cancelled"
        # Airflow 2 gives a task that was marked as a success 20 seconds to end by itself, from the second heartbeat on.
        self.until(lambda: self.jobs(name)[0]["status"] == "CANCELLED", done)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("kills")
    with LocalCloud(cancel_seconds=0.1) as cloud:
        cloud.control.create_job("dli.sql_job", "adopted", "forever")
        connections = {"huaweicloud_default": cloud.huawei_connection()}
        dags = Path(__file__).parent / "dags"
        with AnyAirflow(dags, home=folder / "home", connections=connections) as airflow:
            yield World(airflow, cloud)


def test_a_deferred_task_that_a_user_ends(world: World) -> None:
    world.mark("deferred_failed", "failed")
    world.mark("adopted", "failed")
    world.cancelled("deferred_failed")
    assert world.jobs("adopted")[0]["status"] == "RUNNING"


@pytest.fixture(scope="module")
def cleared(world: World) -> World:
    """The same, after a user has cleared a task of the run that is there for it."""
    world.airflow.clear("kills_cleared", world.runs["kills_cleared"], "deferred_cleared")
    return world


def test_a_deferred_task_that_a_user_clears(cleared: World) -> None:
    cleared.until(lambda: len(cleared.jobs("deferred_cleared")) == 2, "another job")
    cleared.cancelled("deferred_cleared")
    time.sleep(3)
    assert [job["status"] for job in cleared.jobs("deferred_cleared")] == ["CANCELLED", "RUNNING"]


@pytest.mark.parametrize(("name", "state"), [("running_failed", "failed"), ("running_succeeded", "success")])
def test_a_running_task_that_a_user_ends(name: str, state: str, world: World) -> None:
    world.mark(name, state)
    world.cancelled(name)
    assert world.task(name, state)["try_number"] == 1


@retries_killed
def test_a_worker_that_is_replaced_after_another_task_of_the_run_was_cleared(cleared: World) -> None:
    """Airflow tells how often a run was cleared; where all clears count, this may have been one: a new job."""
    cleared.evict("beside_cleared")
    cleared.retried("beside_cleared")
    expected = ["CANCELLED", "RUNNING"] if COUNTS_ALL_CLEARS else ["RUNNING"]
    cleared.until(lambda: len(cleared.jobs("beside_cleared")) == len(expected), "its jobs")
    time.sleep(5)
    assert [job["status"] for job in cleared.jobs("beside_cleared")] == expected


@retries_killed
def test_a_worker_that_is_replaced(world: World) -> None:
    world.evict("worker_replaced")
    world.retried("worker_replaced")
    time.sleep(5)
    [job] = world.jobs("worker_replaced")
    assert job["status"] == "RUNNING"
    world.control.set_script("dli.sql_job", job["key"], "success", seconds=0)
    world.task("worker_replaced", "success")


def test_a_worker_that_is_gone_for_good(world: World) -> None:
    """Nobody will go on with the job: the task is not retried."""
    world.evict("worker_gone")
    world.cancelled("worker_gone")
    world.task("worker_gone", "failed")


def test_a_triggerer_that_is_replaced(world: World) -> None:
    world.airflow.restart("triggerer")
    [job] = world.jobs("deferred_moved")
    polls = job["polls"]
    world.until(lambda: world.jobs("deferred_moved")[0]["polls"] > polls + 2, "more polls")
    [job] = world.jobs("deferred_moved")
    assert job["status"] == "RUNNING"
    world.control.set_script("dli.sql_job", job["key"], "success", seconds=0)
    assert world.task("deferred_moved", "success")["try_number"] == 1
