# SPDX-License-Identifier: Apache-2.0
"""Watching DAG runs until all have ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow_cloudjobs.demo.expectation import Run, Task
from airflow_cloudjobs.demo.local_airflow import ENDED_RUN, LocalAirflow

#: Seconds between two looks. A look is two requests, however many runs there are.
_PAUSE = 0.5

#: State of a run that is not there yet.
AWAITED = "waiting for its asset"


def watch(
    airflow: LocalAirflow,
    runs: Mapping[str, str],
    seen: Callable[[Sequence[Run]], None],
    limit: float,
) -> list[Run]:
    """Look at runs until all have ended or the time is up.

    :param airflow: where they run
    :param runs: DAG id -> run id; empty for the run that an asset is to start
    :param seen: called with what each look shows
    :param limit: seconds
    :return: the last look; a run that has not ended is in another state than ``success`` and ``failed``
    :raises ComponentDied: if a process of Airflow ends meanwhile
    """
    until = time.monotonic() + limit
    while True:
        airflow.check()
        last = _look(airflow, runs)
        seen(last)
        if all(run.state in ENDED_RUN for run in last) or time.monotonic() > until:
            return last
        time.sleep(_PAUSE)


def _look(airflow: LocalAirflow, runs: Mapping[str, str]) -> list[Run]:
    # The states of the runs come first: the tasks of a run that has ended then are at their end as well.
    states = {(row["dag_id"], row["dag_run_id"]): str(row["state"]) for row in airflow.runs()}
    begun = dict(reversed(states))
    runs = {dag_id: run_id or begun.get(dag_id, "") for dag_id, run_id in runs.items()}
    tasks: dict[tuple[str, str], list[Task]] = {key: [] for key in runs.items()}
    for row in sorted(airflow.task_instances(), key=_start):
        if (key := (row["dag_id"], row["dag_run_id"])) in tasks:
            tasks[key].append(_task(row))
    return [Run(*key, states.get(key, AWAITED), tasks[key]) for key in runs.items()]


def _task(row: dict[str, Any]) -> Task:
    return Task(
        dag_id=row["dag_id"],
        run_id=row["dag_run_id"],
        task_id=row["task_id"],
        map_index=row["map_index"],
        state=row["state"] or "none",
        try_number=row["try_number"],
        seconds=_seconds(row["start_date"], row["end_date"]),
        operator=row["operator_name"] or "",
    )


def _seconds(start: str | None, end: str | None) -> float | None:
    if start is None:
        return None
    until = datetime.fromisoformat(end) if end else datetime.now(UTC)
    return max(0.0, (until - datetime.fromisoformat(start)).total_seconds())


def _start(row: dict[str, Any]) -> tuple[bool, str, str, int]:
    """Order by the time of the start; those that have not started come last."""
    return (row["start_date"] is None, row["start_date"] or "", row["task_id"], row["map_index"])
