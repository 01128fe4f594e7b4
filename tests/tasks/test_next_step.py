# SPDX-License-Identifier: Apache-2.0
"""Tasks that end red say what to do next: the last line of the exception."""

from __future__ import annotations

import json
import re
import time
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferralError
from support.jobapis import APIS, DLI, DMS_UPLOAD, DRS, ICE, MODES, JobApi
from taskbench import SUCCESS, Attempts, Ran, Store, TaskInstance, logged, rendered, run

from airflow_cloudjobs import cli
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
    assert "ERROR" not in ran.log
    assert re.fullmatch(r"Skipping instead of failing: FAILED: .+ \(dli\.sql_job k, request id \w+\)", str(ran.error))


@pytest.mark.parametrize(("api", "words"), [(DLI, "it submits a new job"), (DMS_UPLOAD, "give job_key=")], ids=str)
@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
def test_time_ran_out(mode: str, api: JobApi, words: str, control: Control) -> None:
    """Of a job that was cancelled and of one that cannot be."""
    control.plan(api.api, "forever")
    ran = ending(api, mode, control, wait_timeout=0.5)
    assert type(ran.error) is JobTimedOut
    left = "it was cancelled" if api is DLI else "it may still run"
    assert re.match(rf"wait_timeout of 0\.5 s ran out while the job was \w+; {left}$", str(ran.error).splitlines()[0])
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

    def strike(seconds: float) -> None:
        monkeypatch.setattr("airflow_cloudjobs.hook.time.sleep", sleep)
        raise AirflowTaskTimeout("Timeout")

    sleep = time.sleep
    monkeypatch.setattr("airflow_cloudjobs.hook.time.sleep", strike)
    task.execution_timeout = timedelta(minutes=2)
    with logged() as lines:
        try:
            task.execute({"ti": TaskInstance(), "task_state_store": Store()})
        except AirflowTaskTimeout:
            task.on_kill()
    [job] = control.jobs(DLI.api)
    assert [line.replace("\n", " ") for line in lines if line.startswith("ERROR")] == [
        "ERROR execution_timeout of 2 min 0 s ran out; it was cancelled",
        f"ERROR {NEXT}if the job needs longer, raise execution_timeout, then clear this task: it submits a new job",
        f"ERROR dli.sql_job {job['key']} https://console.huaweicloud.com/dli/?region=cn-north-4",
    ], lines


@pytest.mark.parametrize("mode", ["poke", "deferrable sensor"])
@pytest.mark.parametrize(("shorter", "value"), [("timeout", 2), ("execution_timeout", timedelta(seconds=2))])
def test_time_of_a_sensor_ran_out(mode: str, shorter: str, value: Any, control: Control) -> None:
    control.create_job(DLI.api, "k", "forever")
    ran = ending(DLI, mode, control, **{shorter: value})
    assert type(ran.error) is JobTimedOut
    assert str(ran.error).startswith(f"{shorter} of 2 s ran out while the job was ")
    assert f"raise {shorter}, then clear" in told(ran)


@pytest.mark.parametrize("mode", ["blocking", "deferrable", "poke"])
def test_a_log_begins_with_three_lines(mode: str, control: Control) -> None:
    control.plan(DLI.api, "fail", reason="Table or view not found: missing_table")
    control.create_job(DLI.api, "k", "fail", reason="Table or view not found: missing_table")
    ran = ending(DLI, mode, control)
    what, step, where = re.findall(r"^ERROR (.*(?:\n(?!INFO|WARNING|ERROR).*)*)", ran.log, re.MULTILINE)
    assert what == "FAILED: Table or view not found: missing_table"
    assert " ".join(step.split()) == told(ran)
    [job] = control.jobs(DLI.api)[-1:] if mode != "poke" else [{"key": "k"}]
    assert re.fullmatch(rf"dli\.sql_job {job['key']},\s+request id \w+\nhttps://\S+", where)


@pytest.mark.parametrize("mode", ["blocking", "poke"])
def test_a_trace_is_short(mode: str, control: Control) -> None:
    control.plan(DLI.api, "fail")
    ran = ending(DLI, mode, control)
    assert ran.error is not None
    frames = [frame.name for frame in traceback.extract_tb(ran.error.__traceback__)]
    assert frames[frames.index("wrapper") :] == ["wrapper", "called"], "Airflow's own, and one of ours"
    assert (ran.error.__context__ is None or ran.error.__suppress_context__, ran.error.__cause__) == (True, None)


@pytest.mark.parametrize("mode", MODES)
def test_a_log_in_which_all_went_well_ends_with_what_came_out(mode: str, control: Control) -> None:
    control.create_job(DMS_UPLOAD.api, "k", "success", fields={"FileName": "f"})
    kind, arguments = MODES[mode]
    if kind == "operator":
        ran = run(lambda: DMS_UPLOAD.operator(task_id="t", **DMS_UPLOAD.new, poll_interval=FAST, **arguments))
    else:
        ran = run(lambda: DMS_UPLOAD.sensor(task_id="t", job_key="k", poke_interval=FAST, **arguments))
    assert ran.state == SUCCESS
    last = [line for line in ran.log.splitlines() if "Success criteria met" not in line][-1]
    assert re.fullmatch(r"INFO DMS file upload \S+: SUCCESS after \d+ s, \d+ of \d+ bytes", last), ran.log


def test_a_retry_says_that_it_is_one(control: Control) -> None:
    control.plan(DLI.api, "fail")
    attempts = Attempts(lambda: DLI.operator(task_id="t", **DLI.new, poll_interval=FAST))
    with pytest.raises(JobFailed):
        attempts.run()
    with logged() as lines:
        attempts.run()
    [first, _] = control.jobs(DLI.api)
    assert f"INFO dli.sql_job: {first['key']} of an attempt before did not succeed: submitting anew" in lines


@pytest.mark.parametrize("mode", ["blocking", "poke"])
def test_a_permission_that_is_missing(mode: str, control: Control) -> None:
    control.plan(DLI.api, "forever")
    control.create_job(DLI.api, "k", "forever")
    control.fault("http", "poll", status=403, code="APIGW.0302", message="no permission")
    ran = ending(DLI, mode, control)
    assert type(ran.error) is JobOutcomeUnknown
    assert "check its permission 'dli:jobs:get'" in told(ran)


@pytest.mark.parametrize(
    ("api", "code", "permission"),
    [
        (ICE, "Forbidden.RAM", "'ice:UploadMediaByURL'"),
        (DMS_UPLOAD, "NoPermission", "'dms:CreateUploadFileJob'"),
        (DLI, "APIGW.0302", "'dli:queue:submitJob'"),
        (DLI, "DLI.0003", "'dli:queue:submitJob'"),
    ],
    ids=str,
)
def test_a_permission_to_submit_is_named(api: JobApi, code: str, permission: str, control: Control) -> None:
    control.fault("http", "submit", status=403, code=code, message="not authorized")
    ran = ending(api, "blocking", control)
    assert type(ran.error) is TaskRefused
    assert permission in told(ran)


@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_key_that_nobody_knows(api: JobApi, cloud: LocalCloud) -> None:
    ran = run(lambda: api.sensor(task_id="t", **api.waiting("nope"), poke_interval=FAST))
    assert type(ran.error) is JobOutcomeUnknown
    assert "check the key, the region and the account of connection" in told(ran)


def test_a_submit_of_unknown_fate(control: Control) -> None:
    control.fault("http", "submit", status=503, after_commit=True)
    ran = ending(DMS_UPLOAD, "blocking", control)
    assert type(ran.error) is SubmitOutcomeUnknown
    assert "look for the job in the console: if it is there" in told(ran)
    assert f"Console: {DMS_UPLOAD.console}" in str(ran.error)
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
def test_a_trigger_that_airflow_could_not_run(mode: str, control: Control) -> None:
    """The exception is Airflow's, so the lines in the log are all there is."""
    control.plan(DLI.api, "forever")
    control.create_job(DLI.api, "k", "forever")
    kind, arguments = MODES[mode]
    named = DLI.new if kind == "operator" else DLI.waiting("k")
    task = rendered(lambda: (DLI.operator if kind == "operator" else DLI.sensor)(task_id="t", **named, **arguments), {})
    ti = TaskInstance()
    ti.xcom_pull = lambda key, **_: "k"  # type: ignore[attr-defined]
    failed = {"error": "Trigger failure", "traceback": ["...", "KeyError: 'k'"]}
    with logged() as lines, pytest.raises(TaskDeferralError):
        task.resume_execution("__fail__", failed, {"ti": ti})
    what, step, where = (line for line in lines if line.startswith("ERROR") and "Trigger failed" not in line)
    assert what == "ERROR the trigger ended: KeyError: 'k'" + ("; it was cancelled" if kind == "operator" else "")
    assert step.startswith(f"ERROR {NEXT}see in the triggerer's log")
    assert where.startswith("ERROR dli.sql_job k\nhttps://")


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
