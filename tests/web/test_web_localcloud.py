# SPDX-License-Identifier: Apache-2.0
"""The page of the local clouds: what it shows of a job that is waited for, and what its buttons do to it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from web_browser import Browser

from airflow_cloudjobs.localcloud import LocalCloud

API, KEY = "dli.sql_job", "job-1"
SQL = "SELECT 城市 FROM 订单 WHERE <b>a</b> = 1"


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud() as cloud:
        yield cloud


@pytest.fixture(scope="module")
def page(cloud: LocalCloud) -> Iterator[Browser]:
    with Browser(cloud.url) as page:
        yield page


@pytest.fixture(autouse=True)
def as_new(cloud: LocalCloud, page: Browser) -> None:
    cloud.control.reset()
    page.open("/")


@pytest.fixture
def waiting(cloud: LocalCloud) -> Iterator[subprocess.Popen[str]]:
    """A job that never ends by itself, and somebody who waits for it."""
    cloud.control.create_job(API, KEY, "forever", fields={"sql": SQL}, seconds=1.0)
    environment = {**os.environ, "AIRFLOW_CONN_HUAWEICLOUD_DEFAULT": json.dumps(cloud.huawei_connection())}
    command = [sys.executable, "-m", "airflow_cloudjobs.cli", "wait", API, KEY, "--interval", "1"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as waiting:
        yield waiting
        waiting.kill()


def row(page: Browser) -> WebElement:
    return page.the(f"tr[data-key={KEY}]")


def test_a_job_is_watched_troubled_and_failed(page: Browser, waiting: subprocess.Popen[str]) -> None:
    page.until("polls of the job", lambda: "polls" in row(page).text)
    assert SQL in row(page).text
    assert "RUNNING" in row(page).text

    page.put(page.the("#seconds"), "600")
    page.click("button", "throttling")
    page.until("the fault strikes", lambda: re.search(r"struck [1-9]", page.the("#faults li").text))
    page.until("the refusals", lambda: "APIGW.0308" in page.the("#operations").text)
    page.click("button", "Clear all faults")
    page.until("no fault", lambda: not page.all("#faults li"))

    page.click("button", f"Fail {API} {KEY}", row(page))
    page.until("the job's end", lambda: "FAILED" in row(page).text)
    assert not page.all("button", row(page)), "there is nothing more to do to it"
    assert waiting.wait(60) == 1
    page.shot("localcloud")


def test_a_job_is_stalled_where_it_is_and_finished_with_the_keyboard(cloud: LocalCloud, page: Browser) -> None:
    cloud.control.create_job(API, KEY, steps=[["LAUNCHING", 0], ["RUNNING", 3600], ["FINISHED", 0]])
    page.until("RUNNING", lambda: "RUNNING" in row(page).text)
    page.click("button", f"Stall {API} {KEY}")
    page.until("it is said", lambda: "for ever" in page.the("#said").text)
    assert cloud.control.job(API, KEY)["status"] == "RUNNING"
    page.the("button", f"Finish {API} {KEY}").send_keys(Keys.ENTER)
    page.until("FINISHED", lambda: "FINISHED" in row(page).text)
    assert cloud.control.job(API, KEY)["succeeded"]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_whoever_looks(cloud: LocalCloud, page: Browser, width: int, scheme: str) -> None:
    cloud.control.create_job("dms.file_upload", "客户资料-" + "x" * 60, fields={"FileName": "客户资料.sql"})
    for end in ("success", "fail", "forever"):
        cloud.control.create_job(API, end, end, seconds=1.0, fields={"sql": SQL * 20})
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.until("all jobs", lambda: len(page.all("#jobs tr")) == 4)
    page.shot(f"localcloud-{scheme}-{width}")
    assert page.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_500_jobs_do_not_freeze_it(cloud: LocalCloud, page: Browser) -> None:
    for number in range(510):
        cloud.control.create_job(API, f"many-{number}", seconds=600, fields={"sql": SQL})
    page.until("the newest", lambda: page.the("tr[data-key=many-509]"))
    assert page.driver.execute_script("return document.querySelectorAll('#jobs tr').length") == 500
    longest = page.driver.execute_async_script(
        """const done = arguments[0], began = performance.now();
        let longest = 0, last = began;
        requestAnimationFrame(function frame(now) {
            longest = Math.max(longest, now - last);
            last = now;
            now - began > 5000 ? done(longest) : requestAnimationFrame(frame);
        });"""
    )
    assert longest < 1000, "milliseconds between two frames, on a machine that may be busy"
    page.put(page.the("#filter"), "many-7")
    page.until("those asked for", lambda: len(page.all("#jobs tr")) == 10)
