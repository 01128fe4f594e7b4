# SPDX-License-Identifier: Apache-2.0
"""Submit once below ``[cloudjobs] state_path``, where Airflow has no store of its own: what is killed when."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from any_airflow import AIRFLOW, AnyAirflow
from support.jobapis import DMS_EXPORT, DMS_UPLOAD, DRS
from support.seen import jobs_of, taken

from airflow_cloudjobs import compat
from airflow_cloudjobs.demo.kills import end_worker
from airflow_cloudjobs.localcloud import LocalCloud

TASKS = {"upload": DMS_UPLOAD, "export": DMS_EXPORT, "template": DRS}

#: A job that lasts until the case ends it.
FOR_LONG = 3600.0

#: What Airflow waits for before it takes a process for dead, by the names of both generations.
QUICK = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "1",
}

pytestmark = pytest.mark.skipif(
    compat.triggers_end_tasks(), reason="this Airflow has a store of its own (tests/faults)"
)


class World:
    """An Airflow, the clouds, and the folder in which tasks store what they have submitted."""

    def __init__(self, airflow: AnyAirflow, cloud: LocalCloud, stored: Path) -> None:
        self.airflow, self.control, self.stored = airflow, cloud.control, stored
        airflow.wait_for_dags([f"once_{case}" for case in ("kept", "lost", "moved", "cleared", "remade")])

    def launch(self, case: str) -> str:
        """Start a run of a case, whose jobs last for long."""
        for api in TASKS.values():
            self.control.plan(api.api, "success", seconds=FOR_LONG, match=f"{case}-word", count=None)
        return self.airflow.trigger(f"once_{case}")

    def task(self, case: str, run_id: str, name: str, *states: str, attempt: int = 1) -> dict[str, Any]:
        """A task's row, once it is in one of some states, in that attempt."""
        rows: list[dict[str, Any]] = []

        def there() -> bool:
            rows[:] = self.airflow.task_instances(f"once_{case}", run_id)
            rows[:] = [row for row in rows if row["task_id"] == name]
            return bool(rows) and rows[0]["state"] in states and rows[0]["try_number"] >= attempt

        self.until(there, lambda: f"{name} is not {states} in attempt {attempt}: {rows}")
        return rows[0]

    def jobs(self, case: str, name: str) -> list[dict[str, Any]]:
        """The jobs of a task, oldest first; of the uploads to a DRS task only the last."""
        word = f"{case}-word"
        return jobs_of(self.control.jobs(TASKS[name].api), word, word)

    def submits(self, case: str, name: str) -> int:
        """How many submits the cloud has taken for a task."""
        keys = [job["key"] for job in self.jobs(case, name)]
        return len(taken(self.control.stats(tail=10_000)["requests"], TASKS[name].submit, keys))

    def wait_polled(self, case: str, name: str) -> None:
        """Wait until a task's last job is asked for again."""

        def polls() -> int:
            return sum(job["polls"] for job in self.jobs(case, name))

        before = polls()
        self.until(lambda: polls() > before, lambda: f"{name} of {case} is not polled")

    def finish(self, case: str, name: str) -> None:
        """Let a task's jobs succeed."""
        for job in self.jobs(case, name):
            if not job["ended"]:
                self.control.set_script(TASKS[name].api, job["key"], "success", seconds=0.5)

    def kill_worker(self, row: dict[str, Any]) -> None:
        """End what runs a task at once, as the loss of its machine would."""
        task = psutil.Process(row["pid"])
        worker = task.parent()
        assert worker is not None
        assert end_worker(worker, task)

    def until(self, probe: Callable[[], bool], complaint: Callable[[], str], timeout: float = 180) -> None:
        """Wait for something."""
        end = time.monotonic() + timeout
        while not probe():
            assert time.monotonic() < end, complaint()
            time.sleep(0.4)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("once")
    stored = folder / "stored"
    stored.mkdir()
    with LocalCloud(stale_seconds=0.2) as cloud:
        for case in ("kept", "lost", "moved"):
            cloud.control.create_job("drs.job", f"{case}-word")
            (folder / f"{case}-word.json").write_text('{"tables": ["orders"]}')
        connections = {
            "alibabacloud_default": cloud.alibaba_connection(),
            "huaweicloud_default": cloud.huawei_connection(),
        }
        env = {**QUICK, "AIRFLOW__CLOUDJOBS__STATE_PATH": str(stored), "ONCE_TEMPLATES": str(folder)}
        dags = Path(__file__).parent / "dags"
        with AnyAirflow(dags, home=folder / "home", connections=connections, env=env) as airflow:
            yield World(airflow, cloud, stored)


def test_workers_are_killed_after_the_submit(world: World) -> None:
    """The retry goes on with the job that the attempt before has stored."""
    run_id = world.launch("kept")
    for name in TASKS:
        world.task("kept", run_id, name, "running")
        world.wait_polled("kept", name)  # and so its key is stored
        world.kill_worker(world.task("kept", run_id, name, "running"))
    for name in TASKS:
        world.task("kept", run_id, name, "running", attempt=2)
        world.wait_polled("kept", name)
        world.finish("kept", name)
        row = world.task("kept", run_id, name, "success")
        assert (name, row["try_number"], world.submits("kept", name)) == (name, 2, 1)


def test_workers_are_killed_between_the_submit_and_its_record(world: World) -> None:
    """The retry knows that something was sent, and asks a person instead of sending it again."""
    world.control.fault("slow", "submit", after_commit=True, delay=60.0)
    run_id = world.launch("lost")
    for name in TASKS:
        world.until(lambda name=name: world.submits("lost", name) == 1, lambda: "not submitted")
        world.kill_worker(world.task("lost", run_id, name, "running"))
    world.control.clear_faults()
    for name in TASKS:
        row = world.task("lost", run_id, name, "failed")
        assert (name, row["try_number"], world.submits("lost", name)) == (name, 2, 1)


def test_the_triggerer_is_killed(world: World) -> None:
    run_id = world.launch("moved")
    for name in TASKS:
        world.task("moved", run_id, name, "deferred")
        world.wait_polled("moved", name)
    world.airflow.restart("triggerer", sig=9)
    for name in TASKS:
        world.wait_polled("moved", name)
        world.finish("moved", name)
        row = world.task("moved", run_id, name, "success")
        assert (name, row["try_number"], world.submits("moved", name)) == (name, 1, 1)


@pytest.mark.skipif(
    AIRFLOW.release[:2] == (3, 0),
    reason="Airflow 3.0 never runs a task again that is cleared while it runs (its issue 55045)",
)
def test_a_running_task_that_a_user_clears(world: World) -> None:
    """It is another job that a user asks for."""
    run_id = world.launch("cleared")
    world.wait_polled("cleared", "upload")
    world.airflow.clear("once_cleared", run_id, "upload")
    world.task("cleared", run_id, "upload", "running", attempt=2)
    world.until(lambda: world.submits("cleared", "upload") == 2, lambda: "not submitted anew")
    world.finish("cleared", "upload")
    world.task("cleared", run_id, "upload", "success")
    assert world.submits("cleared", "upload") == 2


def test_a_run_that_is_deleted_and_made_anew(world: World) -> None:
    run_id = world.launch("remade")
    for count in (1, 2):
        world.until(lambda count=count: world.submits("remade", "upload") == count, lambda: "not submitted")
        world.finish("remade", "upload")
        world.airflow.wait_for_run("once_remade", run_id)  # the scheduler must not write of it any more
        if count == 1:
            world.airflow.delete_run("once_remade", run_id)
            world.airflow.trigger("once_remade", run_id)
    assert world.submits("remade", "upload") == 2
    assert [path.suffix for path in world.stored.iterdir()].count(".tmp") == 0
