# SPDX-License-Identifier: Apache-2.0
"""Runs the matrix once on a real Airflow and gathers what became of each task."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_cloudjobs.demo.local_airflow import LocalAirflow
from airflow_cloudjobs.localcloud import Control, LocalCloud
from airflow_cloudjobs.localcloud.accounts import (
    ALIBABA_SECRET,
    HUAWEI_SECRET,
    IAM_PASSWORD,
)
from support.catalogue_cases import SECRET
from support.matrix_cases import CASES, REST, SECRET_VARIABLE, Case

DAGS = Path(__file__).parents[1] / "tasks" / "dags"
JOB_SECONDS = 6.0
#: Seconds in which all runs have to end.
PATIENCE = 900.0

SIGNATURE = "s3cr3tS1gnatur3"
SECRET_SQL = "SELECT iban_of_everybody FROM people"
VARIABLES = {
    "signed": f"https://files.test/signed.mp4?Expires=1900000000&Signature={SIGNATURE}",
    "signed_fails": f"https://files.test/missing.mp4?Expires=1900000000&Signature={SIGNATURE}",
    "signed_found": f"https://files.test/found.mp4?Expires=1900000000&Signature={SIGNATURE}",
    "secret_sql": f"{SECRET_SQL} -- localcloud=fail",
    "refused_sql": f"FORSELECT {SECRET_SQL}",
    SECRET_VARIABLE: SECRET,
}


@dataclass
class Task:
    """What became of one task instance.

    :param state: its state.
    :param tries: how many attempts it made.
    :param result: its XCom ``return_value``.
    :param job_key: its XCom ``job_key``.
    :param log: the task's own log, all attempts; not that of its triggers.
    :param trigger_logs: the logs of its triggers.
    """

    state: str
    tries: int
    result: Any
    job_key: Any
    log: str
    trigger_logs: list[str]

    @property
    def deferrals(self) -> int:
        """How often it went to a triggerer."""
        return self.log.count("Pausing task as DEFERRED")

    @property
    def reschedules(self) -> int:
        """How often it gave its worker back."""
        return self.log.count("Rescheduling task")


@dataclass
class Matrix:
    """What became of all tasks, and what the clouds saw.

    :param tasks: by DAG, task and map index.
    :param jobs: the clouds' jobs in the end.
    :param stats: the clouds' statistics.
    :param links: the extra links of the task ``linked`` while it waited and after.
    :param kept: every file that Airflow left, by path: logs and database.
    :param secrets: what must be in none of them.
    :param providers: what ``airflow providers list`` says.
    :param seconds: how long it took.
    """

    tasks: dict[tuple[str, str, int], Task] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    stats: dict[str, Any] = field(default_factory=dict)
    links: list[dict[str, str | None]] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    providers: str = ""
    seconds: float = 0.0

    def of(self, case: Case) -> Task:
        """What became of a case."""
        return self.tasks[case.dag, case.task_id, -1]

    def task(self, task_id: str, map_index: int = -1) -> Task:
        """What became of a task of the DAG ``extras``."""
        return self.tasks["extras", task_id, map_index]


def run_matrix(folder: Path, start: Any = LocalAirflow) -> Matrix:
    """Run everything once.

    :param folder: an empty folder for DAG files and Airflow's home.
    :param start: makes the Airflow, given what ``LocalAirflow`` is given here.
    """
    began = time.monotonic()
    matrix = Matrix()
    with LocalCloud(job_seconds=JOB_SECONDS) as cloud:
        connections = _connections(cloud, matrix)
        _make_jobs(cloud.control)
        names = _write_dags(folder)
        env = {f"AIRFLOW_VAR_{name.upper()}": value for name, value in VARIABLES.items()}
        # Few at a time, so that the scheduler has its share of two processors.
        env |= {"AIRFLOW__CORE__PARALLELISM": "8", "AIRFLOW__SCHEDULER__MAX_TIS_PER_QUERY": "8"}
        airflow = start(folder / "dags", home=folder / "home", connections=connections, env=env)
        with airflow, _Director(cloud.control) as director:
            providers = _providers(folder / "cli")
            airflow.wait_for_dags(names, timeout=300)
            runs = {name: airflow.trigger(name) for name in names}
            _watch_link(airflow, runs["extras"], matrix, director.release)
            for name, run_id in runs.items():
                airflow.wait_for_run(name, run_id, timeout=PATIENCE)
            matrix.links.append(airflow.extra_links("extras", runs["extras"], "linked"))
            matrix.providers = providers.communicate(timeout=300)[0]
            for name, run_id in runs.items():
                _gather(airflow, name, run_id, matrix)
        matrix.jobs, matrix.stats = cloud.control.jobs(), cloud.control.stats(10_000)
        files = [path for path in (folder / "home").rglob("*") if path.is_file()]
        matrix.kept = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    matrix.seconds = time.monotonic() - began
    return matrix


def _connections(cloud: LocalCloud, matrix: Matrix) -> dict[str, dict[str, Any]]:
    key = cloud.control.issue_credentials("alibaba")
    sts = cloud.alibaba_connection(auth="sts", security_token=key["security_token"])
    matrix.secrets = {
        "Alibaba Cloud's secret": ALIBABA_SECRET,
        "Huawei Cloud's secret": HUAWEI_SECRET,
        "the password": IAM_PASSWORD,
        "the temporary secret": key["secret"],
        "the security token": key["security_token"],
        "an IAM token": "MIILOCAL",
        "a signed source address": SIGNATURE,
        "a signed download address": "Signature=",
        "the SQL": "iban_of_everybody",
        "a secret parameter": SECRET,
        "a wrong password": "wr0ng-passw0rd",
        "a wrong secret": "wr0ng-s3cr3t",
    }
    return {
        "alibabacloud_default": cloud.alibaba_connection(),
        "huaweicloud_default": cloud.huawei_connection(),
        "sts": {**sts, "login": key["access_key"], "password": key["secret"]},
        "iam": cloud.huawei_connection(auth="token"),
        "iam_wrong": {**cloud.huawei_connection(auth="token"), "password": "wr0ng-passw0rd"},
        "ak_wrong": {**cloud.alibaba_connection(), "password": "wr0ng-s3cr3t"},
    }


#: Jobs for the DAG ``extras`` that get their script once somebody has looked at them.
FOUND: dict[tuple[str, str], dict[str, str]] = {
    **{("dli.sql_job", f"mapped-{name}"): {"end": "success"} for name in ("one", "two")},
    **{("ice.url_upload", f"many-{number:02d}"): {"end": "success"} for number in range(12)},
    ("ice.url_upload", "signed-found"): {"end": "success"},
    ("ice.url_upload", "signed-unknown"): {"end": "fail", "reason": f"GET {VARIABLES['signed_found']} answered 403"},
    ("dms.file_upload", "sts"): {"end": "success"},
    ("dli.sql_job", "iam"): {"end": "success"},
}


#: What jobs made beforehand were submitted with, so that their results have the fields of submitted ones.
_FIELDS = {api: {"UploadURL": "https://files.test/found.mp4"} for api in ("dms.file_upload", "ice.url_upload")}


def _make_jobs(control: Control) -> None:
    for case in CASES:
        if case.ends_by:
            control.create_job(case.api.api, case.key, "forever", fields=_FIELDS.get(case.api.api))
        elif case.drs_task:
            control.create_job("drs.job", case.drs_task)
    for api, key in FOUND:
        url = VARIABLES["signed_found"] if key == "signed-found" else "https://files.test/other.mp4"
        control.create_job(api, key, "forever", fields={"UploadURL": url} if api == "ice.url_upload" else {})
    control.create_job("dms.file_upload", "ended-upload", steps=[("SUCCESS", 0)])
    control.create_job("dli.sql_job", "ended-sql", steps=[("FINISHED", 0)])
    control.create_job("dli.sql_job", "ended-badly", steps=[("FAILED", 0)], reason="the table is gone")
    control.create_job("dli.sql_job", "linked", "forever")


def _write_dags(folder: Path) -> list[str]:
    dags, files = folder / "dags", folder / "files"
    dags.mkdir()
    files.mkdir()
    by_dag: dict[str, list[dict[str, Any]]] = {}
    for case in CASES:
        cls = f"{case.cls.__module__}.{case.cls.__qualname__}"
        by_dag.setdefault(case.dag, []).append({"class": cls, "arguments": case.kwargs(str(files))})
        if path := by_dag[case.dag][-1]["arguments"].get("file_path"):
            Path(path).write_text('{"tables": []}')
    for name, tasks in by_dag.items():
        shutil.copy(DAGS / "matrix.py", dags / f"{name}.py")
        (dags / f"{name}.json").write_text(json.dumps(tasks))
    shutil.copy(DAGS / "extras.py", dags)
    return ["extras", *sorted(by_dag)]


class _Director:
    """Gives a job its script once somebody has looked at it."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._waiting = FOUND | {
            (case.api.api, case.key): {"end": case.ends_by}
            for case in CASES
            if case.ends_by and case.ends_by != "forever"
        }
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._direct, daemon=True)

    def __enter__(self) -> _Director:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def release(self) -> None:
        """Let the job ``linked`` come to its end."""
        self._control.set_script("dli.sql_job", "linked", "success", seconds=0.5)

    def _direct(self) -> None:
        while not self._over.wait(0.2):
            for job in self._control.jobs():
                place = (job["api"], job["key"])
                if job["polls"] and place in self._waiting:
                    self._control.set_script(*place, seconds=REST, **self._waiting.pop(place))


def _watch_link(airflow: LocalAirflow, run_id: str, matrix: Matrix, release: Callable[[], None]) -> None:
    """See the link of a task that waits. Airflow stores it a moment after the task was deferred."""
    try:
        airflow.wait_for_task("extras", run_id, "linked", {"deferred"}, timeout=PATIENCE)
        until = time.monotonic() + 20
        while not any((links := airflow.extra_links("extras", run_id, "linked")).values()):
            if time.monotonic() > until:
                break
            time.sleep(0.3)
        [waiting] = [row for row in airflow.task_instances("extras", run_id) if row["task_id"] == "linked"]
        matrix.links.append({**links, "state": waiting["state"]})
    finally:
        release()


def _providers(home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "airflow", "providers", "list", "--output", "plain"]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
    env["AIRFLOW_HOME"] = str(home)
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _gather(airflow: LocalAirflow, dag_id: str, run_id: str, matrix: Matrix) -> None:
    for row in airflow.task_instances(dag_id, run_id):
        name, index = row["task_id"], row["map_index"]
        folder = airflow.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={name}"
        if index >= 0:
            folder /= f"map_index={index}"
        logs = sorted(folder.glob("attempt=*.log*"))
        matrix.tasks[dag_id, name, index] = Task(
            state=row["state"],
            tries=row["try_number"],
            result=airflow.xcom(dag_id, run_id, name, map_index=index),
            job_key=_texts(airflow.xcom(dag_id, run_id, name, "job_key", map_index=index)),
            log="\n".join(_text(path) for path in logs if ".trigger." not in path.name),
            trigger_logs=[_text(path) for path in logs if ".trigger." in path.name],
        )


def _texts(keys: Any) -> Any:
    """Keys as the task has them: of one that is a number Airflow's API does not tell that it is a text."""
    if isinstance(keys, list):
        return [_texts(key) for key in keys]
    return keys if keys is None else str(keys)


def _text(path: Path) -> str:
    """A log as people read it: its lines are JSON."""
    return path.read_text(errors="replace").replace('\\"', '"').replace("\\n", "\n")
