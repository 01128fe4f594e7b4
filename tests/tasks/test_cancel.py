# SPDX-License-Identifier: Apache-2.0
"""Which jobs are cancelled: those that the task made and nobody waits for any more, and no others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.jobapis import APIS, DLI, DMS_UPLOAD, MODES, JobApi
from taskbench import FAILED, Store, TaskInstance, kill_deferred, kill_waiting, rendered, run

from airflow_cloudjobs import task_state
from airflow_cloudjobs.exceptions import JobTimedOut
from airflow_cloudjobs.localcloud import Control

FAST = 0.03


def _cancels(control: Control) -> int:
    return int(control.stats()["cancels"].get(DLI.api, 0))


@pytest.mark.parametrize(("wanted", "cancels"), [(None, 1), (True, 1), (False, 0)])
@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
def test_an_own_job_that_takes_too_long(mode: str, wanted: bool | None, cancels: int, control: Control) -> None:
    control.plan(DLI.api, "forever")
    options = {"poll_interval": FAST, "wait_timeout": 0.2, "cancel_on_kill": wanted, **MODES[mode][1]}
    ran = run(lambda: DLI.operator(task_id="t", **DLI.new, **options))
    assert (type(ran.error), ran.state) == (JobTimedOut, FAILED)
    assert _cancels(control) == cancels
    assert ("cancelled" in ran.log) == bool(cancels)


@pytest.mark.parametrize(("wanted", "cancels"), [(None, 0), (True, 1), (False, 0)])
@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
def test_an_adopted_job_that_takes_too_long(mode: str, wanted: bool | None, cancels: int, control: Control) -> None:
    control.create_job(DLI.api, "theirs", "forever")
    options = {"poll_interval": FAST, "wait_timeout": 0.2, "cancel_on_kill": wanted, **MODES[mode][1]}
    ran = run(lambda: DLI.operator(task_id="t", job_id="theirs", **options))
    assert (type(ran.error), ran.state) == (JobTimedOut, FAILED)
    assert _cancels(control) == cancels


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable sensor"])
def test_a_sensor_never_cancels(mode: str, control: Control) -> None:
    control.create_job(DLI.api, "theirs", "forever")
    ran = run(lambda: DLI.sensor(task_id="t", job_id="theirs", poke_interval=FAST, timeout=0.2, **MODES[mode][1]))
    assert type(ran.error) is JobTimedOut
    assert _cancels(control) == 0


@pytest.mark.parametrize("api", [api for api in APIS if api is not DLI], ids=str)
def test_where_the_api_cannot_cancel(api: JobApi, control: Control, template: Any) -> None:
    control.create_job("drs.job", "task-1")
    control.plan(api.api, "forever")
    new = api.submitting("task-1", str(template))
    ran = run(lambda: api.operator(task_id="t", **new, poll_interval=FAST, wait_timeout=0.2, cancel_on_kill=True))
    assert type(ran.error) is JobTimedOut
    assert "ancel" not in ran.log


@pytest.mark.parametrize(("wanted", "cancels"), [(None, 1), (True, 1), (False, 0)])
def test_an_own_job_is_cancelled_with_its_task(wanted: bool | None, cancels: int, control: Control) -> None:
    control.plan(DLI.api, "forever")
    kill_waiting(lambda: DLI.operator(task_id="t", **DLI.new, cancel_on_kill=wanted))
    assert _cancels(control) == cancels


@pytest.mark.parametrize(("wanted", "cancels"), [(None, 0), (True, 2), (False, 0)])
def test_adopted_jobs_are_left_alone(wanted: bool | None, cancels: int, control: Control) -> None:
    for key in ("one", "two"):
        control.create_job(DLI.api, key, "forever")
    kill_waiting(lambda: DLI.operator(task_id="t", job_id=["one", "two"], cancel_on_kill=wanted))
    assert _cancels(control) == cancels


def test_a_kill_before_the_submit_cancels_nothing(control: Control) -> None:
    rendered(lambda: DLI.operator(task_id="t", **DLI.new), {}).on_kill()
    rendered(lambda: DMS_UPLOAD.operator(task_id="t", **DMS_UPLOAD.new), {}).on_kill()
    assert control.stats()["operations"] == {}


@pytest.mark.parametrize("end", ["FINISHED", "FAILED", "CANCELLED"])
def test_a_job_that_has_ended_meanwhile_is_no_trouble(end: str, control: Control) -> None:
    control.plan(DLI.api, "forever")
    ended: list[str] = []

    def make() -> Any:
        return DLI.operator(task_id="t", **DLI.new)

    context = {"ti": TaskInstance(), "task_state_store": Store()}
    task = rendered(make, context)

    def end_it(seconds: float) -> None:
        [job] = control.jobs(DLI.api)
        control.set_status(DLI.api, job["key"], end)
        ended.append(job["key"])
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_cloudjobs.hook.time.sleep", end_it)
        with pytest.raises(KeyboardInterrupt):
            task.execute(context)
    task.on_kill()
    assert ended
    assert _cancels(control) == 0


@pytest.mark.usefixtures("lucky")
def test_a_cancel_that_meets_trouble_is_tried_again(control: Control) -> None:
    control.plan(DLI.api, "forever")
    control.fault("reset", "cancel", count=2)
    kill_waiting(lambda: DLI.operator(task_id="t", **DLI.new))
    assert _cancels(control) == 1


def test_a_cancel_that_is_refused_says_what_to_do(control: Control) -> None:
    control.plan(DLI.api, "forever")
    control.fault("http", "cancel", status=403, code="DLI.0003", message="no permission")
    ran = run(lambda: DLI.operator(task_id="t", **DLI.new, poll_interval=FAST, wait_timeout=0.2))
    assert type(ran.error) is JobTimedOut, "the verdict is that of the wait"
    assert "could not be cancelled" in ran.log
    assert DLI.console in ran.log


def _deferred() -> Any:
    return DLI.operator(task_id="t", **DLI.new, deferrable=True, poll_interval=FAST)


def test_a_deferred_job_is_cancelled_with_its_task(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    control.plan(DLI.api, "forever")
    log = kill_deferred(_deferred, lambda: None, monkeypatch)
    [job] = control.jobs(DLI.api)
    assert _cancels(control) == 1
    assert f"INFO dli.sql_job {job['key']}: cancelled" in log
    assert "ERROR" not in log


def test_a_refused_cancel_of_a_deferred_task_says_what_to_do(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its job runs on, and costs."""
    control.plan(DLI.api, "forever")
    control.fault("http", "cancel", status=403, code="APIGW.0302", message="no permission")
    log = kill_deferred(_deferred, lambda: None, monkeypatch)
    [job] = control.jobs(DLI.api)
    [line] = [line for line in log.splitlines() if line.startswith("ERROR")]
    for part in (DLI.api, job["key"], "could not be cancelled", "APIGW.0302", "no permission", DLI.console):
        assert part in line


def test_a_deferred_job_that_has_ended_meanwhile_is_no_trouble(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    control.plan(DLI.api, "forever")

    def end_it() -> None:
        [job] = control.jobs(DLI.api)
        control.set_status(DLI.api, job["key"], "FINISHED")

    log = kill_deferred(_deferred, end_it, monkeypatch)
    assert "had ended before it could be cancelled" in log
    assert "ERROR" not in log


@pytest.mark.usefixtures("lucky")
def test_a_cancel_of_a_deferred_task_that_meets_trouble_is_tried_again(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    control.plan(DLI.api, "forever")
    control.fault("reset", "cancel", count=2)
    log = kill_deferred(_deferred, lambda: None, monkeypatch)
    assert _cancels(control) == 1
    assert "ERROR" not in log


def test_a_cancel_that_the_cloud_wants_later_than_time_allows_is_given_up(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    control.plan(DLI.api, "forever")
    control.fault("throttle", "cancel", retry_after="60")
    log = kill_deferred(_deferred, lambda: None, monkeypatch)
    [line] = [line for line in log.splitlines() if line.startswith("ERROR")]
    assert DLI.console in line


def test_a_cancel_of_a_deferred_task_that_is_not_answered_in_time(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_cloudjobs.trigger.KILL_LIMIT", 0.5)
    control.plan(DLI.api, "forever")
    control.fault("hang", "cancel", delay=2)
    log = kill_deferred(_deferred, lambda: None, monkeypatch)
    [job] = control.jobs(DLI.api)
    [line] = [line for line in log.splitlines() if line.startswith("ERROR")]
    assert "Not known whether the jobs of a killed task were cancelled" in line
    assert job["key"] in line
    assert f"{DLI.console}?region=cn-north-4" in line


def test_airflow_takes_long_to_say_whether_a_task_was_killed(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than a cancel may take, as a triggerer does that is asked for the first time on a busy machine."""
    monkeypatch.setattr("airflow_cloudjobs.trigger.KILL_LIMIT", 1.5)
    monkeypatch.setattr("airflow_cloudjobs.trigger.LAST_WORDS", 0.1)
    still_owns = task_state.still_owns

    async def late(*about: Any) -> bool:
        await asyncio.sleep(2)
        return await still_owns(*about)

    monkeypatch.setattr(task_state, "still_owns", late)
    control.plan(DLI.api, "forever")
    log = kill_deferred(_deferred, lambda: None, monkeypatch)
    assert _cancels(control) == 1
    assert "ERROR" not in log


def test_a_cancel_without_a_connection_names_the_console_all_the_same(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    control.plan(DLI.api, "forever")
    log = kill_deferred(_deferred, lambda: monkeypatch.delenv("AIRFLOW_CONN_HUAWEICLOUD_DEFAULT"), monkeypatch)
    [job] = control.jobs(DLI.api)
    [line] = [line for line in log.splitlines() if line.startswith("ERROR")]
    for part in (DLI.api, job["key"], "could not be read", DLI.console):
        assert part in line
