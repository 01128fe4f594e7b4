# SPDX-License-Identifier: Apache-2.0
"""What the cases act on: both clouds, a real Airflow on PostgreSQL, and the tasks they start there."""

from __future__ import annotations

import itertools
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import psutil
from fault_cases import DATA, DLI, DMS_EXPORT, DRS, PLACES, REPEATED, apis_of, expected_of
from fault_table import Row, Seen, drawn
from support import jobapis
from support.executors import Executor, executor
from support.own_postgres import Postgres
from support.seen import jobs_of, taken

from airflow_cloudjobs.apis import declared_api
from airflow_cloudjobs.demo.kills import end_worker, end_worker_of
from airflow_cloudjobs.demo.local_airflow import LocalAirflow, command_of
from airflow_cloudjobs.demo.rest import AirflowProblem
from airflow_cloudjobs.localcloud import LocalCloud
from airflow_cloudjobs.localcloud.accounts import ALIBABA_ROLE_ARN

HERE = Path(__file__).parent

_CALLS = {api: declared_api(api).calls for api in DATA}

#: api -> the vendor's name of its submit, and of its cancel if there is one.
SUBMITS = {
    **{api.api: api.submit for api in jobapis.APIS},
    **{api: calls["submit"].operation for api, calls in _CALLS.items()},
}
CANCELS = {
    DLI: "CancelSqlJob",
    **{api: calls["cancel"].operation for api, calls in _CALLS.items() if "cancel" in calls},
}

#: A job that lasts until the case ends it.
FOR_LONG = 3600.0

#: Seconds without a heartbeat after which a supervised scheduler is ended, far more than a busy one needs.
LONG_SILENT = 30.0

#: Seconds that one may take more when it has just been started.
TO_START = 60.0

#: Logs of a mapped task that are read.
MOST_LOGS = 5

#: Room for all tasks of a case at once, on a machine that so many workers keep busy.
PATIENT = {
    "CORE__PARALLELISM": "24",
    "CORE__MAX_ACTIVE_TASKS_PER_DAG": "400",
    "CORE__MAX_ACTIVE_RUNS_PER_DAG": "64",
    # A worker asks an API server that is away for a time longer than by default, and looks more often.
    "WORKERS__EXECUTION_API_RETRIES": "15",
    "WORKERS__EXECUTION_API_RETRY_WAIT_MIN": "0.2",
    "WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "3",
    "WORKERS__EXECUTION_API_TIMEOUT": "20",
}

#: The same, and all that Airflow waits for before it takes a process for dead, a tenth to a twentieth of its defaults.
QUICK = {
    **PATIENT,
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "2",
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
}

T = TypeVar("T")


class NotSo(AssertionError):
    """Something that a case needs did not come about in time."""


def jobs_taken(api: str, posts: Sequence[Mapping[str, Any]]) -> int:
    """How many jobs the cloud has started for calls of a submit that it has taken.

    :param api: the API.
    :param posts: the calls, as ``seen.taken`` lists them.
    """
    # Of the others each call starts one, also where all of them are known by the same key, as DRS imports are.
    return len({tuple(post["keys"]) for post in posts} if api in REPEATED else posts)


class World:
    """Both clouds and Airflow.

    :param cloud: the clouds.
    :param postgres: Airflow's database.
    :param executor: Airflow's executor.
    :param airflow: Airflow.
    :param folder: where files for uploads are put.
    """

    def __init__(
        self, cloud: LocalCloud, postgres: Postgres, executor: Executor, airflow: LocalAirflow, folder: Path
    ) -> None:
        self.cloud = cloud
        self.control = cloud.control
        self.postgres = postgres
        self.executor = executor
        self.airflow = airflow
        self._folder = folder
        self._numbers = itertools.count(1)
        self.launched: list[Row] = []
        """The tasks of the case."""
        self._supervised = False
        self._seen: dict[str, float] = {}

    def reset(self) -> None:
        """Make the clouds as new, and Airflow well whatever the case before has left."""
        self.control.reset()
        self.launched.clear()
        with self.supervised():
            self.until(lambda: not self.airflow.idle(), 180.0, lambda: f"no sign of {self.airflow.idle()}")

    # Tasks

    def launch(
        self,
        case: str,
        api: str,
        way: str,
        *,
        seconds: float | None = FOR_LONG,
        end: str = "success",
        conn: str = "",
        jobs: int = 1,
    ) -> Row:
        """Start a task, of which is expected what :mod:`fault_cases` declares.

        :param case: what will happen to it.
        :param api: its API.
        :param way: how it waits; one that waits for a job that exists is given one.
        :param seconds: how long its jobs last; None where their input says so.
        :param end: how they end.
        :param conn: end of the name of the connection, if it is not the default one.
        :param jobs: how many, for the mapped DAG.
        """
        number = next(self._numbers)
        expected = expected_of(case, way, api)
        expected = replace(expected, submits=expected.submits * jobs)
        row = Row(case, api, way, f"word{number:04d}", expected, tasks=jobs)
        if way.startswith(("sensor", "adopting")):
            fields = {"OrderId": 4711} if api == DMS_EXPORT else {}
            row.key = self.control.create_job(api, f"{row.word}-key", end, seconds=seconds, fields=fields)["key"]
        elif way == "waits":
            for index in range(jobs):
                key = f"{row.word}-{index:02}"
                self.control.create_job(api, key, end, seconds=seconds, fields={"sql": f"SELECT 1 /* {key} */"})
        elif api == DRS:
            row.key = f"{row.word}-task"
            self.control.create_job("drs.job", row.key)
            (self._folder / f"{row.word}.json").write_text('{"tables": ["orders"]}')
        if seconds is not None:
            self.control.plan(api, end, seconds=seconds, match=row.word, count=None)
        conf = {
            "word": row.word,
            "key": row.key,
            "jobs": jobs,
            "folder": str(self._folder),
            "alibaba": f"alibabacloud_{conn or 'default'}",
            "huawei": f"huaweicloud_{conn or 'default'}",
        }
        row.run_id = self.airflow.trigger(row.dag_id, conf)
        self.launched.append(row)
        return row

    def launch_all(self, case: str, way: str, apis: Iterable[str] | None = None, **options: Any) -> list[Row]:
        """Start a task of each API; all that the case is declared for if none are given.

        The options are those of :meth:`launch`.
        """
        return [self.launch(case, api, way, **options) for api in apis or apis_of(case, way)]

    def tasks(self, row: Row) -> list[dict[str, Any]]:
        """The task instances of a row; one, unless it is a mapped task."""
        return self._tasks([row])[row.word]

    def instances(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The task instances of rows, asked for at once."""
        return [*itertools.chain.from_iterable(self._tasks(rows).values())]

    def _tasks(self, rows: Sequence[Row]) -> dict[str, list[dict[str, Any]]]:
        by_run = {(row.dag_id, row.run_id): row.word for row in rows}
        found: dict[str, list[dict[str, Any]]] = {row.word: [] for row in rows}
        for instance in self.airflow.task_instances():
            word = by_run.get((instance["dag_id"], instance["dag_run_id"]))
            if word and instance["task_id"].startswith("job"):
                found[word].append(instance)
        return found

    def wait_for(self, rows: Sequence[Row], *states: str, tries: int = 1, timeout: float = 90.0) -> None:
        """Wait until every task is in one of some states, in that try or a later one."""
        missing: list[str] = []

        def reached() -> bool:
            tasks = self._tasks(rows)
            missing[:] = [
                f"{row.dag_id} {row.word}: {sorted({str(task['state']) for task in tasks[row.word]})}"
                for row in rows
                if len(tasks[row.word]) < row.tasks
                or not all(task["state"] in states and task["try_number"] >= tries for task in tasks[row.word])
            ]
            return not missing

        self.until(reached, timeout, lambda: f"not yet {states}, try {tries}: {missing}")

    def wait_any(self, row: Row, state: str) -> None:
        """Wait until one of a row's tasks is in a state."""
        self.until(lambda: any(task["state"] == state for task in self.tasks(row)), 90.0, lambda: f"none is {state}")

    def wait_announced(self, rows: Sequence[Row]) -> None:
        """Wait until every task has stored the key of its job, which it tells right after."""
        silent = list(rows)

        def announced() -> bool:
            silent[:] = [row for row in silent if not self.airflow.xcom(row.dag_id, row.run_id, "job", "job_key")]
            return not silent

        self.until(announced, 90.0, lambda: f"no job is named by {[row.dag_id for row in silent]}")

    def log(self, row: Row) -> str:
        """The log of all tries of a task, of its triggers too; of many mapped ones those that did not succeed first."""
        texts = []
        for task in sorted(self.tasks(row), key=lambda task: bool(task["state"] == "success"))[:MOST_LOGS]:
            for number in range(1, task["try_number"] + 1):
                with suppress(AirflowProblem):
                    texts.append(self.airflow.log(row.dag_id, row.run_id, "job", number, task["map_index"]))
        return "\n".join(texts)

    def mismatches(self, row: Row) -> list[str]:
        """Each time that Airflow has failed a task of a row, since it took another process's end for that task's."""
        return [str(event["extra"]) for event in self.airflow.events("state mismatch", row.dag_id, row.run_id)]

    # Jobs

    def jobs(self, row: Row) -> list[dict[str, Any]]:
        """The jobs of a row, oldest first; of the uploads to a DRS task only the last."""
        return jobs_of(self.control.jobs(row.api), row.word, row.key)

    def finish(self, rows: Sequence[Row], *, newest: bool = False) -> None:
        """Let the jobs of rows succeed.

        :param newest: only the last one of each row.
        """
        for row in rows:
            for job in self.jobs(row)[-1 if newest else 0 :]:
                if not job["ended"]:
                    self.control.set_script(row.api, job["key"], "success", seconds=0.5)

    def submits(self, rows: Sequence[Row]) -> int:
        """How many jobs the cloud has taken for rows."""
        return sum(jobs_taken(row.api, self._taken(row, SUBMITS)) for row in rows)

    def wait_submitted(self, rows: Sequence[Row], count: int | None = None, timeout: float = 90.0) -> None:
        """Wait until the cloud has taken so many jobs, one a row by default."""
        wanted = len(rows) if count is None else count
        self.until(
            lambda: self.submits(rows) >= wanted, timeout, lambda: f"{self.submits(rows)} of {wanted} jobs submitted"
        )

    def each_submitted(self, rows: Sequence[Row]) -> Iterator[Row]:
        """Every row as soon as the cloud has taken its job, before the task gives up waiting for a late answer."""
        left = list(rows)
        while left:
            taken_now = self.until(
                lambda: [row for row in left if self.submits([row])],
                90.0,
                lambda: f"nothing submitted by {[row.dag_id for row in left]}",
            )
            for row in taken_now:
                left.remove(row)
                yield row

    def wait_polled(self, rows: Sequence[Row], times: int = 1, timeout: float = 90.0) -> None:
        """Wait until every row's jobs have been asked for again.

        :param times: how often.
        """
        wanted = {row.word: self._polls(row) + times for row in rows}

        def late() -> list[str]:
            return [row.dag_id for row in rows if self._polls(row) < wanted[row.word]]

        self.until(lambda: not late(), timeout, lambda: f"not polled: {late()}")

    def expire_tokens(self) -> None:
        """End every temporary credential of both clouds."""
        assert self.control.expire_keys("alibaba") > 0
        assert self.control.expire_tokens() > 0

    def wait_cancelled(self, rows: Sequence[Row]) -> None:
        """Wait until no job of rows goes on."""

        def left() -> list[str]:
            return [row.dag_id for row in rows if not all(job["ended"] for job in self.jobs(row))]

        self.until(lambda: not left(), 60.0, lambda: f"jobs go on: {left()}")

    def wait_said(self, row: Row, text: str) -> None:
        """Wait until a text is in the log of a row, or in that of a triggerer.

        Airflow writes to the latter what a trigger says once it has let go of it.
        """

        def said() -> bool:
            tails = [self.airflow.processes[name].log_tail(400) for name in self.airflow.processes if "trigger" in name]
            return any(text in log for log in (self.log(row), *tails))

        self.until(said, 90.0, lambda: f"no log says {text!r}")

    def _polls(self, row: Row) -> int:
        return sum(job["polls"] for job in self.jobs(row))

    def _taken(self, row: Row, operations: Mapping[str, str]) -> list[Mapping[str, Any]]:
        keys = [job["key"] for job in self.jobs(row)]
        return taken(self.control.stats(tail=10_000)["requests"], operations.get(row.api, ""), keys)

    # Processes

    def worker(self, row: Row) -> tuple[psutil.Process, psutil.Process]:
        """The two processes that run a task: the executor's worker, and the task itself, its child."""
        task = psutil.Process(self.tasks(row)[0]["pid"])
        worker = task.parent()
        assert worker is not None
        assert self.airflow.processes[self.executor.starts_tasks].pid in [process.pid for process in worker.parents()]
        return worker, task

    def kill_worker(self, row: Row) -> None:
        """End what runs a task at once, as the loss of its machine would."""
        assert end_worker(*self.worker(row))

    def kill_workers(self, row: Row) -> int:
        """End at once what runs tasks of a row just now.

        :return: how many.
        """
        return sum(self.kill_task(task) for task in self.running([row]))

    def running(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The task instances of rows that are on a worker."""
        return [task for task in self.instances(rows) if task["state"] == "running" and task["pid"]]

    def kill_task(self, task: Mapping[str, Any]) -> bool:
        """End at once what runs a task instance.

        :param task: the task instance, as it was a moment ago.
        :return: False if it has ended meanwhile.
        """
        return end_worker_of(task["pid"])

    def kill_celery_worker(self) -> None:
        """End Celery's worker and all that it runs at once, as the loss of its machine would."""
        worker = psutil.Process(self.airflow.processes["celery worker"].pid)
        lost = [worker, *worker.children(recursive=True)]
        for process in lost:  # or one would tell Airflow, or the cloud, of the end of another
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        self.airflow.kill("celery worker")
        self.kill(lost)

    def kill_schedulers(self) -> list[psutil.Process]:
        """End all schedulers, and those of their workers that have nothing to do.

        All of them have inherited a scheduler's connections, so the database would not see it go while one is left.

        :return: the workers that run tasks, and go on with it.
        """
        names = self.named("scheduler")
        workers = [worker for name in names for worker in psutil.Process(self.airflow.processes[name].pid).children()]
        for name in names:
            self.airflow.kill(name)
        busy = [worker for worker in workers if self._is_busy(worker)]
        self.kill([worker for worker in workers if worker not in busy])
        return busy

    def named(self, command: str) -> list[str]:
        """The names of Airflow's processes of one kind."""
        return [name for name in self.airflow.processes if command_of(name) == command]

    def kill(self, processes: Sequence[psutil.Process]) -> None:
        """End processes at once."""
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def wait_gone(self, processes: Sequence[psutil.Process], timeout: float = 60.0) -> None:
        """Wait until processes have ended, or, being workers, have nothing to do."""

        def busy() -> list[psutil.Process]:
            return [process for process in processes if self._is_busy(process)]

        self.until(lambda: not busy(), timeout, lambda: f"they still run: {busy()}")

    def _is_busy(self, process: psutil.Process) -> bool:
        with suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            title = " ".join(process.cmdline())
            # One of Celery's keeps the title of the task that it has run.
            return bool(process.children()) if "supervisor" in title or "celeryd" in title else "<idle>" not in title
        return False

    def triggerers(self, rows: Sequence[Row]) -> set[int]:
        """The ids of the triggerers that the tasks of rows are assigned to."""
        return {task["triggerer_job"]["id"] for task in self.instances(rows) if task.get("triggerer_job")}

    def waiting(self, rows: Sequence[Row]) -> Counter[str]:
        """How many tasks of rows each triggerer has."""
        return Counter(task["triggerer_job"]["unixname"] for task in self.instances(rows) if task.get("triggerer_job"))

    def triggerer(self, *rows: Row) -> str:
        """The name of the triggerer that most tasks of rows are assigned to."""
        found = self.until(lambda: self.waiting(rows), 60.0, lambda: f"no triggerer has {rows[0].dag_id}")
        return found.most_common(1)[0][0]

    def restart(self, *names: str) -> None:
        """Start some of Airflow's processes anew and wait until all are well."""
        for name in names:
            self.airflow.restart(name)
        with suppress(AirflowProblem):
            self.airflow.wait_until_healthy(120)

    @contextmanager
    def supervised(self) -> Iterator[None]:
        """Start Airflow's processes anew when they end, and a scheduler when it is silent, as Kubernetes would.

        Some end when they lose the database. A scheduler then waits for its workers first, at times for good.
        """
        self._supervised = True
        self._seen = dict.fromkeys(self.named("scheduler"), time.monotonic())
        try:
            yield
        finally:
            self._supervised = False

    def _revive(self) -> None:
        with suppress(AirflowProblem):
            idle = self.airflow.idle()
            now = time.monotonic()
            self._seen |= {name: max(seen, now) for name, seen in self._seen.items() if name not in idle}
        for name, seen in self._seen.items():
            if time.monotonic() - seen > LONG_SILENT:
                scheduler = self.airflow.processes[name]
                with suppress(psutil.NoSuchProcess):
                    process = psutil.Process(scheduler.pid)
                    self.kill([*process.children(recursive=True), process])
                scheduler.process.wait()
        for name, component in list(self.airflow.processes.items()):
            if name != "db-migrate" and not component.alive:
                self.airflow.restart(name)
                if name in self._seen:
                    self._seen[name] = time.monotonic() + TO_START

    @contextmanager
    def second_triggerer(self) -> Iterator[None]:
        """Run another triggerer meanwhile, where there is only one."""
        name = "triggerer:2"
        if name in self.airflow.processes:
            yield
            return
        self.airflow.restart(name)
        try:
            yield
        finally:
            self.airflow.kill(name, signal.SIGKILL)
            del self.airflow.processes[name]

    # The end

    def judged(self, rows: Sequence[Row]) -> list[Row]:
        """Hold what came of ended tasks against what was expected."""
        tasks = self._tasks(rows)
        for row in rows:
            jobs = self.jobs(row)
            run = self.airflow.wait_for_run(row.dag_id, row.run_id)
            posts = self._taken(row, SUBMITS)
            row.judge(
                Seen(
                    submits=jobs_taken(row.api, posts),
                    posts=len(posts),
                    cancels=len(self._taken(row, CANCELS)),
                    state="/".join(sorted({str(task["state"]) for task in tasks[row.word]})),
                    polls=sum(job["polls"] for job in jobs),
                    seconds=float(run["duration"] or 0.0),
                    succeeded=sum(job["succeeded"] for job in jobs),
                    running=sum(not job["ended"] for job in jobs),
                    log=self.log(row) if row.expected.says or row.expected.explains else "",
                )
            )
        return list(rows)

    def until(self, probe: Callable[[], T], timeout: float, complaint: Callable[[], str], longest: float = 3.0) -> T:
        """Ask until the answer is true; that Airflow does not answer meanwhile is no answer.

        The tasks ask the same API server: where its answers take long, it is asked less.

        :param probe: what to ask.
        :param timeout: seconds, generous: a failing case may wait, a good one must not fail.
        :param complaint: what is wrong if it does not come true.
        :param longest: seconds between two questions at most; few for a probe that does more than ask.
        """
        end = time.monotonic() + timeout
        while True:
            if self._supervised:
                self._revive()
            asked = time.monotonic()
            with suppress(AirflowProblem):
                if found := probe():
                    return found
            now = time.monotonic()
            if now > end:
                raise NotSo(f"{complaint()} (after {timeout:.0f} s)")
            time.sleep(min(max(0.4, 2 * (now - asked)), longest))


class Case:
    """What a case does with the world, and the rows it puts into the table.

    :param world: the world, clouds as new.
    :param table: the table.
    :param share: how much of what a case does many times is done.
    """

    def __init__(self, world: World, table: list[Row], share: float) -> None:
        self.world = world
        self._table = table
        self._share = share

    def many(self, number: int) -> int:
        """How many of a great number this run makes do with."""
        return max(1, round(number * self._share))

    def ends(self, rows: Sequence[Row], timeout: float = 150.0) -> None:
        """Wait for the end of tasks; every one of them must have come out as expected.

        :param rows: the tasks.
        :param timeout: seconds.
        """
        self._table += rows
        self.world.wait_for(rows, "success", "failed", timeout=timeout)
        bad = [row for row in self.world.judged(rows) if row.complaints]
        assert not bad, "\n".join(drawn(bad))
        names, places = {row.case for row in rows}, {(row.case, row.way, row.api) for row in rows}
        assert places == {place for place in PLACES if place[0] in names}, "declared, but not run"


@contextmanager
def running(folder: Path, settings: Mapping[str, str], name: str) -> Iterator[World]:
    """Everything up and running.

    :param folder: for files to upload.
    :param settings: Airflow's, :data:`QUICK` or :data:`PATIENT`.
    :param name: that of the executor.
    """
    with (
        Postgres() as postgres,
        LocalCloud(stale_seconds=0.2) as cloud,
        executor(name, postgres, int(settings["CORE__PARALLELISM"])) as chosen,
    ):
        connections = {
            "alibabacloud_default": cloud.alibaba_connection(),
            "huaweicloud_default": cloud.huawei_connection(),
            "alibabacloud_token": cloud.alibaba_connection(auth="ram_role_arn", role_arn=ALIBABA_ROLE_ARN),
            "huaweicloud_token": cloud.huawei_connection(auth="token"),
        }
        airflow = LocalAirflow(
            HERE / "dags",
            connections=connections,
            components=chosen.components,
            sql_alchemy_conn=postgres.url,
            env={f"AIRFLOW__{name}": value for name, value in {**settings, **chosen.settings}.items()},
        )
        with airflow:
            airflow.wait_for_dags(timeout=120)
            yield World(cloud, postgres, chosen, airflow, folder)
