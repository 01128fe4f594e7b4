# SPDX-License-Identifier: Apache-2.0
"""``cloudjobs demo --chaos``: what is done to Airflow and to the clouds while the jobs run, told as it happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from airflow_cloudjobs.demo.expectation import Run, Task
from airflow_cloudjobs.demo.kills import end_worker_of
from airflow_cloudjobs.demo.local_airflow import LocalAirflow, NotInTime
from airflow_cloudjobs.localcloud.control import Control

#: How long the clouds are away, in seconds.
AWAY = 30.0

#: How long the jobs take, in seconds: until the clouds are away, where they are brought to their ends, unseen.
_FOR_LONG = 3600.0

#: How long they refuse polls as too many, in seconds.
THROTTLED = 8.0

#: Whose worker is killed: a task of this class, which finds its job again by the job's tag.
_VICTIM = "DliSqlJobOperator"
_SUBMIT = "CreateSqlJob"

#: How late that submit is answered, in seconds: there must be time to kill who waits for it.
_LATE = 30.0

#: How long one step of the story waits for what it needs, in seconds; a busy machine starts a process in a minute.
_PATIENCE = 180.0

#: What Airflow waits for before it takes a process for dead, and before a retry: minutes by default.
ENVIRONMENT = {
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "12",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
}


class Chaos:
    """The faults of one demo.

    :param airflow: a running Airflow with :data:`ENVIRONMENT`
    :param control: the clouds'
    :param say: called with a line of text for each thing that is done
    """

    def __init__(self, airflow: LocalAirflow, control: Control, say: Callable[[str], None]) -> None:
        self._airflow = airflow
        self._control = control
        self._say = say
        self._job_seconds = control.settings()["job_seconds"]
        self._runs: Sequence[Run] = ()
        self._story = self._tell()
        self.is_over = False

    def kill_a_worker(self, dag_ids: Sequence[str]) -> dict[str, str]:
        """Start a run, and end the worker of its first task when the cloud has its job and the worker no answer yet.

        :param dag_ids: the DAGs of which one is chosen
        :return: the run that is started: DAG id -> run id
        :raises NotInTime: if that moment does not come
        """
        self._control.settings(job_seconds=_FOR_LONG)
        dag_id, task_id = self._victim(dag_ids)
        self._control.fault("slow", _SUBMIT, after_commit=True, delay=_LATE, count=1)
        run_id = self._airflow.trigger(dag_id)
        until = time.monotonic() + _PATIENCE
        while not self._killed(dag_id, run_id, task_id):
            self._airflow.check()
            if time.monotonic() > until:
                raise NotInTime(f"{dag_id}.{task_id} has submitted nothing (after {_PATIENCE:.0f} s)")
            time.sleep(0.2)
        self._say(f"kill -9: the worker of {dag_id}.{task_id}; the cloud has its job, and Airflow does not know of it")
        return {dag_id: run_id}

    def __call__(self, runs: Sequence[Run]) -> None:
        """Go on with the story.

        :param runs: what the runs do now
        :raises NotInTime: if what the next step needs does not come about
        """
        self._runs = runs
        next(self._story, None)

    def _tell(self) -> Iterator[None]:
        yield from self._until("the tasks are deferred", lambda: len(self._in("deferred")) > len(self._on_the_way()))
        self._control.fault("throttle", "poll", seconds=THROTTLED)
        self._say(f"both clouds refuse every poll for {THROTTLED:.0f} s: too many requests")
        yield from self._pause(THROTTLED)
        self._airflow.kill("triggerer")
        self._say(f"kill -9: the triggerer, with {len(self._in('deferred'))} waiting tasks; another one is started")
        self._airflow.restart("triggerer")
        yield from self._until("no task is on a worker", lambda: not self._on_the_way())
        polls = self._polls()
        yield from self._until("the new triggerer asks for jobs", lambda: self._polls() > polls)
        self._control.fault("reset", seconds=AWAY)
        self._control.settings(job_seconds=self._job_seconds)
        for job in self._control.jobs():
            if not job["ended"]:
                self._control.hasten(job["api"], job["key"], AWAY / 2)
        self._say(f"both clouds are away for {AWAY:.0f} s: every connection is cut; the jobs end meanwhile, unseen")
        yield from self._pause(AWAY)
        self._say(f"both clouds are back; {self._cut()} calls were cut off")
        self.is_over = True

    def _until(self, what: str, come: Callable[[], bool]) -> Iterator[None]:
        until = time.monotonic() + _PATIENCE
        while not come():
            if time.monotonic() > until:
                raise NotInTime(f"it did not come to it that {what} (after {_PATIENCE:.0f} s)")
            yield

    def _pause(self, seconds: float) -> Iterator[None]:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            yield

    def _in(self, *states: str) -> list[Task]:
        return [task for run in self._runs for task in run.tasks if task.state in states]

    def _on_the_way(self) -> list[Task]:
        """The tasks that go on without anybody's help: to a worker, or on one."""
        return self._in("scheduled", "queued", "running", "up_for_retry")

    def _polls(self) -> int:
        return sum(sum(by_key.values()) for by_key in self._control.stats(0)["polls"].values())

    def _cut(self) -> int:
        return int(self._control.stats(0)["faults_struck"].get("reset", 0))

    def _victim(self, dag_ids: Sequence[str]) -> tuple[str, str]:
        for dag_id in dag_ids:
            for task in self._airflow.tasks(dag_id):
                if task["class_ref"]["class_name"] == _VICTIM and task["retries"]:
                    return dag_id, task["task_id"]
        raise NotInTime(f"chaos needs a DAG with a {_VICTIM} that is retried; there is none")

    def _killed(self, dag_id: str, run_id: str, task_id: str) -> bool:
        if not self._control.stats(0)["operations"].get(_SUBMIT):
            return False
        [task] = [each for each in self._airflow.task_instances(dag_id, run_id) if each["task_id"] == task_id]
        return bool(task["pid"]) and end_worker_of(task["pid"])
