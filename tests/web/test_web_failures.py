# SPDX-License-Identifier: Apache-2.0
"""What the log page of a red task shows at once: why, what to do, and where; nothing of it cut off by its edge."""

from __future__ import annotations

from typing import Any

import pytest
from web_browser import Browser

from airflow_cloudjobs.demo.local_airflow import LocalAirflow
from airflow_cloudjobs.next_step import NEXT

#: The log's lines with their level, text and edges; where the page cuts them off; where the trace begins.
_LINES = """
    const list = document.querySelector("[data-testid=virtualized-list]");
    if (!list) return null;
    let box = list;
    while (box && !/auto|scroll/.test(getComputedStyle(box).overflowY)) box = box.parentElement;
    const view = box.getBoundingClientRect();
    const edges = element => {
        const range = document.createRange();
        range.selectNodeContents(element);
        const rects = [...range.getClientRects()];
        return {right: Math.max(...rects.map(r => r.right)), top: Math.min(...rects.map(r => r.top)),
                bottom: Math.max(...rects.map(r => r.bottom))};
    };
    const lines = [...list.querySelectorAll("[data-testid^=virtualized-item]")].map(item => {
        const level = [...item.querySelectorAll("code")].find(e => /^(INFO|WARNING|ERROR)$/.test(e.innerText));
        const event = item.querySelector(".event");
        return level && event && {level: level.innerText, text: event.innerText, ...edges(event)};
    });
    const frames = [...list.querySelectorAll("*")].filter(each => each.innerText?.startsWith('File "'));
    return {lines: lines.filter(Boolean), right: view.left + box.clientWidth, top: view.top, bottom: view.bottom,
            trace: Math.min(...frames.map(each => each.getBoundingClientRect().top), view.bottom)};
"""

TOLD = {
    "failed": ("FAILED: Job aborted due to stage failure", "fix what the reason says, then clear this task"),
    "deferred": ("FAILED: Job aborted due to stage failure", "fix what the reason says, then clear this task"),
    "time_out": ("wait_timeout of 5 s ran out while the job was RUNNING; it was cancelled", "raise wait_timeout"),
    "unknown_key": ("DLI.0002: The job no-such-job does not exist", "check the key, the region and the account"),
    "skipped": ("DLI.0002: The job no-such-job does not exist", "check the key, the region and the account"),
    "wrong_secret": ("SignatureDoesNotMatch: Specified signature", "the AccessKey secret is wrong: check the"),
}
"""By task what happened and what to do."""


@pytest.fixture(scope="module")
def red(airflow: LocalAirflow) -> str:
    """The run in which they have ended."""
    run_id = airflow.trigger("red")
    airflow.wait_for_run("red", run_id, timeout=240)
    return run_id


@pytest.mark.parametrize("task_id", TOLD)
def test_all_that_matters_is_in_view(task_id: str, red: str, browser: Browser) -> None:
    browser.driver.set_window_size(1280, 1100)
    browser.open(f"/dags/red/runs/{red}/tasks/{task_id}")
    level = "WARNING" if task_id == "skipped" else "ERROR"

    def shown() -> dict[str, Any] | None:
        page: dict[str, Any] | None = browser.driver.execute_script(_LINES)
        if not page:
            return None
        ours = (line for line in page["lines"] if "Skipping masking" not in line["text"])  # which is Airflow's
        page["lines"] = [line for line in ours if line["level"] == level][:3]
        return page if len(page["lines"]) == 3 else None

    page = browser.until("the three lines", shown)
    browser.shot(f"red-{task_id}")
    happened, to_do = TOLD[task_id]
    what, step, where = (" ".join(line["text"].split()) for line in page["lines"])
    assert what.startswith(happened)
    assert step.startswith(NEXT)
    assert to_do in step
    assert where.startswith(("dli.sql_job", "ice.url_upload"))
    assert "https://" in where
    for line in page["lines"]:
        assert line["right"] <= page["right"], f"cut off by the edge: {line['text']}"
        assert page["top"] <= line["top"], f"above what is in view: {line['text']}"
        assert line["bottom"] <= min(page["bottom"], page["trace"]), f"below what is in view: {line['text']}"
