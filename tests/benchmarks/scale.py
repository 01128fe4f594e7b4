# SPDX-License-Identifier: Apache-2.0
"""1,000 mapped tasks with jobs of 1 to 20 s on a real Airflow: LocalExecutor, and Celery with two of everything.

PostgreSQL both times; one scheduler and one triggerer beside LocalExecutor; redis, one worker, two schedulers and two
triggerers beside CeleryExecutor. Each repetition is a run of one DAG on the same Airflow. Run by ``make scale``; the
tables of docs/sizing.md are made of the figures by ``sizing_page.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

import measure
from many_tasks import World, machine, run, say, world
from measure import Report
from support.executors import NAMES

from airflow_cloudjobs.demo.local_airflow import command_of


def figures(runs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[float]]]:
    """Each figure that is a number, or a group's, with its value of each repetition."""
    for name, first in runs[0].items():
        if isinstance(first, Mapping):
            for group in dict.fromkeys(group for each in runs for group in each[name]):
                yield f"{name}: {group}", [float(each[name].get(group, 0)) for each in runs]
        elif not isinstance(first, Sequence):
            yield name, [float(each[name]) for each in runs]


def busier(run: Mapping[str, Any]) -> float:
    """The share of a run's waits that the triggerer with the most of them had."""
    shares = run["waits of each triggerer"]
    return float(max(shares) / sum(shares)) if shares else 0.0


def tell(report: Report, executor: str, there: World, tasks: int, runs: Sequence[Mapping[str, Any]]) -> None:
    """The table of an executor's runs, and the budgets."""
    for name, values in [*figures(runs), ("share of the busier triggerer", [busier(each) for each in runs])]:
        spread = stdev(values) if len(values) > 1 else 0.0
        report.row(executor=executor, figure=name, mean=fmean(values), min=min(values), max=max(values), sd=spread)
    for name in ("tasks red", "state mismatches", "jobs doubled", "jobs cancelled"):
        report.budget(f"{executor}: {name}", max(each[name] for each in runs), at_most=0)
    for name, worst in (("at most", max), ("at least", min)):
        report.budget(
            f"{executor}: submits", worst(each["submits"] for each in runs), **{name.replace(" ", "_"): tasks}
        )
    if sum(command_of(name) == "triggerer" for name in there.executor.components) > 1:
        # Of one run it is Airflow's affair: who has more to do asks more often, and whoever asks takes what is new.
        report.budget(f"{executor}: share of the busier triggerer, mean", fmean(map(busier, runs)), at_most=0.6)


def main() -> int:
    """Run it."""
    told = measure.options(
        __doc__,
        tasks=(1000, "mapped tasks"),
        repetitions=(5, "runs with each executor"),
        executor=("", f"{' or '.join(NAMES)}; both by default"),
        workers=(16, "tasks at a time"),
    )
    tasks, repetitions = (60, 2) if told.quick else (told.tasks, told.repetitions)
    report = Report("scale", f"{tasks} mapped tasks, jobs of 1-20 s, {repetitions} runs, {told.workers} workers")
    report.raw |= {"tasks": tasks, "workers": told.workers, "load before": measure.load(), "runs": {}}
    for executor in [told.executor] if told.executor else NAMES:
        with world(executor, told.workers) as there:
            report.raw["machine"] = machine(there)
            runs = report.raw["runs"][executor] = []
            for number in range(1, repetitions + 1):
                runs.append(run(there, "deferrable", tasks, f"{executor} {number} of {repetitions}"))
                say(f"{executor} {number} of {repetitions}: {runs[-1]}")
                report.save(told)  # whoever stops it keeps the runs that have ended
            tell(report, executor, there, tasks, runs)
    report.note(", ".join(f"{name} {measure.shown(value)}" for name, value in report.raw["machine"].items()))
    report.note(f"load average before the start: {measure.shown(report.raw['load before'])}")
    return report.finish(told)


if __name__ == "__main__":
    sys.exit(main())
