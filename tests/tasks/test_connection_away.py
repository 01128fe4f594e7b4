# SPDX-License-Identifier: Apache-2.0
"""A secrets backend that is away for a while: Airflow then says that there is no such connection.

Before the submit that is a reason to try again, and after the job's end none for anything.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk.bases.secrets_backend import BaseSecretsBackend
from airflow.sdk.configuration import clear_secrets_backends_cache
from airflow.sdk.definitions.connection import Connection
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred
from support.jobapis import APIS, DLI, DMS_EXPORT, ICE, MODES, JobApi
from taskbench import FAILED, RETRY, SKIPPED, SUCCESS, Store, TaskInstance, first_event, rendered, run

from airflow_cloudjobs.exceptions import JobFailed, JobTimedOut, LookUpFailed, SubmitFailed
from airflow_cloudjobs.localcloud import Control, LocalCloud

FAST = 0.03


class Vault(BaseSecretsBackend):
    """A secrets backend that holds the connections, and answers only so many questions.

    Set up by its class, since Airflow makes its instances.
    """

    holds: dict[str, Any]
    away: Callable[[int], bool]
    asked: int

    def get_connection(self, conn_id: str) -> Connection | None:
        cls = type(self)
        cls.asked += 1
        if cls.away(cls.asked):
            raise ConnectionError("the vault is sealed")
        return Connection.from_json(json.dumps(cls.holds[conn_id]), conn_id=conn_id)


@pytest.fixture
def vault(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Vault]]:
    """Holds the connections, and nobody else does."""
    for name in ("ALIBABACLOUD_DEFAULT", "HUAWEICLOUD_DEFAULT"):
        monkeypatch.delenv(f"AIRFLOW_CONN_{name}")
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", f"{__name__}.Vault")
    Vault.holds = {"alibabacloud_default": cloud.alibaba_connection(), "huaweicloud_default": cloud.huawei_connection()}
    Vault.away, Vault.asked = staticmethod(lambda nth: False), 0
    clear_secrets_backends_cache()
    yield Vault
    clear_secrets_backends_cache()  # Airflow keeps a backend for the rest of its process


def _away(vault: type[Vault], when: Callable[[int], bool]) -> None:
    vault.away = staticmethod(when)


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
@pytest.mark.parametrize("api", APIS, ids=str)
def test_before_the_submit(api: JobApi, mode: str, vault: type[Vault], control: Control, template: Any) -> None:
    """What Airflow's own operators do too: the attempt fails, and a retry makes it good."""
    control.create_job("drs.job", "task-1")
    _away(vault, lambda nth: True)
    new = api.submitting("task-1", str(template))
    ran = run(lambda: api.operator(task_id="t", **new, poll_interval=FAST, **MODES[mode][1]))
    assert (type(ran.error), ran.state) == (SubmitFailed, RETRY)
    assert "default'" in str(ran.error)
    assert "see why Airflow cannot read it" in str(ran.error)
    assert control.stats()["operations"] == {}
    _away(vault, lambda nth: False)
    assert run(lambda: api.operator(task_id="t", **new, poll_interval=FAST, **MODES[mode][1])).state == SUCCESS


@pytest.mark.parametrize("mode", ["blocking", "deferrable", "poke", "deferrable sensor"])
@pytest.mark.parametrize("api", [ICE, DLI], ids=str)
def test_a_connection_that_nobody_has_made(
    api: JobApi, mode: str, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow says of it what it says of one whose secrets backend is away."""
    conn_id = f"{'alibaba' if api is ICE else 'huawei'}cloud_default"
    monkeypatch.delenv(f"AIRFLOW_CONN_{conn_id.upper()}")
    kind, arguments = MODES[mode]
    make = api.operator if kind == "operator" else api.sensor
    ran = run(lambda: make(task_id="t", **(api.new if kind == "operator" else api.waiting("k")), **arguments))
    assert (type(ran.error), ran.state) == (SubmitFailed, RETRY)
    for part in (conn_id, "defined", f"create connection {conn_id!r} if there is none"):
        assert part in str(ran.error)
    assert cloud.control.stats()["operations"] == {}


@pytest.mark.parametrize(
    ("options", "state"), [({}, RETRY), ({"soft_fail": True}, RETRY), ({"never_fail": True}, SKIPPED)]
)
@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable sensor"])
def test_before_a_sensor_has_looked(mode: str, options: dict[str, bool], state: str, vault: type[Vault]) -> None:
    """``soft_fail`` is for what a retry cannot help, ``never_fail`` for all; as Airflow has it in poke mode."""
    _away(vault, lambda nth: True)
    ran = run(lambda: DLI.sensor(task_id="t", job_id="k", poke_interval=FAST, **options, **MODES[mode][1]))
    assert ran.state == state
    assert isinstance(ran.error, AirflowSkipException if state == SKIPPED else SubmitFailed)
    assert "huaweicloud_default" in str(ran.error) or "huaweicloud_default" in ran.log


def test_between_two_looks_of_a_sensor_that_gives_its_worker_back(vault: type[Vault], control: Control) -> None:
    control.create_job(DLI.api, "k")
    _away(vault, lambda nth: nth == 2)
    ran = run(lambda: DLI.sensor(task_id="t", job_id="k", poke_interval=FAST, mode="reschedule"))
    assert ran.state == SUCCESS
    assert ran.reschedules >= 2
    assert "WARNING" in ran.log
    assert ran.result["console_url"] == f"{DLI.console}?region=cn-north-4"


def test_when_time_runs_out_between_two_looks(vault: type[Vault], control: Control) -> None:
    control.create_job(DLI.api, "k", "forever")
    _away(vault, lambda nth: nth > 1)
    ran = run(lambda: DLI.sensor(task_id="t", job_id="k", poke_interval=0.2, mode="reschedule", timeout=0.5))
    assert (type(ran.error), ran.state) == (JobTimedOut, FAILED)
    assert "could not be read" in str(ran.error)


def test_while_a_triggerer_waits_for_longer_than_is_waited_out(vault: type[Vault], control: Control) -> None:
    """It says nothing of the job, so a retry goes on with it; nothing is cancelled."""
    control.plan(DLI.api, "forever")
    _away(vault, lambda nth: nth > 1)
    ti = TaskInstance()
    ti.max_tries = 1
    ran = run(lambda: DLI.operator(task_id="t", **DLI.new, deferrable=True, poll_interval=FAST), ti=ti)
    assert (type(ran.error), ran.state) == (LookUpFailed, RETRY)
    assert "could not be read" in str(ran.error)
    assert "the next attempt goes on with it" in ran.log
    assert control.stats()["cancels"] == {}


def _after_the_end(make: Callable[[], Any], vault: type[Vault], *, older: bool = False) -> Callable[[], Any]:
    """A deferred task's last part, run with the vault away.

    :param make: makes the task.
    :param older: the trigger and its event are of the release before, which did not know the console's address.
    """
    context = {"ti": TaskInstance(), "task_state_store": Store()}
    with pytest.raises(TaskDeferred) as deferred:
        rendered(make, context).execute(context)
    path, kwargs = deferred.value.trigger.serialize()
    kwargs = json.loads(json.dumps(kwargs))
    if older:
        del kwargs["console_url"]
    event = asyncio.run(first_event(path, kwargs))
    if older:
        del event["console_url"]
    _away(vault, lambda nth: True)
    return lambda: rendered(make, context).resume_execution("execute_complete", {"event": event}, context)


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("kind", ["operator", "sensor"])
def test_a_success_that_is_told_by_then(kind: str, older: bool, vault: type[Vault], control: Control) -> None:
    control.create_job(DLI.api, "k")
    makes: dict[str, Callable[[], Any]] = {
        "operator": lambda: DLI.operator(task_id="t", **DLI.new, deferrable=True, poll_interval=FAST),
        "sensor": lambda: DLI.sensor(task_id="t", job_id="k", deferrable=True, poke_interval=FAST),
    }
    result = _after_the_end(makes[kind], vault, older=older)()
    assert result["outcome"] == "succeeded"
    assert result["console_url"] == DLI.console if older else f"{DLI.console}?region=cn-north-4"
    assert older or vault.asked == 2, "once by the worker, once by the triggerer, and not for what the event tells"


@pytest.mark.parametrize("older", [False, True])
def test_a_failure_keeps_the_clouds_reason(older: bool, vault: type[Vault], control: Control) -> None:
    control.plan(DLI.api, "fail", reason="disk full on node 7")
    make = lambda: DLI.operator(task_id="t", **DLI.new, deferrable=True, poll_interval=FAST)  # noqa: E731
    finish = _after_the_end(make, vault, older=older)
    with pytest.raises(JobFailed, match="disk full on node 7"):
        finish()


@pytest.mark.parametrize("end", [None, "fail"])
def test_a_job_that_is_waited_for_on_the_worker(end: str | None, vault: type[Vault], control: Control) -> None:
    control.plan(DLI.api, end, reason="disk full on node 7" if end else None)
    _away(vault, lambda nth: nth > 1)
    ran = run(lambda: DLI.operator(task_id="t", **DLI.new, poll_interval=FAST))
    assert ran.state == (RETRY if end else SUCCESS)
    assert ("disk full on node 7" in str(ran.error)) == bool(end)


def test_a_late_job_is_late_even_if_it_cannot_be_cancelled(vault: type[Vault], control: Control) -> None:
    control.plan(DLI.api, "forever")
    finish = _after_the_end(
        lambda: DLI.operator(task_id="t", **DLI.new, deferrable=True, poll_interval=FAST, wait_timeout=0.3), vault
    )
    with pytest.raises(JobTimedOut):
        finish()
    assert control.stats()["cancels"] == {}


def test_an_address_that_cannot_be_asked_for_again_is_a_warning(vault: type[Vault]) -> None:
    make = lambda: DMS_EXPORT.operator(  # noqa: E731
        task_id="t", **DMS_EXPORT.submitting(), deferrable=True, include_download_url=True, poll_interval=FAST
    )
    assert _after_the_end(make, vault)()["outcome"] == "succeeded"
