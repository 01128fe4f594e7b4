# SPDX-License-Identifier: Apache-2.0
"""What a triggerer or a worker of the release before has stored is gone on with."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from support.jobapis import DLI, DMS_UPLOAD, DRS
from taskbench import Store, TaskInstance, first_event, rendered

from airflow_cloudjobs.exceptions import JobFailed, JobFailedForGood, JobOutcomeUnknown, JobTimedOut
from airflow_cloudjobs.localcloud import Control
from airflow_cloudjobs.trigger import CloudJobTrigger

pytestmark = pytest.mark.usefixtures("cloud")


def event(outcome: str, **more: Any) -> dict[str, Any]:
    """The event of a trigger of the release before."""
    end = {"key": "k", "ending": outcome, "status": "S", "reason": "why", "record": {"status": "S"}, **more}
    return {"api": DLI.api, "try_number": 1, "ends": [end]}


def completed(task: Any, told: dict[str, Any]) -> Any:
    context = {"ti": TaskInstance(), "task_state_store": Store()}
    return task.resume_execution("execute_complete", {"event": told}, context)


def sensor() -> Any:
    return rendered(lambda: DLI.sensor(task_id="t", **DLI.waiting("k")), {})


def adopting() -> Any:
    return rendered(lambda: DLI.operator(task_id="t", **DLI.waiting("k"), cancel_on_kill=True), {})


@pytest.mark.parametrize("make", [sensor, adopting])
def test_a_success(make: Any) -> None:
    result = completed(make(), event("succeeded"))
    assert (result["outcome"], result["job_key"], result["status"]) == ("succeeded", "k", "S")


def test_a_failure() -> None:
    with pytest.raises(JobFailedForGood, match="S: why"):
        completed(sensor(), event("failed"))
    with pytest.raises(JobFailed, match="S: why"):
        completed(adopting(), event("cancelled"))


def test_what_ran_out_of_time_is_cancelled(control: Control) -> None:
    control.create_job(DLI.api, "k", "forever")
    with pytest.raises(JobTimedOut):
        completed(adopting(), event("timed_out"))
    assert control.stats()["cancels"] == {DLI.api: 1}


@pytest.mark.parametrize("strange", [{"ends": []}, {"results": []}, {}, {"ends": [{"key": "k"}]}, {"ends": 5}])
def test_a_strange_event_is_never_success(strange: dict[str, Any]) -> None:
    with pytest.raises(JobOutcomeUnknown):
        completed(sensor(), {"api": DLI.api, "try_number": 1, **strange})


def test_a_trigger_that_a_worker_of_the_release_before_has_stored(control: Control) -> None:
    """The end of an earlier import is shown for a moment, and must not be taken for that of ours."""
    control.create_job(DRS.api, "task-1", steps=[("success", 0)])
    stored = first_shown(control)
    plan = {"started": 0.0, "interval": 0.2, "earlier": stored, "earlier_until": 4e9, "deadline": 1.0}
    told = asyncio.run(waited(DRS, "task-1", plan, {}))
    assert [one["outcome"] for one in told["results"]] == ["timed_out"]


def test_since_when_a_status_is_unknown(control: Control) -> None:
    control.create_job(DMS_UPLOAD.api, "k", steps=[("PAUSED_BY_OWNER", 600)])
    told = asyncio.run(waited(DMS_UPLOAD, "k", {"interval": 5.0, "deadline": time.time() + 20.0}, {"k": 1.0}))
    assert [one["outcome"] for one in told["results"]] == ["unreadable"]


def first_shown(control: Control) -> Any:
    """The record of a finished import, as the cloud shows it."""
    told = asyncio.run(waited(DRS, "task-1", {"interval": 0.2}, {}))
    return told["results"][0]["record"]


async def waited(api: Any, key: str, plan: dict[str, Any], doubts: dict[str, float]) -> Any:
    hook = api.sensor._hook_class()
    trigger = {"api": api.api, "keys": [key], "conn_id": hook.default_conn_name, "plan": plan, "doubts": doubts}
    return await first_event(f"{CloudJobTrigger.__module__}.CloudJobTrigger", trigger)
