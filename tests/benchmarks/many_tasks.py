# SPDX-License-Identifier: Apache-2.0
"""A real Airflow that is given many short jobs at once, and what is seen of a run: its tasks, its jobs, its cost.

How far a run is, and which triggerer has which wait, is read from Airflow's database: the API server, which all tasks
talk to, is left alone meanwhile.
"""

from __future__ import annotations

import compileall
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil
import psycopg2
from measure import Cpu
from processes import Groups

import airflow_cloudjobs
from airflow_cloudjobs.demo.local_airflow import LocalAirflow, command_of
from airflow_cloudjobs.localcloud.accounts import DEFAULT_HUAWEI_REGION, project_id
from airflow_cloudjobs.localcloud.connections import huawei_connection
from airflow_cloudjobs.localcloud.control import Control

sys.path.append(str(Path(__file__).parents[1]))

from support.executors import Executor, executor
from support.own_postgres import Postgres
from support.own_server import OwnServer

PACKAGE = Path(airflow_cloudjobs.__file__).parent
DAGS = Path(__file__).parent / "dags"
API = "dli.sql_job"
PROJECT = project_id(DEFAULT_HUAWEI_REGION)
HOST = "127.0.0.1"

#: Airflow's own values again, which a local Airflow has shortened, and room for all tasks at once.
SETTINGS = {
    "CORE__MAX_ACTIVE_TASKS_PER_DAG": "100000",
    "CORE__MAX_MAP_LENGTH": "100000",
    "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
    "SCHEDULER__JOB_HEARTBEAT_SEC": "5",
    "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "5",
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
    "SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "15",
    "TRIGGERER__JOB_HEARTBEAT_SEC": "5",
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "5",
}

#: Seconds between two looks at a run, at the memory of all processes, and between two lines about it.
LOOK, WEIGH, TELL = 1.0, 10.0, 20.0


@dataclass
class World:
    """Airflow and a local cloud, running.

    :param executor: Airflow's executor.
    :param airflow: Airflow.
    :param control: the cloud's control.
    :param database: Airflow's, in the form of its own driver.
    :param groups: all processes.
    """

    executor: Executor
    airflow: LocalAirflow
    control: Control
    database: str
    groups: Groups


@dataclass
class Seen:
    """What a run looked like while it went on.

    :param triggerers: wait -> the triggerer that had it last.
    :param moved: waits that went from one triggerer to another.
    :param memory: group -> the most bytes that it held, resident (RSS) and shared out (PSS).
    """

    triggerers: dict[int, int] = field(default_factory=dict)
    moved: set[int] = field(default_factory=set)
    memory: dict[str, tuple[int, int]] = field(default_factory=dict)

    def note_triggers(self, rows: list[tuple[int, int]]) -> None:
        """Note which triggerer has which wait."""
        for trigger, triggerer in rows:
            if self.triggerers.setdefault(trigger, triggerer) != triggerer:
                self.moved.add(trigger)
                self.triggerers[trigger] = triggerer

    def note_memory(self, held: Mapping[str, tuple[int, int]]) -> None:
        """Note the most that each group has held."""
        for group, (rss, pss) in held.items():
            most = self.memory.get(group, (0, 0))
            self.memory[group] = (max(most[0], rss), max(most[1], pss))

    @property
    def shares(self) -> list[int]:
        """How many waits each triggerer had, the most first."""
        return sorted(Counter(self.triggerers.values()).values(), reverse=True)


@contextmanager
def world(name: str, workers: int, variables: Mapping[str, str] | None = None) -> Iterator[World]:
    """Everything up and running.

    :param name: that of the executor, one of :data:`support.executors.NAMES`.
    :param workers: tasks at a time.
    :param variables: further environment variables of Airflow.
    """
    # As pip compiles what it installs; no task writes what it has compiled.
    compileall.compile_dir(str(PACKAGE), quiet=1)
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres())
        clouds = stack.enter_context(LocalClouds())
        chosen = stack.enter_context(executor(name, postgres, workers))
        roots = {"database": [postgres.pid], "local cloud": [clouds.pid]}
        if chosen.redis:
            roots["redis"] = [chosen.redis.pid]
        airflow = stack.enter_context(
            LocalAirflow(
                DAGS,
                connections={
                    "huaweicloud_default": huawei_connection(HOST, clouds.port),
                    "huaweicloud_project_id": huawei_connection(HOST, clouds.port, project_id=PROJECT),
                },
                components=chosen.components,
                sql_alchemy_conn=postgres.url,
                env={f"AIRFLOW__{key}": value for key, value in {**SETTINGS, **chosen.settings}.items()}
                | dict(variables or {}),
                progress=lambda line: say(f"{name}: {line}"),
            )
        )
        airflow.wait_for_dags(timeout=180)
        for component in chosen.components:
            group = "worker" if component == "celery worker" else command_of(component)
            roots.setdefault(group, []).append(airflow.processes[component].pid)
        there = World(
            chosen,
            airflow,
            clouds.control,
            postgres.url.replace("+psycopg2", ""),
            Groups(roots, {"scheduler": "worker"} if chosen.starts_tasks == "scheduler" else {}),
        )
        # All workers are there then. A triggerer builds its part of Airflow's API when it is first asked to store
        # something, and does nothing else meanwhile: on a busy machine for so long that another takes its waits over.
        run(there, "end_from_trigger", 2 * workers, f"{name}, to warm up")
        yield there


class LocalClouds(OwnServer):
    """The local clouds in a process of their own."""

    @property
    def control(self) -> Control:
        """What tells and asks them."""
        return Control(f"http://{HOST}:{self.port}")

    def _command(self) -> Sequence[str]:
        return [sys.executable, "-m", "airflow_cloudjobs.localcloud", "--port", str(self.port)]

    def _answers(self) -> bool:
        try:
            return bool(self.control.settings())
        except OSError:
            return False


def run(there: World, way: str, tasks: int, what: str) -> dict[str, Any]:
    """One run, from its start to its last task's end.

    :param way: the DAG.
    :param tasks: how many.
    :param what: how the lines about it begin.
    :return: its figures.
    """
    there.control.reset()
    seen, before, watching = Seen(), there.groups.cpu(), Cpu()
    run_id = there.airflow.trigger(way, {"jobs": tasks})
    _watch(there, way, run_id, tasks, seen, what)
    spent = there.groups.cpu() - before
    spent["this benchmark"] = watching.seconds
    instances = [one for one in there.airflow.task_instances(way, run_id) if one["task_id"] == "job"]
    jobs, stats = there.control.jobs(API), there.control.stats(0)
    calls = {name: counts["calls"] for name, counts in stats["operations"].items()}
    by_number = Counter(_number(job) for job in jobs)
    ended = {_number(job): job["started"] + job["age"] for job in jobs}
    late = [_time(one["end_date"]) - ended[one["map_index"]] for one in instances if one["state"] == "success"]
    polls = sum(
        count for name, count in calls.items() if name in ("ShowSqlJobStatus", "ShowSqlJobDetail", "ListSqlJobs")
    )
    return {
        "tasks red": sum(one["state"] != "success" for one in instances),
        "state mismatches": len(there.airflow.events("state mismatch", way, run_id)),
        "submits": sum(stats["submits"].values()),
        "jobs doubled": sum(count - 1 for count in by_number.values()),
        "jobs cancelled": sum(stats["cancels"].values()),
        "polls a job": polls / tasks,
        "seconds, first to last": max(_time(one["end_date"]) for one in instances)
        - min(_time(one["start_date"]) for one in instances),
        "seconds from a job's end to its task's, median": median(late),
        "seconds from a job's end to its task's, p99": quantiles(late, n=100)[98],
        "waits that moved": len(seen.moved),
        "waits of each triggerer": seen.shares,
        "cpu seconds": dict(sorted(spent.items())),
        "peak RSS, MiB": {group: held[0] / 2**20 for group, held in sorted(seen.memory.items())},
        "peak PSS, MiB": {group: held[1] / 2**20 for group, held in sorted(seen.memory.items())},
        "calls": calls,
    }


def _watch(there: World, way: str, run_id: str, tasks: int, seen: Seen, what: str) -> None:
    """Look at a run until it has ended."""
    began = told = time.monotonic()
    weighed = -WEIGH
    limit = 900.0 + 5.0 * tasks
    with closing(psycopg2.connect(there.database)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        while True:
            cursor.execute("SELECT id, triggerer_id FROM trigger WHERE triggerer_id IS NOT NULL")
            seen.note_triggers(cursor.fetchall())
            now = time.monotonic()
            if now - weighed >= WEIGH:
                weighed = now
                seen.note_memory(there.groups.memory())
            cursor.execute("SELECT state FROM dag_run WHERE dag_id = %s AND run_id = %s", (way, run_id))
            ended = cursor.fetchone()[0] in ("success", "failed")
            if ended or now - told >= TELL:
                told = now
                cursor.execute(
                    "SELECT coalesce(state, 'none'), count(*) FROM task_instance"
                    " WHERE dag_id = %s AND run_id = %s AND task_id = 'job' GROUP BY 1 ORDER BY 1",
                    (way, run_id),
                )
                say(f"{what}: {now - began:.0f} s: {', '.join(f'{count} {state}' for state, count in cursor)}")
            if ended:
                break
            there.airflow.check()
            if now - began > limit:
                raise TimeoutError(f"{what}: the run has not ended after {limit:.0f} s")
            time.sleep(LOOK)


def machine(there: World) -> dict[str, Any]:
    """What the figures are from."""
    names = ("apache-airflow", "apache-airflow-providers-celery", "airflow-provider-cloudjobs")
    with closing(psycopg2.connect(there.database)) as connection:
        database = connection.get_parameter_status("server_version").split()[0]
    return {
        "cores": os.cpu_count(),
        "memory GiB": psutil.virtual_memory().total / 2**30,
        "Python": platform.python_version(),
        **{name: version(name) for name in names},
        "PostgreSQL": database,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def say(line: str) -> None:
    """A line about what goes on."""
    print(line, file=sys.stderr, flush=True)


def _number(job: Mapping[str, Any]) -> int:
    return int(str(job["fields"]["sql"]).split()[1])


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
