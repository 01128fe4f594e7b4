# SPDX-License-Identifier: Apache-2.0
"""A job that a task has submitted runs on only if somebody waits for it, or somebody is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from support.jobapis import DLI, DMS_UPLOAD, MODES
from taskbench import FAILED, RETRY, SUCCESS, Store, TaskInstance, rendered, run

from airflow_cloudjobs.exceptions import JobOutcomeUnknown
from airflow_cloudjobs.localcloud import Control, LocalCloud

FAST = 0.03
AIRFLOW = (sys.executable, "-m", "airflow")


def _cancels(control: Control) -> int:
    return int(control.stats()["cancels"].get(DLI.api, 0))


def _untold(trouble: str, control: Control) -> None:
    """Have the cloud take a job that runs on and on, and tell nothing of it that helps."""
    control.plan(DLI.api, "forever" if trouble == "denied" else "unknown")
    if trouble == "denied":
        control.fault("http", "poll", status=403, code="APIGW.0302", message="no permission")


@pytest.mark.parametrize(("wanted", "cancels"), [(None, 1), (True, 1), (False, 0)])
@pytest.mark.parametrize("trouble", ["denied", "undocumented"])
@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
def test_a_job_of_which_the_cloud_tells_nothing(
    mode: str, trouble: str, wanted: bool | None, cancels: int, control: Control
) -> None:
    _untold(trouble, control)
    options = {"poll_interval": FAST, "cancel_on_kill": wanted, **MODES[mode][1]}
    ran = run(lambda: DLI.operator(task_id="t", **DLI.new, **options))
    assert (type(ran.error), ran.state) == (JobOutcomeUnknown, FAILED)
    assert _cancels(control) == cancels
    [job] = control.jobs(DLI.api)
    for part in ("it was cancelled" if cancels else "it may still run", job["key"], DLI.console):
        assert part in str(ran.error)
    assert ("it was cancelled" in str(ran.error)) == bool(cancels)


def test_where_there_is_nothing_to_cancel_with(control: Control) -> None:
    control.plan(DMS_UPLOAD.api, "unknown")
    ran = run(lambda: DMS_UPLOAD.operator(task_id="t", **DMS_UPLOAD.new, poll_interval=FAST))
    assert type(ran.error) is JobOutcomeUnknown
    [job] = control.jobs(DMS_UPLOAD.api)
    for part in ("may still run", job["key"], DMS_UPLOAD.console):
        assert part in str(ran.error)
    assert "cancelled" not in str(ran.error)


@pytest.mark.parametrize(("wanted", "cancels"), [(None, 0), (True, 1), (False, 0)])
def test_an_adopted_job_is_left_alone(wanted: bool | None, cancels: int, control: Control) -> None:
    control.create_job(DLI.api, "theirs", "unknown")
    ran = run(lambda: DLI.operator(task_id="t", job_id="theirs", cancel_on_kill=wanted, poll_interval=FAST))
    assert type(ran.error) is JobOutcomeUnknown
    assert _cancels(control) == cancels


@pytest.mark.parametrize("end", [None, "fail"])
@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
def test_xcoms_that_cannot_be_stored(
    mode: str, end: str | None, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job runs, so it is waited for; and one that has failed tells why."""

    def away(self: TaskInstance, key: str, value: Any) -> None:
        raise ConnectionError("the object store is away")

    monkeypatch.setattr(TaskInstance, "xcom_push", away)
    control.plan(DLI.api, end, reason="disk full on node 7" if end else None)
    ran = run(lambda: DLI.operator(task_id="t", **DLI.new, poll_interval=FAST, **MODES[mode][1]))
    assert ran.state == (RETRY if end else SUCCESS)
    assert ("disk full on node 7" in str(ran.error)) == bool(end)
    assert "WARNING XCom 'job_key' could not be stored" in ran.log
    assert control.stats()["submits"] == {DLI.api: 1}
    assert _cancels(control) == 0


def _struck(error: BaseException, *, ti: TaskInstance, store: Store, **options: Any) -> None:
    """Run an operator until its first pause, in which something strikes it."""

    sleep, strikes = time.sleep, [error]

    def strike(seconds: float) -> None:
        if strikes:
            raise strikes.pop()
        sleep(seconds)

    def make() -> Any:
        return DLI.operator(task_id="t", **({} if "job_id" in options else DLI.new), poll_interval=FAST, **options)

    context = {"ti": ti, "task_state_store": store}
    task = rendered(make, context)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_cloudjobs.hook.time.sleep", strike)
        with pytest.raises(type(error)):
            task.execute(context)


@pytest.mark.parametrize("retries", [0, 3])
def test_an_interrupt_by_who_runs_the_task_by_hand(retries: int, control: Control) -> None:
    control.plan(DLI.api, "forever")
    ti = TaskInstance()
    ti.max_tries = retries
    _struck(KeyboardInterrupt(), ti=ti, store=Store())
    assert _cancels(control) == 1


@pytest.mark.parametrize(
    ("retries", "durable", "cancels"), [(0, True, 1), (1, True, 0), (1, False, 1)], ids=["last", "retried", "anew"]
)
def test_an_error_that_nobody_has_thought_of(retries: int, durable: bool, cancels: int, control: Control) -> None:
    """The next attempt goes on with the job, if there is one and it may."""
    control.plan(DLI.api, "forever")
    ti, store = TaskInstance(), Store()
    ti.max_tries = retries
    _struck(RuntimeError("?"), ti=ti, store=store, durable=durable)
    assert _cancels(control) == cancels


def test_an_adopted_job_and_an_interrupt(control: Control) -> None:
    control.create_job(DLI.api, "theirs", "forever")
    _struck(KeyboardInterrupt(), ti=TaskInstance(), store=Store(), job_id="theirs")
    assert _cancels(control) == 0


def test_a_task_that_cannot_be_deferred(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise ConnectionError("Airflow's API is away")

    monkeypatch.setattr("airflow_cloudjobs.compat.push_plain_xcom", away)
    control.plan(DLI.api, "forever")
    ran = run(lambda: DLI.operator(task_id="t", **DLI.new, poll_interval=FAST, deferrable=True))
    assert "Airflow's API is away" in str(ran.error)
    assert _cancels(control) == 1


class Deferred:
    """An operator that was deferred on a job which runs on and on."""

    def __init__(self, control: Control) -> None:
        control.plan(DLI.api, "forever")
        self.context = {"ti": TaskInstance(), "task_state_store": Store()}
        self.context["ti"].xcom_pull = lambda key, **_: self.context["ti"].xcoms.get(key)
        self._make = lambda: DLI.operator(task_id="t", **DLI.new, poll_interval=FAST, deferrable=True)
        with pytest.raises(TaskDeferred):
            rendered(self._make, self.context).execute(self.context)

    def resume(self, method: str, kwargs: dict[str, Any]) -> Any:
        return rendered(self._make, self.context).resume_execution(method, json.loads(json.dumps(kwargs)), self.context)


@pytest.mark.parametrize("event", [None, {}, {"api": "?", "results": []}, {"api": DLI.api, "results": [{"key": "k"}]}])
def test_an_event_that_cannot_be_read(event: dict[str, Any] | None, control: Control) -> None:
    deferred = Deferred(control)
    with pytest.raises(JobOutcomeUnknown):
        deferred.resume("execute_complete", {"event": event})
    assert _cancels(control) == (0 if event and event["results"] else 1)


@pytest.mark.parametrize(("retries", "cancels"), [(0, 1), (1, 0)])
def test_a_trigger_that_airflow_could_not_run(retries: int, cancels: int, control: Control) -> None:
    deferred = Deferred(control)
    deferred.context["ti"].max_tries = retries
    with pytest.raises(Exception, match="Trigger failure"):
        deferred.resume("__fail__", {"error": "Trigger failure", "traceback": ["..."]})
    assert _cancels(control) == cancels


BY_HAND = """
from datetime import datetime
from airflow.sdk import DAG
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator

for name, deferrable in {"blocking": False, "deferrable": True}.items():
    with DAG(name, start_date=datetime(2026, 1, 1), schedule=None):
        DliSqlJobOperator(task_id="t", sql="select 1 from orders", deferrable=deferrable, poll_interval=1, retries=2)
"""


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of an Airflow with these DAGs, of which nothing runs."""
    home = tmp_path_factory.mktemp("by_hand")
    (home / "dags").mkdir()
    (home / "dags" / "by_hand.py").write_text(BY_HAND)
    env = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
    }
    subprocess.run([*AIRFLOW, "db", "migrate"], env=env, check=True, capture_output=True, timeout=120)
    return env


@pytest.mark.parametrize("command", [["dags", "test", "blocking"], ["dags", "test", "deferrable"], ["tasks", "test"]])
def test_ctrl_c(command: list[str], by_hand: dict[str, str], cloud: LocalCloud) -> None:
    """Airflow's own ways of trying a DAG, interrupted while the job runs: no attempt comes that would go on with it."""
    cloud.control.plan(DLI.api, "forever")
    connection = {"AIRFLOW_CONN_HUAWEICLOUD_DEFAULT": json.dumps(cloud.huawei_connection())}
    more = ["blocking", "t"] if command[0] == "tasks" else ["-f", f"{by_hand['AIRFLOW_HOME']}/dags/by_hand.py"]
    log = Path(by_hand["AIRFLOW_HOME"]) / f"{'-'.join(command)}.log"
    with log.open("wb") as file:
        running = subprocess.Popen([*AIRFLOW, *command, *more], env=by_hand | connection, stdout=file, stderr=file)
    try:
        end = time.monotonic() + 120
        # The wait has begun, on the triggerer's part where there is one, once the job is looked at again.
        while cloud.control.stats()["operations"].get(DLI.poll, {}).get("calls", 0) < 3:
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        while not _cancels(cloud.control):  # the command itself may go on, with the pause before a retry
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
    finally:
        running.kill()
        running.wait()
    assert len(cloud.control.jobs(DLI.api)) == 1


def test_a_connection_of_the_database_by_hand(by_hand: dict[str, str], cloud: LocalCloud) -> None:
    """In the process that tries a DAG, Airflow's look-up for event loops does not find what stands in its database."""
    connection = json.dumps(cloud.huawei_connection())
    add = [*AIRFLOW, "connections", "add", "huaweicloud_default", "--conn-json", connection]
    subprocess.run(add, env=by_hand, check=True, capture_output=True, timeout=120)
    file = f"{by_hand['AIRFLOW_HOME']}/dags/by_hand.py"
    tried = subprocess.run(
        [*AIRFLOW, "dags", "test", "deferrable", "-f", file], env=by_hand, capture_output=True, text=True, timeout=300
    )
    assert "state=success" in tried.stdout + tried.stderr, tried.stdout[-3000:]
    assert "could not be read" not in tried.stdout + tried.stderr
    [job] = cloud.control.jobs(DLI.api)
    assert job["status"] == "FINISHED"
