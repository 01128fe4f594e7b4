# SPDX-License-Identifier: Apache-2.0
"""What one change does to 200 mapped tasks with jobs of 1 to 20 s, on LocalExecutor: an argument or a setting each."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import measure
from many_tasks import machine, run, say, world
from measure import Report

#: Where a file is that has Airflow import the operators before it forks its workers.
PRELOADING = str(Path(__file__).parents[1] / "settings")

#: What the tasks are by default.
AS_IT_IS = "as it is"

#: Airflow's workers (as a part of the default) and its settings -> what is changed -> the DAG.
CHANGES: Sequence[tuple[float, Mapping[str, str], Mapping[str, str]]] = (
    (
        *(1.0, {}),
        {
            AS_IT_IS: "deferrable",
            "`end_from_trigger=True`": "end_from_trigger",
            "`deferrable=False`": "blocking",
            "`project_id` in the connection": "project_id",
        },
    ),
    (
        *(1.0, {"PYTHONPATH": os.pathsep.join(filter(None, (PRELOADING, os.environ.get("PYTHONPATH"))))}),
        {"operators imported before workers are forked": "deferrable"},
    ),
    (0.5, {}, {"`parallelism` halved": "deferrable"}),
)


def figures(runs: Sequence[Mapping[str, Any]], tasks: int) -> dict[str, float]:
    """The means of what a change may change."""

    def mean(name: str) -> float:
        return fmean(float(each[name]) for each in runs)

    return {
        "red": mean("tasks red"),
        "seconds": mean("seconds, first to last"),
        "seconds_after_a_job": mean("seconds from a job's end to its task's, median"),
        "worker_cpu_s_a_task": fmean(each["cpu seconds"]["worker"] for each in runs) / tasks,
        "all_cpu_s_a_task": fmean(sum(each["cpu seconds"].values()) for each in runs) / tasks,
        "worker_pss_mib": fmean(each["peak PSS, MiB"]["worker"] for each in runs),
        "calls_a_job": fmean(sum(each["calls"].values()) for each in runs) / tasks,
    }


def main() -> int:
    """Run it."""
    told = measure.options(
        __doc__,
        tasks=(200, "mapped tasks"),
        repetitions=(2, "runs with each change"),
        workers=(16, "tasks at a time"),
    )
    tasks, repetitions = (30, 1) if told.quick else (told.tasks, told.repetitions)
    report = Report("scale, settings", f"{tasks} mapped tasks, jobs of 1-20 s, {repetitions} runs each")
    report.raw |= {"tasks": tasks, "workers": told.workers, "load before": measure.load(), "runs": {}}
    for part, settings, ways in CHANGES:
        with world("local", round(part * told.workers), settings) as there:
            report.raw["machine"] = machine(there)
            for change, way in ways.items():
                runs = [run(there, way, tasks, f"{change}, {number + 1}") for number in range(repetitions)]
                report.raw["runs"][change] = runs
                report.row(change=change, **figures(runs, tasks))
                say(f"{change}: {report.rows[-1]}")
                report.budget(f"{change}: tasks red", max(each["tasks red"] for each in runs), at_most=0)
    return report.finish(told)


if __name__ == "__main__":
    sys.exit(main())
