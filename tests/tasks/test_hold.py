# SPDX-License-Identifier: Apache-2.0
"""How soon a task that has left its worker comes back to one: not before Airflow's scheduler must have seen it leave.

That this is long enough is shown on a real Airflow, by ``tests/faults``. What would hang here fails by its limit.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred
from support.jobapis import DLI
from taskbench import Store, TaskInstance, first_event, rendered

from airflow_cloudjobs import compat
from airflow_cloudjobs.localcloud import Control
from airflow_cloudjobs.trigger import CloudJobTrigger

FAST = 0.03
SHORT, LONG = 2.0, 600.0
LIMIT = 60.0
"""Seconds for what is not to be held; much less than a long hold."""

USERS_HAVE = compat.EVENT_HOLD
"""As it is before the fixtures of this folder change it."""

HOLD = "airflow_cloudjobs.compat.EVENT_HOLD"
TRIGGER = f"{CloudJobTrigger.__module__}.{CloudJobTrigger.__qualname__}"

pytestmark = pytest.mark.usefixtures("cloud")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HOLD, SHORT)


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HOLD, LONG)


def deferred(make: Any) -> dict[str, Any]:
    """The arguments of the trigger that a task leaves to a triggerer, as they are stored."""
    context = {"ti": TaskInstance(), "task_state_store": Store()}
    with pytest.raises(TaskDeferred) as leaving:
        rendered(make, context).execute(context)
    path, kwargs = leaving.value.trigger.serialize()
    assert path == TRIGGER
    stored: dict[str, Any] = json.loads(json.dumps(kwargs))
    return stored


def operator(**more: Any) -> dict[str, Any]:
    return deferred(lambda: DLI.operator(task_id="t", **DLI.new, deferrable=True, poll_interval=FAST, **more))


def sensor(**more: Any) -> dict[str, Any]:
    return deferred(lambda: DLI.sensor(task_id="t", job_id="k", deferrable=True, poke_interval=FAST, **more))


def told(kwargs: dict[str, Any]) -> Any:
    """What a trigger tells, within the limit."""

    async def limited() -> Any:
        async with asyncio.timeout(LIMIT):
            return await first_event(TRIGGER, kwargs)

    return asyncio.run(limited())


def about(**plan: Any) -> dict[str, Any]:
    """The arguments of a trigger that waits for the job ``k``."""
    return {"api": DLI.api, "keys": ["k"], "conn_id": "huaweicloud_default", "plan": {"interval": FAST, **plan}}


def test_it_is_as_long_as_airflow_needs() -> None:
    assert USERS_HAVE == 10.0


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("end", "outcome"), [("success", "succeeded"), ("fail", "failed"), ("forever", "timed_out")])
def test_an_event_is_held_while_polls_go_on(end: str, outcome: str, control: Control) -> None:
    control.plan(DLI.api, end)
    kwargs = operator(wait_timeout=0.5 if end == "forever" else None)
    event = told(kwargs)
    came = time.time()
    assert [one["outcome"] for one in event["results"]] == [outcome]
    handed_over = kwargs["plan"]["handed_over"]
    assert came - handed_over >= SHORT
    polls = [one["time"] for one in control.stats(1000)["requests"] if one["operation"] == DLI.poll]
    assert len(polls) > 1, "the end was seen by the trigger"


@pytest.mark.usefixtures("short")
def test_a_sensors_event_is_held(control: Control) -> None:
    control.create_job(DLI.api, "k", "success")
    kwargs = sensor()
    told(kwargs)
    assert time.time() - kwargs["plan"]["handed_over"] >= SHORT


@pytest.mark.usefixtures("short")
def test_trouble_that_ends_a_trigger_is_held_too() -> None:
    """Airflow brings the task back to a worker then as well, which fails it."""
    handed_over = time.time()
    with pytest.raises(Exception, match=r"no\.such"):
        told({**about(handed_over=handed_over), "api": "no.such"})
    assert time.time() - handed_over >= SHORT


@pytest.mark.usefixtures("long")
def test_it_runs_from_the_beginning_of_a_trigger_that_begins_late() -> None:
    """On a machine so busy that it does, Airflow's scheduler is late too."""

    async def held(handed_over: float) -> None:
        async with asyncio.timeout(SHORT):
            await compat.hold(handed_over, time.time())

    with pytest.raises(TimeoutError):
        asyncio.run(held(time.time() - LONG))


@pytest.mark.usefixtures("long")
def test_a_trigger_that_starts_anew_waits_no_longer_than_what_is_left(control: Control) -> None:
    control.create_job(DLI.api, "k", steps=[("FINISHED", 0)])
    event = told(about(handed_over=time.time() - 2 * LONG))
    assert event["results"][0]["outcome"] == "succeeded"


@pytest.mark.usefixtures("short")
def test_a_workers_clock_that_is_ahead_makes_it_no_longer(control: Control) -> None:
    control.create_job(DLI.api, "k", steps=[("FINISHED", 0)])
    event = told(about(handed_over=time.time() + 3600))
    assert event["results"][0]["outcome"] == "succeeded"


@pytest.mark.usefixtures("long")
def test_a_task_that_began_on_the_triggerer_has_left_no_worker(control: Control) -> None:
    control.create_job(DLI.api, "k", steps=[("FINISHED", 0)])
    task = DLI.sensor(task_id="t", job_id="k", deferrable=True, start_from_trigger=True)
    plan = task.start_trigger_args.trigger_kwargs["plan"]
    assert told(about(**plan))["results"][0]["outcome"] == "succeeded"


@pytest.mark.usefixtures("long")
def test_a_success_that_no_worker_has_to_take_is_told_at_once(control: Control) -> None:
    control.plan(DLI.api, "success")
    assert told(operator(end_from_trigger=True, do_xcom_push=False)) == "success"


@pytest.mark.usefixtures("short")
def test_a_failure_that_a_worker_has_to_take_is_held(control: Control) -> None:
    control.plan(DLI.api, "fail")
    kwargs = operator(end_from_trigger=True, do_xcom_push=False)
    assert told(kwargs)["results"][0]["outcome"] == "failed"
    assert time.time() - kwargs["plan"]["handed_over"] >= SHORT


@pytest.mark.usefixtures("long")
def test_a_kill_is_not_held(control: Control) -> None:
    """Nor is a late cancel, where the trigger makes it because the task may not get to do so (Airflow 2)."""
    control.plan(DLI.api, "forever")
    kwargs = operator(wait_timeout=0.5)

    async def out_of_time_and_killed() -> None:
        trigger = CloudJobTrigger(**kwargs)
        waiting = asyncio.ensure_future(anext(trigger.run()))
        async with asyncio.timeout(LIMIT):
            while not control.stats()["cancels"]:
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)
            assert not waiting.done(), "its event is held"
            waiting.cancel()
            await asyncio.wait([waiting])
        assert waiting.cancelled()

    with pytest.MonkeyPatch.context() as airflow_2:
        airflow_2.setattr(compat, "LATE_TASKS_RESUME", False)
        asyncio.run(out_of_time_and_killed())


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize(
    "options",
    [{}, {"exponential_backoff": True}, {"timeout": 5}, {"poke_interval": 2 * LONG}],
    ids=["short pauses", "growing pauses", "little time", "long pauses"],
)
def test_a_rescheduled_sensor_stays_away_as_long(options: dict[str, Any], control: Control) -> None:
    control.create_job(DLI.api, "k", "forever")
    context = {"ti": TaskInstance(), "task_state_store": Store()}
    task = rendered(
        lambda: DLI.sensor(task_id="t", job_id="k", mode="reschedule", **{"poke_interval": 1, **options}), context
    )
    began = datetime.now(UTC)
    with pytest.raises(AirflowRescheduleException) as leaving:
        task.execute(context)
    pause = max(LONG, options.get("poke_interval", 0.0))
    assert leaving.value.reschedule_date >= began + timedelta(seconds=pause)
    assert leaving.value.reschedule_date <= datetime.now(UTC) + timedelta(seconds=pause)
