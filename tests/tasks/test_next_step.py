# SPDX-License-Identifier: Apache-2.0
"""Tasks that end red say what to do next: the last line of the exception, and of the log on a real Airflow."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferralError
from support.jobapis import APIS, DLI, DMS_UPLOAD, DRS, MODES, JobApi
from taskbench import Ran, Store, TaskInstance, rendered, run

from airflow_cloudjobs import cli
from airflow_cloudjobs.demo.local_airflow import LocalAirflow
from airflow_cloudjobs.exceptions import (
    ExecutionTimedOut,
    InvalidConnection,
    JobFailed,
    JobFailedForGood,
    JobOutcomeUnknown,
    JobTimedOut,
    SubmitOutcomeUnknown,
    TaskRefused,
)
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.localcloud import Control, LocalCloud
from airflow_cloudjobs.next_step import NEXT

FAST = 0.1


def told(ran: Ran) -> str:
    """The next step of a task that has ended red; it is the last line, and stands there once."""
    assert ran.error is not None
    text = str(ran.error)
    assert text.count(NEXT) == 1, text
    last = text.splitlines()[-1]
    assert last.startswith(NEXT)
    assert last == NEXT + ran.error.next_step  # type: ignore[attr-defined]
    assert ran.error.__cause__ is None
    return last


def ending(api: JobApi, mode: str, control: Control, *, tries: int = 0, **options: Any) -> Ran:
    """A task of a job that ends as the cloud was told, with some retries left."""
    kind, arguments = MODES[mode]
    ti = TaskInstance()
    ti.max_tries = tries
    if kind == "operator":
        return run(lambda: api.operator(task_id="t", **api.new, poll_interval=FAST, **arguments, **options), ti=ti)
    if not control.jobs(api.api):
        control.create_job(api.api, "k", "fail")
    return run(lambda: api.sensor(task_id="t", **api.waiting("k"), poke_interval=FAST, **arguments, **options), ti=ti)


@pytest.mark.parametrize("tries", [0, 2])
@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
def test_a_failed_job_of_an_operator(mode: str, tries: int, control: Control) -> None:
    control.plan(DLI.api, "fail")
    ran = ending(DLI, mode, control, tries=tries)
    assert type(ran.error) is JobFailed
    assert ("Airflow tries again by itself" in told(ran)) == bool(tries)
    assert ("clear this task: it submits a new job" in told(ran)) != bool(tries)


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable sensor"])
def test_a_failed_job_of_a_sensor(mode: str, control: Control) -> None:
    ran = ending(DLI, mode, control)
    assert type(ran.error) is JobFailedForGood
    assert "clear the task that submits the job" in told(ran)


def test_a_failed_job_that_was_adopted(control: Control) -> None:
    control.create_job(DLI.api, "k", "fail")
    ran = run(lambda: DLI.operator(task_id="t", job_id="k", poll_interval=FAST))
    assert "give its key here (job_id)" in told(ran)


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable sensor"])
def test_a_skip_says_it_too(mode: str, control: Control) -> None:
    ran = ending(DLI, mode, control, soft_fail=True)
    assert ran.state == "skipped"
    assert ran.log.count(NEXT) == 1


@pytest.mark.parametrize(("api", "words"), [(DLI, "it submits a new job"), (DMS_UPLOAD, "give job_key=")], ids=str)
@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
def test_time_ran_out(mode: str, api: JobApi, words: str, control: Control) -> None:
    """Of a job that was cancelled and of one that cannot be."""
    control.plan(api.api, "forever")
    ran = ending(api, mode, control, wait_timeout=0.5)
    assert type(ran.error) is JobTimedOut
    assert "raise wait_timeout" in told(ran)
    assert words in told(ran)


def test_time_of_an_attempt_ran_out(control: Control) -> None:
    control.plan(DMS_UPLOAD.api, "forever")
    ran = ending(DMS_UPLOAD, "deferrable", control, tries=1, execution_timeout=timedelta(seconds=0.5))
    assert type(ran.error) is ExecutionTimedOut
    assert "goes on with the same job; if the job needs longer, raise execution_timeout" in told(ran)


def test_airflows_own_timeout_on_a_worker(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow raises in the middle of the wait, and calls ``on_kill`` with it."""
    control.plan(DLI.api, "forever")
    task = rendered(lambda: DLI.operator(task_id="t", **DLI.new, poll_interval=FAST), {})
    lines: list[str] = []
    monkeypatch.setattr(type(task.log), "error", lambda _, text, *parts: lines.append(text % parts), raising=False)

    def strike(seconds: float) -> None:
        monkeypatch.setattr("airflow_cloudjobs.hook.time.sleep", sleep)
        raise AirflowTaskTimeout("Timeout")

    sleep = time.sleep
    monkeypatch.setattr("airflow_cloudjobs.hook.time.sleep", strike)
    try:
        task.execute({"ti": TaskInstance(), "task_state_store": Store()})
    except AirflowTaskTimeout:
        task.on_kill()
    assert [line for line in lines if line.startswith(NEXT)] == [
        f"{NEXT}if the job needs longer, raise execution_timeout, then clear this task: it submits a new job"
    ], lines


@pytest.mark.parametrize("mode", ["blocking", "poke"])
def test_a_permission_that_is_missing(mode: str, control: Control) -> None:
    control.plan(DLI.api, "forever")
    control.create_job(DLI.api, "k", "forever")
    control.fault("http", "poll", status=403, code="APIGW.0302", message="no permission")
    ran = ending(DLI, mode, control)
    assert type(ran.error) is JobOutcomeUnknown
    assert "mend key or permissions of connection 'huaweicloud_default'" in told(ran)


def test_a_submit_of_unknown_fate(control: Control) -> None:
    control.fault("http", "submit", status=503, after_commit=True)
    ran = ending(DMS_UPLOAD, "blocking", control)
    assert type(ran.error) is SubmitOutcomeUnknown
    assert "look for the job in the console (https://" in told(ran)
    assert "give its key here (job_key)" in told(ran)


def test_where_no_key_can_be_adopted_a_sensor_is_meant(control: Control, template: Path) -> None:
    control.create_job("drs.job", "task-1")
    control.fault("http", "submit", status=503, after_commit=True)
    new = DRS.submitting("task-1", str(template))
    ran = run(lambda: DRS.operator(task_id="t", **new, poll_interval=FAST))
    assert "wait for it with a sensor; if not" in told(ran)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_connection_that_cannot_work(
    api: JobApi, mode: str, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, template: Path
) -> None:
    for name, connection in (("ALIBABA", cloud.alibaba_connection()), ("HUAWEI", cloud.huawei_connection())):
        connection["extra"] = {**json.loads(json.dumps(connection["extra"])), "ca_bundle": "/no/such.pem"}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}CLOUD_DEFAULT", json.dumps(connection))
    kind, arguments = MODES[mode]
    new = api.submitting("task-1", str(template)) if kind == "operator" else api.waiting("k")
    ran = run(lambda: (api.operator if kind == "operator" else api.sensor)(task_id="t", **new, **arguments))
    assert type(ran.error) is TaskRefused
    assert "correct that field of connection" in told(ran)


def test_a_hook_in_somebodys_own_code(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(cloud.huawei_connection(ca_bundle="/no/such.pem")))
    with pytest.raises(InvalidConnection) as caught:
        HuaweiCloudHook("mine").get_conn()
    assert NEXT not in str(caught.value), "it stands where there is room for a line alone"
    assert caught.value.__notes__ == [
        f"{NEXT}correct that field of connection 'mine', or the region or endpoint given here (`cloudjobs check mine`)"
    ]


@pytest.mark.parametrize("mode", ["deferrable", "deferrable sensor"])
def test_a_trigger_that_airflow_could_not_run(mode: str, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exception is Airflow's, so the line is in the log before it."""
    control.plan(DLI.api, "forever")
    control.create_job(DLI.api, "k", "forever")
    kind, arguments = MODES[mode]
    named = DLI.new if kind == "operator" else DLI.waiting("k")
    task = rendered(lambda: (DLI.operator if kind == "operator" else DLI.sensor)(task_id="t", **named, **arguments), {})
    ti = TaskInstance()
    ti.xcom_pull = lambda key, **_: "k"  # type: ignore[attr-defined]
    lines: list[str] = []
    monkeypatch.setattr(type(task.log), "error", lambda _, text, *parts: lines.append(text % parts), raising=False)
    with pytest.raises(TaskDeferralError):
        task.resume_execution("__fail__", {"error": "Trigger failure", "traceback": ["..."]}, {"ti": ti})
    assert [line for line in lines if line.startswith(NEXT + "see in the triggerer's log")]


@pytest.mark.parametrize(
    ("end", "words"),
    [("fail", "then submit the job anew"), ("forever", "raise --timeout, then run this command again")],
)
def test_cloudjobs_wait(end: str, words: str, cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.control.create_job(DLI.api, "k", end)
    arguments = ["wait", DLI.api, "k", "--interval", "0.1", "--timeout", "1" if end == "forever" else "60"]
    assert cli.main(arguments) == (1 if end == "fail" else 2)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(NEXT)
    assert words in last
    assert "clear this task" not in last


DAG_FILE = """
from datetime import datetime
from airflow.sdk import DAG
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator, DliSqlJobSensor

with DAG("red", start_date=datetime(2026, 1, 1), schedule=None):
    DliSqlJobOperator(task_id="operator", sql="select 1 -- localcloud=fail", poll_interval=1)
    DliSqlJobOperator(task_id="deferred", sql="select 1 -- localcloud=fail", poll_interval=1, deferrable=True)
    DliSqlJobSensor(task_id="sensor", job_id="{key}", deferrable=True)
"""


def test_the_last_words_of_a_real_log(tmp_path: Path) -> None:
    """After the exception Airflow writes only where its traceback was, and the ends of its groups."""
    home, dags = tmp_path / "home", tmp_path / "dags"
    dags.mkdir()
    with LocalCloud(job_seconds=2) as cloud:
        key = cloud.control.create_job(DLI.api, end="fail")["key"]
        (dags / "red.py").write_text(DAG_FILE.format(key=key))
        connections = {"huaweicloud_default": cloud.huawei_connection()}
        with LocalAirflow(dags, home=home, connections=connections) as airflow:
            airflow.wait_for_dags(["red"], 120)
            airflow.wait_for_run("red", airflow.trigger("red"), 180)
    for task, words in (("operator", "clear this task"), ("deferred", "clear this task"), ("sensor", "downstream")):
        [file] = [path for path in (home / "logs").rglob("attempt=1.log") if f"task_id={task}" in str(path)]
        events = [json.loads(line) for line in file.read_text().splitlines()]
        [place] = [number for number, event in enumerate(events) if "error_detail" in event]
        [error] = events[place]["error_detail"]
        assert error["exc_value"].splitlines()[-1].startswith(NEXT)
        assert words in error["exc_value"].splitlines()[-1]
        assert {event["event"] for event in events[place + 1 :]} <= {"::group::Post Execute", "::endgroup::"}
