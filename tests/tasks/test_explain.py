# SPDX-License-Identifier: Apache-2.0
"""An API whose poll does not say why a job failed: the worker asks once for that, and it never changes the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from support.jobapis import DLI, MODES
from taskbench import FAILED, RETRY, SUCCESS, Ran, run

from airflow_cloudjobs.exceptions import JobFailed, JobFailedForGood
from airflow_cloudjobs.huawei.dli import SQL_JOB
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.jobs.spec import Explain, Scope
from airflow_cloudjobs.localcloud import Control

DETAIL = "ShowSqlJobDetail"
REASON = "disk full on node 7"
SIGNED = "https://bucket.obs.test/log?Signature=s3cret"


def _ask(key: str, scope: Scope) -> ApiRequest:
    return ApiRequest("dli", DETAIL, "GET", f"/v1.0/{{project_id}}/jobs/{key}/detail", idempotent=True)


def _message(answer: Mapping[str, Any]) -> str:
    return str(answer["message"])


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """DLI as if its status did not say why a job failed, but its detail did."""
    spec = replace(SQL_JOB, reason=(), explain=Explain(_ask, _message))
    monkeypatch.setattr("airflow_cloudjobs.huawei.dli.SQL_JOB", spec)
    for task in (DLI.operator, DLI.sensor):
        monkeypatch.setattr(task, "spec", spec)


def failing(mode: str, control: Control, end: str = "fail", reason: str = REASON) -> Ran:
    kind, arguments = MODES[mode]
    if kind == "operator":
        control.plan(DLI.api, end, reason=reason)
        return run(lambda: DLI.operator(task_id="t", **DLI.submitting(), poll_interval=0.03, **arguments))
    control.create_job(DLI.api, "k", end, reason=reason)
    return run(lambda: DLI.sensor(task_id="t", **DLI.waiting("k"), poke_interval=0.03, **arguments))


def asked(control: Control) -> int:
    calls: int = control.stats()["operations"].get(DETAIL, {}).get("calls", 0)
    return calls


@pytest.mark.parametrize("mode", MODES)
def test_a_failure_is_explained(mode: str, control: Control) -> None:
    ran = failing(mode, control, reason=f"{REASON}, see {SIGNED}")
    operator = MODES[mode][0] == "operator"
    assert type(ran.error) is (JobFailed if operator else JobFailedForGood)
    assert f"FAILED: {REASON}" in str(ran.error)
    [reason] = [result.reason for result in ran.error.results]
    assert reason.startswith(REASON)
    assert asked(control) == 1
    assert "s3cret" not in f"{ran.error} {ran.log} {reason}"


@pytest.mark.parametrize("trouble", [{"kind": "http", "status": 403}, {"kind": "reset"}, {"kind": "html"}])
@pytest.mark.parametrize("mode", ["blocking", "deferrable", "poke"])
def test_trouble_with_that_is_a_line_in_the_log(mode: str, trouble: dict[str, Any], control: Control) -> None:
    options = dict(trouble)
    control.fault(options.pop("kind"), DETAIL, **options)
    ran = failing(mode, control)
    operator = MODES[mode][0] == "operator"
    assert (type(ran.error), ran.state) == ((JobFailed, RETRY) if operator else (JobFailedForGood, FAILED))
    assert "FAILED: the cloud gives no reason" in str(ran.error)
    assert ran.log.count("could not be asked why it failed") == 1
    assert "WARNING" in ran.log
    assert asked(control) == 1


def test_an_answer_without_a_reason(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = replace(DLI.sensor.spec, explain=Explain(_ask, lambda answer: str(answer["no such field"])))
    monkeypatch.setattr(DLI.sensor, "spec", spec)
    ran = failing("poke", control)
    assert type(ran.error) is JobFailedForGood
    assert "could not be asked why it failed: 'no such field'" in ran.log


@pytest.mark.parametrize("mode", ["blocking", "poke"])
def test_nobody_asks_about_other_ends(mode: str, control: Control) -> None:
    assert failing(mode, control, "success").state == SUCCESS
    control.reset()
    assert "CANCELLED: the cloud gives no reason" in str(failing(mode, control, "cancelled").error)
    assert asked(control) == 0


def test_nobody_asks_where_the_record_tells(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DLI.sensor, "spec", replace(DLI.sensor.spec, reason=("message",)))
    assert REASON in str(failing("poke", control).error)
    assert asked(control) == 0
