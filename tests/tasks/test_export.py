# SPDX-License-Identifier: Apache-2.0
"""A query whose result is exported: a second job of the same task, on every way that a first one goes."""

from __future__ import annotations

from typing import Any

import pytest
from support.jobapis import DLI, MODES
from taskbench import SUCCESS, Ran, run

from airflow_cloudjobs.localcloud import Control

FAST = 0.03
PATH = "obs://lake/daily/2026-01-01"
BOTH = pytest.mark.parametrize("mode", ["blocking", "deferrable"])


def query(mode: str = "blocking", **arguments: Any) -> Any:
    given = {"sql": "SELECT 1", "output_path": PATH, "poll_interval": FAST, **MODES[mode][1], **arguments}
    return DLI.operator(task_id="t", **given)


def exports(control: Control) -> list[dict[str, Any]]:
    return [job for job in control.jobs(DLI.api) if job["fields"].get("job_type") == "EXPORT"]


def queries(control: Control) -> list[dict[str, Any]]:
    return [job for job in control.jobs(DLI.api) if job["fields"].get("job_type") != "EXPORT"]


@BOTH
@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_the_result_is_the_querys_with_the_export_in_it(mode: str, seconds: float, control: Control) -> None:
    control.settings(job_seconds=seconds)
    ran = run(lambda: query(mode, output_options={"with_column_header": True}))
    assert (ran.state, ran.error) == (SUCCESS, None)
    [asked], [export] = queries(control), exports(control)
    assert ran.deferrals == (2 if mode == "deferrable" and seconds else 0)
    assert (ran.result["job_key"], ran.result["outcome"]) == (asked["key"], "succeeded")
    assert ran.result["result"]["job_type"] == "QUERY"
    assert ran.result["result"]["export"] == {
        "job_key": export["key"],
        "outcome": "succeeded",
        "status": "FINISHED",
        "reason": "",
        "request_id": ran.result["result"]["export"]["request_id"],
        "output_path": PATH,
    }
    assert ran.ti.xcoms["job_key"] == asked["key"]
    assert ran.ti.xcoms["export_job_key"] == export["key"]
    assert export["fields"]["data_path"] == PATH
    assert export["fields"]["with_column_header"] is True
