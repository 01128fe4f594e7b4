# SPDX-License-Identifier: Apache-2.0
"""What a DAG says about its own end, and whether it ended so.

A DAG whose tasks all succeed says nothing. One that is there to show a failure carries tags:
``expect:<task_id>=<state>`` for a task (for each instance of a mapped one) and ``expect:run=<state>`` for the
run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_TAG = re.compile(r"expect:(?P<what>[^=]+)=(?P<state>\w+)")

#: In a tag: the run and not a task.
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
    """Something that did not end as the DAG says.

    :param text: what, and what was expected
    :param task: the task instance it is about; None for the run or a tag
    """

    text: str
    task: Task | None = None


def surprises(run: Run, tags: Iterable[str]) -> list[Surprise]:
    """Compare a run that has ended with what its DAG says.

    :param run: the run
    :param tags: all tags of its DAG
    :return: what is not as it should be; nothing if all is well
    """
    expected = {match["what"]: match["state"] for match in map(_TAG.fullmatch, tags) if match}
    run_state = expected.pop(_RUN, "success")
    found = [
        Surprise(f"{task.dag_id}.{task.label} ended as {task.state}, expected was {wanted}", task)
        for task in run.tasks
        if task.state != (wanted := expected.get(task.task_id, "success"))
    ]
    for task_id in sorted(expected.keys() - {task.task_id for task in run.tasks}):
        found.append(Surprise(f"{run.dag_id}: a tag expects something of {task_id}, which is no task of it"))
    if run.state != run_state:
        found.append(Surprise(f"{run.dag_id}: the run ended as {run.state}, expected was {run_state}"))
    return found
