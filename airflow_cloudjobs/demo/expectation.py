# SPDX-License-Identifier: Apache-2.0
"""How the runs of a folder of DAGs are expected to end, and whether they did.

What is not said is expected to succeed. For a DAG that is there to show a failure the file :data:`FILE` of the folder
says so: DAG id -> task id (of a mapped task it means each instance), or ``run`` for the run -> Airflow's state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = "expected.json"

#: In the file: the run and not a task.
_RUN = "run"


@dataclass(frozen=True)
class Task:
    """One task instance at one moment.

    :param dag_id: its DAG
    :param run_id: its run
    :param task_id: its task
    :param map_index: index of a mapped task's instance, -1 for a task that is not mapped
    :param state: Airflow's state; ``none`` before it is scheduled
    :param try_number: number of the current try, 0 before the first
    :param seconds: how long it has run, None before it starts
    :param operator: class name of its operator
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str
    try_number: int
    seconds: float | None
    operator: str

    @property
    def label(self) -> str:
        """The task as people write it: ``copy`` or, mapped, ``copy[2]``."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


@dataclass(frozen=True)
class Run:
    """One DAG run at one moment.

    :param dag_id: its DAG
    :param run_id: its id
    :param state: Airflow's state
    :param tasks: its task instances
    """

    dag_id: str
    run_id: str
    state: str
    tasks: Sequence[Task]


@dataclass(frozen=True)
class Surprise:
    """Something that did not end as expected.

    :param text: what, and what was expected
    :param task: the task instance it is about; None for the run or the file
    """

    text: str
    task: Task | None = None


def expected_in(folder: Path) -> dict[str, dict[str, str]]:
    """Read what a folder of DAGs says of their ends.

    :param folder: the folder
    :return: DAG id -> task id, or ``run`` -> state; empty if there is no such file
    :raises ValueError: the file is no JSON
    """
    file = folder / FILE
    expected: dict[str, dict[str, str]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return expected


def surprises(run: Run, expected: Mapping[str, str]) -> list[Surprise]:
    """Compare a run that has ended with how it was expected to end.

    :param run: the run
    :param expected: task id, or ``run`` -> state, where it is not success
    :return: what is not as it should be; nothing if all is well
    """
    states = dict(expected)
    run_state = states.pop(_RUN, "success")
    found = [
        Surprise(f"{task.dag_id}.{task.label} ended as {task.state}, expected was {wanted}", task)
        for task in run.tasks
        if task.state != (wanted := states.get(task.task_id, "success"))
    ]
    for task_id in sorted(states.keys() - {task.task_id for task in run.tasks}):
        found.append(Surprise(f"{run.dag_id}: {FILE} expects something of {task_id}, which is no task of it"))
    if run.state != run_state:
        found.append(Surprise(f"{run.dag_id}: the run ended as {run.state}, expected was {run_state}"))
    return found
