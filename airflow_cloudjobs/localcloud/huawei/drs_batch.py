# SPDX-License-Identifier: Apache-2.0
"""Data Replication Service v3: tasks are started, asked for and paused several in one call.

The key of a run is that of its task. What becomes of each task stands in the answer, refusals too. A page of states has
five tasks unless the request says otherwise. That unknown tasks are left out of it, and that a task may be started
again once it does not run, are guesses.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei.drs import NO_TASK, NO_TASK_MESSAGE, exists
from airflow_cloudjobs.localcloud.huawei.kept import KeptJobs
from airflow_cloudjobs.localcloud.huawei.rest import answer
from airflow_cloudjobs.localcloud.jobs import Job

JOBS = KeptJobs("drs.migration", "drs", bad="DRS.M00202", unknown=NO_TASK, late="DRS.10000001")
#: A task that exists and was not started.
CONFIGURATION = "CONFIGURATION"

_PAGE = 5


def batch_start_jobs(call: Call) -> Answer:
    """BatchStartJobs: start tasks."""

    def start(task: dict[str, Any]) -> None:
        key = task["job_id"]
        job = _known(call, key)
        if job is not None and not job.ended(call.now):
            raise Refused(400, JOBS.late, "The task has been started.")
        JOBS.submit(call, key, task, call.state.script(JOBS.api, json.dumps(task, ensure_ascii=False)))

    return _each(call, start)


def batch_list_job_status(call: Call) -> Answer:
    """BatchListJobStatus: the states of tasks, a page of them."""
    body = JOBS.body(call, jobs=list)
    page = body.get("page_req") or {}
    number, size = page.get("cur_page", 1), page.get("per_page", _PAGE)
    if not (isinstance(number, int) and number >= 1 and isinstance(size, int) and 0 <= size <= 100):
        raise JOBS.refused("The value of parameter page_req is invalid.")
    keys = [str(key) for key in body["jobs"]]
    if size:
        keys = keys[(number - 1) * size : number * size]
    results = [told for key in keys if (told := _told(call, key)) is not None]
    return answer(call, {"results": results, "count": len(results)})


def batch_stop_jobs(call: Call) -> Answer:
    """BatchStopJobs: pause tasks that run."""

    def pause(task: dict[str, Any]) -> None:
        if task.get("pause_mode", "all") not in {"target", "all"}:
            raise JOBS.refused("The value of parameter pause_mode is invalid.")
        call.keys.append(task["job_id"])
        job = _known(call, task["job_id"])
        if job is None:
            raise Refused(400, JOBS.late, "The task has not been started.")
        JOBS.cancel(call, job)

    return _each(call, pause)


_JOBS = "/v3/{project_id}/jobs"
ROUTES = (
    JOBS.route("POST", _JOBS + "/batch-status", "BatchListJobStatus", "poll", batch_list_job_status),
    JOBS.route("POST", _JOBS + "/batch-starting", "BatchStartJobs", "submit", batch_start_jobs),
    JOBS.route("POST", _JOBS + "/batch-pause-task", "BatchStopJobs", "cancel", batch_stop_jobs),
)


def _known(call: Call, key: str) -> Job | None:
    """The latest run of a task, None if it has none."""
    job = call.state.jobs.get(JOBS.api, key)
    if job is None and not exists(call, key):
        raise Refused(400, NO_TASK, NO_TASK_MESSAGE)
    return job


def _each(call: Call, do: Callable[[dict[str, Any]], None]) -> Answer:
    """Do something with each task of a request, and tell what became of it."""
    results: list[dict[str, str]] = []
    tasks = JOBS.body(call, jobs=list)["jobs"]
    if not all(isinstance(task, dict) and isinstance(task.get("job_id"), str) for task in tasks):
        raise JOBS.refused("The value of parameter jobs is invalid.")
    for task in tasks:
        try:
            do(task)
        except Refused as refused:
            told = {"status": "failed", "error_code": refused.code, "error_msg": refused.message}
        else:
            told = {"status": "success"}
        results.append({"id": task["job_id"], **told})
    return answer(call, {"results": results, "count": len(results)}, 202)


def _told(call: Call, key: str) -> dict[str, Any] | None:
    call.keys.append(key)
    try:
        job = _known(call, key)
    except Refused:
        return None
    if job is None:
        return {"id": key, "status": CONFIGURATION}
    told = {"id": key, "status": call.status(job, call.now)}
    if job.ended(call.now) and job.script.code:
        told |= {"error_code": job.script.code, "error_message": job.script.reason}
    return told
