# SPDX-License-Identifier: Apache-2.0
"""Object Storage Migration Service v2: tasks, whose keys and states are numbers.

A task starts by itself; one that was stopped or failed may be started again. Its keys to the buckets are not kept. The
code of an unknown task is one that the vendor calls out of date; that of a stop that comes too late is a guess.
"""

from __future__ import annotations

from typing import Any

from airflow_cloudjobs.localcloud.answers import Answer
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei.kept import KeptJobs, milliseconds, only
from airflow_cloudjobs.localcloud.huawei.rest import answer
from airflow_cloudjobs.localcloud.jobs import Job

JOBS = KeptJobs("oms.task", "oms", bad="OMS.0064", unknown="S3M.0054", late="S3M.0070")

_TYPES = ("list", "url_list", "object", "prefix")
_NODE = ("cloud_type", "region", "bucket", "object_key", "list_file", "save_prefix", "app_id")


def create_task(call: Call) -> Answer:
    """CreateTask: migrate objects from one bucket to another."""
    body = JOBS.body(call, src_node=dict, dst_node=dict)
    kind = body.get("task_type", "object")
    bare = [name for name in ("src_node", "dst_node") if not body[name].get("bucket")]
    if kind not in _TYPES or (bare and (kind != "url_list" or "dst_node" in bare)):
        raise JOBS.refused("Invalid request parameters.")
    key = JOBS.number(call, 191_297_407_830_872)
    nodes = {name: only(body[name], _NODE) for name in ("src_node", "dst_node")}
    JOBS.submit(call, key, {"task_type": kind, "description": body.get("description", ""), **nodes})
    return answer(call, {"id": int(key), "task_name": f"task-{key}"})


def show_task(call: Call) -> Answer:
    """ShowTask: one task."""
    return answer(call, _described(call, _find(call)))


def stop_task(call: Call) -> Answer:
    """StopTask: stop a task that has not ended."""
    JOBS.cancel(call, _find(call))
    return answer(call, {})


def start_task(call: Call) -> Answer:
    """StartTask: start a task again that was stopped or has failed."""
    JOBS.body(call)
    job, now = _find(call), call.now
    if not job.ended(now) or job.succeeded(now):
        raise JOBS.refused("The task is running or has been completed.")
    call.state.submit(JOBS.api, job.key, job.fields, JOBS.script(call))
    return answer(call, {})


_TASKS = "/v2/{project_id}/tasks"
ROUTES = (
    JOBS.route("GET", _TASKS + "/{task_id}", "ShowTask", "poll", show_task),
    JOBS.route("POST", _TASKS, "CreateTask", "submit", create_task),
    JOBS.route("POST", _TASKS + "/{task_id}/stop", "StopTask", "cancel", stop_task),
    JOBS.route("POST", _TASKS + "/{task_id}/start", "StartTask", "submit", start_task),
)


def _find(call: Call) -> Job:
    key = call.path["task_id"]
    if not key.isdecimal():
        raise JOBS.refused("Invalid request parameters.")
    return JOBS.find(call, key)


def _described(call: Call, job: Job) -> dict[str, Any]:
    now, fields, progress = call.now, job.fields, job.progress(call.now)
    described = {
        "id": int(job.key),
        "name": f"task-{job.key}",
        "status": call.status(job, now),
        "progress": round(progress, 3),
        "task_type": fields.get("task_type", "object"),
        "group_type": "NORMAL_TASK",
        "description": fields.get("description", ""),
        "src_node": fields.get("src_node", {}),
        "dst_node": fields.get("dst_node", {}),
        "start_time": milliseconds(job.started),
        "total_time": milliseconds(job.lasted(now)),
        "total_num": 100,
        "successful_num": int(100 * progress),
        "failed_num": 0,
        "is_query_over": True,
    }
    if job.ended(now) and job.script.code:
        described["error_reason"] = {"error_code": job.script.code, "error_msg": job.script.reason}
    return described
