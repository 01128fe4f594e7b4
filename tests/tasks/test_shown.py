# SPDX-License-Identifier: Apache-2.0
"""What others see of a job: a result that fits into an XCom, its progress, the events of assets."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors
from support.jobapis import DLI, DMS_UPLOAD, DRS, MODES
from taskbench import SUCCESS, Ran, run

from airflow_cloudjobs.exceptions import JobFailed, TaskRefused
from airflow_cloudjobs.jobs.many import as_list
from airflow_cloudjobs.localcloud import Control

LIMIT = "AIRFLOW__CLOUDJOBS__MAX_XCOM_BYTES"
ORDERS = Asset(name="orders", uri="obs://shop/orders")


def waiting(mode: str, control: Control, keys: Any = "k", events: Any = None, **more: Any) -> Ran:
    """Jobs of DLI that succeed and are waited for in a mode."""
    for key in as_list(keys):
        control.create_job(DLI.api, key, "success")
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
