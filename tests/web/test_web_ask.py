# SPDX-License-Identifier: Apache-2.0
"""The page on which a person is asked what became of a submit."""

from __future__ import annotations

from web_browser import Browser

from airflow_cloudjobs.ask import ADOPT
from airflow_cloudjobs.demo.local_airflow import LocalAirflow
from airflow_cloudjobs.localcloud import LocalCloud


def test_a_person_reads_what_was_sent_types_a_key_and_the_task_goes_on(
    airflow: LocalAirflow, browser: Browser, cloud: LocalCloud
) -> None:
    cloud.control.fault("reset", "submit", after_commit=True, count=1)
    run_id = airflow.trigger("asking")
    airflow.wait_for_task("asking", run_id, "upload", {"awaiting_input"}, timeout=90)
    browser.driver.set_window_size(1280, 1100)
    browser.open(f"/dags/asking/runs/{run_id}/tasks/upload/required_actions")
    field = browser.the("input[name='element_job_key']")
    text = browser.text()
    for shown in ("did the cloud take the job?", "Sent:", 'file_name: "订单_orders.sql"', "Why nobody knows:", "Fail"):
        assert shown in text
    assert "verysecret" not in browser.markup()
    browser.shot("asking")
    [job] = cloud.control.jobs("dms.file_upload")
    browser.put(field, job["key"])
    browser.shot("asking-key-typed")
    browser.click("button", ADOPT)
    assert airflow.wait_for_run("asking", run_id, timeout=90)["state"] == "success"
    assert airflow.xcom("asking", run_id, "upload", "job_key") == job["key"]
    assert len(cloud.control.jobs("dms.file_upload")) == 1
