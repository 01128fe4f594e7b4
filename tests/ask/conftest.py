# SPDX-License-Identifier: Apache-2.0
"""One Airflow and the clouds, for tasks that ask people."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_cloudjobs.demo.local_airflow import LocalAirflow
from airflow_cloudjobs.localcloud import LocalCloud

DAGS = Path(__file__).parent / "dags"

ASKING = {"awaiting_input", "deferred"}
ENDED = {"success", "failed"}

UPLOAD = "dms.file_upload"
TEMPLATE = "drs.object_template"


class World:
    """Airflow, the clouds, and the person who answers.

    :param airflow: Airflow.
    :param cloud: the clouds.
    :param folder: where files for uploads are put.
    """

    def __init__(self, airflow: LocalAirflow, cloud: LocalCloud, folder: Path) -> None:
        self.airflow, self.control = airflow, cloud.control
        self._folder = folder
        self._numbers = itertools.count(1)

    def start(self, dag_id: str, *, unanswered: int = 1) -> Run:
        """Start a run whose first submits are taken by the cloud, and get no answer.

        :param unanswered: how many of them.
        """
        word = f"word{next(self._numbers):03}"
        file = self._folder / f"{word}.json"
        file.write_text('{"tables": ["orders"]}')
        if dag_id == "template":
            self.control.create_job("drs.job", f"{word}-task")
        self.control.fault("reset", "submit", after_commit=True, count=unanswered)
        conf = {"word": word, "key": f"{word}-task", "file": str(file)}
        return Run(self, dag_id, self.airflow.trigger(dag_id, conf), word)


class Run:
    """One run of a DAG with the one task ``job``.

    :param world: where it runs.
    :param dag_id: the DAG.
    :param run_id: the run.
    :param word: a word that only its jobs have in their input.
    """

    def __init__(self, world: World, dag_id: str, run_id: str, word: str) -> None:
        self.world, self.dag_id, self.run_id, self.word = world, dag_id, run_id, word
        self._airflow = world.airflow

    def until(self, what: str, seen: Callable[[], Any], timeout: float = 90.0) -> Any:
        """The first value that is not empty."""
        end = time.monotonic() + timeout
        while not (value := seen()):
            assert time.monotonic() < end, f"not seen: {what}\n{self.log()}"
            time.sleep(0.3)
        return value

    def task(self, *states: str, map_index: int = -1) -> dict[str, Any]:
        """The task, once it is in one of some states."""
        return self._airflow.wait_for_task(self.dag_id, self.run_id, "job", states, timeout=90, map_index=map_index)

    def question(self, map_index: int = -1) -> dict[str, Any]:
        """What the task asks, once it has left its worker for that."""
        found: dict[str, Any] = self.until("a question", lambda: self._question(map_index))
        return found

    def _question(self, map_index: int) -> dict[str, Any] | None:
        details = self._airflow.required_actions(self.dag_id, self.run_id)
        mine = [one for one in details if one["task_instance"]["map_index"] == map_index]
        return next((one for one in mine if one["task_instance"]["state"] in ASKING), None)

    def answer(self, choice: str, *, key: str = "", map_index: int = -1) -> None:
        """Choose, as a person does on the page who has read it: later than Airflow has seen the task leave."""
        self.question(map_index)
        time.sleep(READING)
        self._respond(choice, key, map_index)

    def respond_late(self, choice: str, *, key: str = "") -> None:
        """Choose on a page that was opened before the task stopped asking."""
        self._respond(choice, key, -1)

    def _respond(self, choice: str, key: str, map_index: int) -> None:
        self._airflow.respond(self.dag_id, self.run_id, "job", choice, {"job_key": key} if key else {}, map_index)

    def ended(self, map_index: int = -1) -> str:
        """The state in which the task has ended."""
        return str(self.task(*ENDED, map_index=map_index)["state"])

    def jobs(self, api: str = UPLOAD) -> list[str]:
        """The keys of the jobs that the cloud has taken for this run, oldest first."""
        return [job["key"] for job in self.world.control.jobs(api) if self.word in str(job)]

    def xcom(self, key: str, map_index: int = -1) -> Any:
        """An XCom of the task."""
        return self._airflow.xcom(self.dag_id, self.run_id, "job", key, map_index)

    def clear(self) -> None:
        """Clear the task."""
        self._airflow.clear(self.dag_id, self.run_id, ["job"])

    def log(self) -> str:
        """The log of all attempts."""
        tries = [
            (number, one["map_index"])
            for one in self._airflow.task_instances(self.dag_id, self.run_id)
            for number in range(1, one["try_number"] + 1)
        ]
        return "\n".join(self._airflow.log(self.dag_id, self.run_id, "job", *each) for each in tries)


READING = 8.0
"""Seconds for which a person reads before choosing."""


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with LocalCloud(job_seconds=2.0, stale_seconds=1.0) as cloud:
        connections = {
            "alibabacloud_default": cloud.alibaba_connection(),
            "huaweicloud_default": cloud.huawei_connection(),
        }
        with LocalAirflow(DAGS, connections=connections) as airflow:
            airflow.log_in()
            airflow.wait_for_dags(["upload", "retried", "limited", "mapped", "template"], timeout=120)
            yield World(airflow, cloud, tmp_path_factory.mktemp("files"))
