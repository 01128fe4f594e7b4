# SPDX-License-Identifier: Apache-2.0
"""What came of the jobs in the end: what the clouds have counted, held against what Airflow says. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from airflow_cloudjobs.demo.expectation import Task

Json = Mapping[str, Any]

#: Airflow's audit log: a task has begun on a worker. Whatever it writes next of the task ends that.
_BEGUN = "running"


@dataclass(frozen=True)
class Account:
    """The closing account of a demo.

    :param jobs: jobs that the results of tasks name, each once
    :param submits: jobs that the clouds have been given
    :param lost: jobs in the clouds that no result names
    :param false_greens: results of green tasks whose job has not succeeded
    :param waited: seconds from the first start to the end of all tasks with jobs, added up
    :param on_worker: how many of them such a task was on a worker
    """

    jobs: int
    submits: int
    lost: int
    false_greens: int
    waited: float
    on_worker: float

    @property
    def is_right(self) -> bool:
        """Tell whether each job was submitted once, is known, and ended as its task says."""
        return 0 < self.jobs == self.submits and not self.lost and not self.false_greens

    def __str__(self) -> str:
        return (
            f"{self.jobs} jobs, {self.submits} submits, {self.lost} lost, {self.false_greens} false greens; "
            f"waited {self.waited:.0f} s, of them {self.on_worker:.0f} s on a worker"
        )


def account(
    results: Mapping[Task, Sequence[Json]], jobs: Iterable[Json], submits: int, events: Iterable[Json]
) -> Account:
    """Draw up the account.

    :param results: the jobs' results in the XCom of each task
    :param jobs: the clouds' jobs, as the control API lists them
    :param submits: how many jobs the clouds have been given
    :param events: Airflow's audit log of the runs
    """
    results = {task: list(_with_following(found)) for task, found in results.items()}
    # By the key alone: an API that a DAG declares has another id than that of the clouds.
    named = {(result["api"], result["job_key"]) for found in results.values() for result in found}
    keys = {key for _, key in named}
    cloud = list(jobs)
    succeeded = {job["key"] for job in cloud if job["succeeded"]}
    green = [result for task, found in results.items() for result in found if task.state == "success"]
    waited, on_worker = _times(events, {_instance(task) for task, found in results.items() if found})
    return Account(
        jobs=len(named),
        submits=submits,
        lost=sum(job["key"] not in keys for job in cloud),
        false_greens=sum(_is_false(result, succeeded) for result in green),
        waited=waited,
        on_worker=on_worker,
    )


def _with_following(results: Iterable[Json]) -> Iterator[Json]:
    """Each result, and after it that of the job which has followed its own."""
    for result in results:
        yield result
        for value in (result.get("result") or {}).values():
            if isinstance(value, Mapping) and "job_key" in value:
                yield {"api": result["api"], **value}


def _is_false(result: Json, succeeded: Container[str]) -> bool:
    """Tell whether the result of a green task promises too much; one that is not waited for promises nothing."""
    if result["outcome"] == "submitted":
        return False
    return result["outcome"] != "succeeded" or result["job_key"] not in succeeded


_Instance = tuple[str, str, str, int]


def _instance(task: Task) -> _Instance:
    return (task.dag_id, task.run_id, task.task_id, task.map_index)


def _times(events: Iterable[Json], instances: Container[_Instance]) -> tuple[float, float]:
    """Add up how long task instances took, and how long of that they were on a worker, in seconds."""
    moments: dict[_Instance, list[tuple[datetime, str]]] = {}
    for event in events:
        where = (event["dag_id"], event["run_id"], event["task_id"], event["map_index"])
        if where in instances:
            moments.setdefault(where, []).append((datetime.fromisoformat(event["when"]), event["event"]))
    waited = on_worker = 0.0
    for each in map(sorted, moments.values()):
        waited += (each[-1][0] - each[0][0]).total_seconds()
        on_worker += sum(
            (after - begun).total_seconds() for (begun, what), (after, _) in pairwise(each) if what == _BEGUN
        )
    return waited, on_worker
