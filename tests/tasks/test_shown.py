# SPDX-License-Identifier: Apache-2.0
"""What others see of a job: a result that fits into an XCom, its progress, the events of assets."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import SetXCom
from airflow.sdk.execution_time.context import OutletEventAccessors
from support.jobapis import DLI, DMS_UPLOAD, DRS, MODES
from taskbench import SUCCESS, Ran, TaskInstance, run

from airflow_cloudjobs.exceptions import JobFailed, TaskRefused
from airflow_cloudjobs.huawei.dli import QUERY, SQL_JOB
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.jobs.compiled import compiled
from airflow_cloudjobs.jobs.many import as_list
from airflow_cloudjobs.jobs.spec import Observation
from airflow_cloudjobs.jobs.wait import Wait, WaitPlan
from airflow_cloudjobs.localcloud import Control
from airflow_cloudjobs.telling import told_of
from airflow_cloudjobs.trigger import CloudJobTrigger

LIMIT = "AIRFLOW__CLOUDJOBS__MAX_XCOM_BYTES"
ORDERS = Asset(name="orders", uri="obs://shop/orders")


def waiting(mode: str, control: Control, keys: Any = "k", events: Any = None, seconds: float = 0.0, **more: Any) -> Ran:
    """Jobs of DLI that succeed and are waited for in a mode."""
    for key in as_list(keys):
        control.create_job(DLI.api, key, "success", seconds=seconds)
    kind, arguments = MODES[mode]
    task, pause = (DLI.operator, "poll_interval") if kind == "operator" else (DLI.sensor, "poke_interval")
    given = {**DLI.waiting(keys), **arguments, pause: 0.03, **more}
    return run(lambda: task(task_id="t", **given), outlet_events=events)


class TestLimit:
    @pytest.mark.parametrize("mode", ["blocking", "deferrable", "poke"])
    def test_a_long_result_is_cut_and_says_so(
        self, mode: str, control: Control, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(LIMIT, "1024")
        monkeypatch.setattr(DLI.operator, "_fetched", lambda self, result: {"rows": [["汉" * 10]] * 100})
        monkeypatch.setattr(DLI.sensor, "_fetched", lambda self, result: {"rows": [["汉" * 10]] * 100})
        ran = waiting(mode, control)
        assert ran.state == SUCCESS
        assert 0 < len(ran.result["result"]["rows"]) < 30
        assert ran.result["result"]["truncated"] is True
        assert "result.rows" in ran.result["cut"]
        assert ran.log.count("WARNING The result is longer than [cloudjobs] max_xcom_bytes (1024); cut are") == 1

    def test_that_of_a_failed_job_too(self, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(LIMIT, "2000")
        control.plan(DLI.api, "fail", reason="disk full " * 500)
        ran = run(lambda: DLI.operator(task_id="t", **DLI.submitting(), poll_interval=0.03))
        assert type(ran.error) is JobFailed
        assert ran.result["result"]["message"].startswith("disk full disk full")
        assert ran.result["cut"] == ["result.message"]

    @pytest.mark.parametrize("setting", ["", "48 KiB", "0", "-1", "1023", "4.5"])
    def test_a_setting_that_cannot_work_is_refused_before_anything_is_sent(
        self, setting: str, control: Control, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(LIMIT, setting)
        ran = run(lambda: DLI.operator(task_id="t", **DLI.submitting(), poll_interval=0.03))
        assert type(ran.error) is TaskRefused
        wrong = f"[cloudjobs] max_xcom_bytes is {setting!r}; allowed are whole numbers of bytes from 1024 on"
        assert wrong in str(ran.error)
        assert control.jobs() == []

    def test_a_job_that_has_ended_is_not_given_up_for_it(
        self, control: Control, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(DLI.sensor, "_announce", lambda *_: monkeypatch.setenv(LIMIT, "much"))
        ran = waiting("poke", control)
        assert ran.state == SUCCESS
        assert "max_xcom_bytes is 'much'; allowed are whole numbers of bytes from 1024 on; taking 49152" in ran.log


class TestAssets:
    @pytest.mark.parametrize("mode", MODES)
    def test_the_event_names_the_job_and_its_counts(self, mode: str, control: Control) -> None:
        events = OutletEventAccessors()
        assert waiting(mode, control, events=events, outlets=[ORDERS]).state == SUCCESS
        extra = events[ORDERS].extra
        assert extra == {"api": DLI.api, "job_key": "k", "status": "FINISHED", "counts": extra["counts"]}
        assert extra["counts"]["result_count"] == 4
        assert set(extra["counts"]) == {"result_count", "input_row_count", "bad_row_count", "input_size"}

    def test_what_others_have_said_there_stays(self, control: Control) -> None:
        events = OutletEventAccessors()
        events[ORDERS].extra.update(owner="me", status="mine")
        waiting("blocking", control, events=events, outlets=[ORDERS])
        assert (events[ORDERS].extra["owner"], events[ORDERS].extra["status"]) == ("me", "mine")
        assert events[ORDERS].extra["job_key"] == "k"

    def test_several_jobs(self, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("airflow_cloudjobs.jobs.result.MOST_KEYS", 2)
        events = OutletEventAccessors()
        waiting("poke", control, ["a", "b", "c"], events, outlets=[ORDERS])
        extra = events[ORDERS].extra
        assert (extra["job_key"], extra["jobs"], extra["status"]) == (["a", "b"], 3, "FINISHED")
        assert extra["counts"]["result_count"] == 12

    def test_a_failed_job_says_nothing(self, control: Control) -> None:
        events = OutletEventAccessors()
        control.plan(DLI.api, "fail")
        ran = run(
            lambda: DLI.operator(task_id="t", **DLI.submitting(), poll_interval=0.03, outlets=[ORDERS]),
            outlet_events=events,
        )
        assert type(ran.error) is JobFailed
        assert events[ORDERS].extra == {}

    def test_an_alias_and_an_outlet_that_is_no_asset_do_no_harm(self, control: Control) -> None:
        events = OutletEventAccessors()
        ran = waiting("blocking", control, events=events, outlets=[AssetAlias("a"), "a table", ORDERS])
        assert ran.state == SUCCESS
        assert "The asset events do not name the job" not in ran.log
        assert events[ORDERS].extra["job_key"] == "k"

    def test_an_export_that_follows_is_not_counted(self, control: Control) -> None:
        events = OutletEventAccessors()
        given = {"sql": "SELECT 1", "output_path": "obs://lake/a", "poll_interval": 0.03, "outlets": [ORDERS]}
        ran = run(lambda: DLI.operator(task_id="t", **given), outlet_events=events)
        extra = events[ORDERS].extra
        assert extra["job_key"] == ran.result["job_key"]
        assert extra["counts"]["result_count"] == ran.result["result"]["result_count"] > 0

    @pytest.mark.parametrize(("api", "count"), [(DRS, "parsed_success_number"), (DMS_UPLOAD, "FileSize")])
    def test_numbers_are_numbers(self, api: Any, count: str, control: Control) -> None:
        events = OutletEventAccessors()
        control.create_job(api.api, "k", "success")
        ran = run(
            lambda: api.sensor(task_id="t", **api.waiting("k"), poke_interval=0.03, outlets=[ORDERS]),
            outlet_events=events,
        )
        assert ran.state == SUCCESS
        assert type(events[ORDERS].extra["counts"][count]) is int


class Supervisor:
    """What a triggerer's supervisor is told to store.

    :param broken: whether it cannot.
    """

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken
        self.stored: dict[str, list[Any]] = {}

    async def asend(self, message: Any) -> None:
        if isinstance(message, SetXCom):
            if self.broken:
                raise OSError("no supervisor")
            self.stored.setdefault(message.key, []).append(message.value)


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress is told from the first look on, and at each turn."""
    monkeypatch.setattr("airflow_cloudjobs.jobs.progress.FIRST", 0.0)
    monkeypatch.setattr("airflow_cloudjobs.jobs.progress.EVERY", 0.05)
    monkeypatch.setattr("airflow_cloudjobs.telling.TURN", 0.02)


def triggered(
    monkeypatch: pytest.MonkeyPatch, supervisor: Supervisor, keys: Sequence[str] = ("k",), **more: Any
) -> list[Any]:
    """The events of a trigger that waits for jobs of DLI."""
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    plan = {"started": time.time(), "interval": 0.05}
    trigger = CloudJobTrigger(api=DLI.api, keys=keys, conn_id="huaweicloud_default", plan=plan, progress=True, **more)
    trigger.task_instance = TaskInstance()

    async def events() -> list[Any]:
        return [event async for event in trigger.run()]

    return asyncio.run(events())


@pytest.mark.usefixtures("talkative")
class TestProgress:
    def test_a_trigger_tells_it_with_what_the_cloud_says_is_done(
        self, control: Control, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        control.create_job(DLI.api, "k", "success", seconds=20)
        supervisor = Supervisor()
        triggered(monkeypatch, supervisor)
        told = supervisor.stored["progress"]
        assert all(each["job_key"] == "k" and each["waited_seconds"] >= 0 for each in told)
        assert {each["status"] for each in told} <= {"LAUNCHING", "SCALING", "RUNNING"}
        parts = [each["progress"] for each in told if "progress" in each]
        assert parts == sorted(parts)
        assert parts[0] < 1
        assert all(0 <= part <= 1 for part in parts)

    @pytest.mark.parametrize(
        ("trouble", "again"), [({"kind": "http", "status": 404}, False), ({"kind": "reset"}, True)]
    )
    def test_trouble_with_that_is_nobodys(
        self, trouble: dict[str, Any], again: bool, control: Control, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        options = {"count": None, **trouble}
        control.fault(options.pop("kind"), "ShowSqlJobProgress", **options)
        control.create_job(DLI.api, "k", "success", seconds=8)
        supervisor = Supervisor()
        [event] = triggered(monkeypatch, supervisor)
        assert event.payload["results"][0]["outcome"] == "succeeded"
        assert len(supervisor.stored["progress"]) > 1
        assert not any("progress" in each for each in supervisor.stored["progress"])
        assert (control.stats()["operations"]["ShowSqlJobProgress"]["calls"] > 1) is again

    def test_what_cannot_be_stored_is_let_go(self, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
        control.create_job(DLI.api, "k", "success", seconds=3)
        [event] = triggered(monkeypatch, Supervisor(broken=True))
        assert event.payload["results"][0]["outcome"] == "succeeded"

    def test_the_last_that_a_trigger_tells_is_the_end(self, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
        control.create_job(DLI.api, "k", "success", seconds=3)
        supervisor = Supervisor()
        triggered(monkeypatch, supervisor, console_url="https://c.test/", end_task={"several": False, "push": True})
        assert supervisor.stored["return_value"][0]["status"] == "FINISHED"
        last = supervisor.stored["progress"][-1]
        assert (last["status"], last["progress"]) == ("FINISHED", 1.0)

    @pytest.mark.parametrize("mode", MODES)
    def test_a_worker_tells_the_end(self, mode: str, control: Control) -> None:
        ran = waiting(mode, control)
        assert ran.ti.xcoms["progress"]["status"] == "FINISHED"
        assert ran.ti.xcoms["progress"]["job_key"] == "k"

    @pytest.mark.parametrize("mode", ["blocking", "poke"])
    def test_a_worker_that_waits_tells_it_too(self, mode: str, control: Control) -> None:
        ran = waiting(mode, control, seconds=5)
        pushed = [key for key, _ in ran.ti.pushed]
        assert pushed.count("progress") > 1
        assert ran.ti.xcoms["progress"]["status"] == "FINISHED"

    def test_nothing_is_told_of_a_task_without_xcoms(self, control: Control) -> None:
        for mode in ("blocking", "deferrable", "poke"):
            ran = waiting(mode, control, f"k-{mode}", do_xcom_push=False)
            assert "progress" not in ran.ti.xcoms
            assert all(trigger["progress"] is False for trigger in ran.triggers)


def test_nothing_is_told_of_a_wait_of_seconds(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    control.create_job(DLI.api, "k", "success", seconds=2)
    supervisor = Supervisor()
    triggered(monkeypatch, supervisor)
    assert "progress" not in supervisor.stored
    assert "progress" not in waiting("poke", control, "other").ti.xcoms


def test_the_waits_of_a_loop_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_cloudjobs.telling.TURN", 0.05)
    told: list[str] = []

    async def wait_together() -> None:
        started = time.time() - 3600
        async with asyncio.TaskGroup() as group:
            for number in range(300):
                group.create_task(waits(str(number), started))

    async def waits(key: str, started: float) -> None:
        async def store(value: dict[str, Any]) -> None:
            told.append(value["job_key"])

        wait = Wait(DLI.sensor.spec, [key], WaitPlan(started, 10.0), random=random.random)
        wait.take({key: Observation("RUNNING", {})}, started)
        with told_of(wait, store, None):
            await asyncio.sleep(1.5)

    asyncio.run(wait_together())
    assert 1 < len(told) <= 31, "one a turn, however many are due"
    assert len(set(told)) == len(told)


def test_a_console_with_pages_of_jobs_is_led_to_by_all(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    with_page = replace(QUERY, job_page="https://c.test/{region}/{key}")
    spec = replace(SQL_JOB, job_page=compiled(with_page).job_page)
    monkeypatch.setattr("airflow_cloudjobs.huawei.dli.SQL_JOB", spec)
    for task in (DLI.operator, DLI.sensor):
        monkeypatch.setattr(task, "spec", spec)
    for mode in MODES:
        ran = waiting(mode, control, f"k-{mode}".replace(" ", "-"))
        page = f"https://c.test/cn-north-4/k-{mode}".replace(" ", "-")
        assert (ran.result["console_url"], ran.ti.xcoms["console_url"]) == (page, page)
        assert all(trigger["console_url"] == page for trigger in ran.triggers)
    control.plan(DLI.api, "fail")
    ran = run(lambda: DLI.operator(task_id="t", **DLI.submitting(), poll_interval=0.03))
    assert f"Console: https://c.test/cn-north-4/{ran.result['job_key']}" in str(ran.error)
    assert "c.test" not in waiting("poke", control, ["a", "b"]).result[0]["console_url"]


def test_the_region_can_be_asked_for_until_the_next_release(control: Control) -> None:
    hook = HuaweiCloudHook()
    with pytest.warns(DeprecationWarning, match="aregion goes with the next release"):
        assert asyncio.run(hook.aregion()) == "cn-north-4"
