# SPDX-License-Identifier: Apache-2.0
"""Data Lake Insight v2.0: Spark batch jobs.

A status says nothing of why a batch died; that stands in its log. A batch that was cancelled is ``dead`` as well, and
its log says so. The vendor does not say which code the cancel of an ended batch gets, only that it is refused.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from airflow_cloudjobs.localcloud.accounts import IAM_USER
from airflow_cloudjobs.localcloud.answers import Answer
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei.kept import KeptJobs, milliseconds, reason
from airflow_cloudjobs.localcloud.huawei.rest import answer, number, one_of
from airflow_cloudjobs.localcloud.jobs import Job

JOBS = KeptJobs("dli.spark_batch", "dli", bad="DLI.0001", unknown="DLI.0002", late="DLI.0007")

_LARGEST = 2**31 - 1
_STATES = ("starting", "running", "dead", "success", "recovering")
_ORDERS = ("CREATE_TIME_DESC", "CREATE_TIME_ASC", "DURATION_DESC", "DURATION_ASC")
#: Filters that ask for the very value of a field, by query parameter.
_FILTERS: dict[str, Callable[[Job], Any]] = {
    "job_name": lambda job: job.fields.get("name", ""),
    "job-id": lambda job: job.key,
    "cluster_name": lambda job: _queue(job),
    "queue_name": lambda job: _queue(job),
}


def create_spark_job(call: Call) -> Answer:
    """CreateSparkJob: run a batch; its file, or its main class, says what."""
    body = JOBS.body(call)
    if not (body.get("file") or body.get("className")):
        raise JOBS.refused("The parameter file is required.")
    name = body.get("name", "")
    if not isinstance(name, str) or len(name) > 128:
        raise JOBS.refused("The parameter name has at most 128 characters.")
    return answer(call, _described(call, JOBS.submit(call, str(uuid.uuid4()), body)))


def show_spark_job_status(call: Call) -> Answer:
    """ShowSparkJobStatus: the state of a batch and nothing else."""
    job = JOBS.find(call, call.path["batch_id"])
    return answer(call, {"id": job.key, "state": call.status(job, call.now)})


def show_spark_job(call: Call) -> Answer:
    """ShowSparkJob: one batch."""
    return answer(call, _described(call, JOBS.find(call, call.path["batch_id"])))


def cancel_spark_job(call: Call) -> Answer:
    """CancelSparkJob: cancel a batch that has not ended."""
    JOBS.cancel(call, JOBS.find(call, call.path["batch_id"]), reason="The batch has been cancelled.")
    return answer(call, {"msg": "deleted"})


def list_spark_jobs(call: Call) -> Answer:
    """ListSparkJobs: the batches of the project that pass the filters, a page of them."""
    first = number(call, "from", 0, 0, _LARGEST, JOBS.bad)
    size = number(call, "size", 100, 0, _LARGEST, JOBS.bad)
    asked, now = call.parameters, call.now
    order = one_of(call, "order", _ORDERS, JOBS.bad) if asked.get("order") else _ORDERS[0]
    state = one_of(call, "state", _STATES, JOBS.bad) if asked.get("state") else None
    start = number(call, "start", 0, 0, 2**63, JOBS.bad)
    end = number(call, "end", 2**63, 0, 2**63, JOBS.bad)
    filters = {name: value for name, value in asked.items() if name in _FILTERS and value}
    chosen = [
        job
        for job in JOBS.all(call)
        if all(_FILTERS[name](job) == value for name, value in filters.items())
        and state in {None, job.status(now)}
        and start <= job.started * 1000 <= end
    ]
    chosen.sort(
        key=lambda job: job.lasted(now) if order.startswith("DURATION") else job.started,
        reverse=order.endswith("DESC"),
    )
    sessions = [_described(call, job) for job in chosen[first : first + size]]
    return answer(call, {"from": first, "total": len(chosen), "sessions": sessions})


def show_spark_job_log(call: Call) -> Answer:
    """ShowSparkJobLog: the log of a batch, whose last line says why it died."""
    job = JOBS.find(call, call.path["batch_id"])
    lines = _log(call, job)
    first = number(call, "from", max(0, len(lines) - 100), 0, _LARGEST, JOBS.bad)
    size = number(call, "size", 100, 0, _LARGEST, JOBS.bad)
    return answer(call, {"id": job.key, "from": first, "total": len(lines), "log": lines[first : first + size]})


_BATCHES = "/v2.0/{project_id}/batches"
ROUTES = (
    JOBS.route("GET", _BATCHES + "/{batch_id}/state", "ShowSparkJobStatus", "poll", show_spark_job_status),
    JOBS.route("POST", _BATCHES, "CreateSparkJob", "submit", create_spark_job),
    JOBS.route("GET", _BATCHES, "ListSparkJobs", "read", list_spark_jobs),
    JOBS.route("GET", _BATCHES + "/{batch_id}", "ShowSparkJob", "read", show_spark_job),
    JOBS.route("DELETE", _BATCHES + "/{batch_id}", "CancelSparkJob", "cancel", cancel_spark_job),
    JOBS.route("GET", _BATCHES + "/{batch_id}/log", "ShowSparkJobLog", "read", show_spark_job_log),
)


def _queue(job: Job) -> str:
    return str(job.fields.get("queue") or job.fields.get("cluster_name") or "default")


def _log(call: Call, job: Job) -> list[str]:
    why = reason(call, job)
    return ["INFO SparkContext: Running Spark", *([f"ERROR ApplicationMaster: {why}"] if why else [])]


def _described(call: Call, job: Job) -> dict[str, Any]:
    now, fields = call.now, job.fields
    return {
        "id": job.key,
        "state": call.status(job, now),
        "appId": f"batch-session-{job.key}:30671",
        "log": _log(call, job)[-10:],
        "sc_type": fields.get("sc_type", "CUSTOMIZED"),
        "cluster_name": _queue(job),
        "queue": _queue(job),
        "create_time": milliseconds(job.started),
        "update_time": milliseconds(job.started + job.lasted(now)),
        "duration": milliseconds(job.lasted(now)),
        "name": fields.get("name", ""),
        "owner": IAM_USER,
        "proxyUser": "",
        "kind": "spark",
        "image": fields.get("image", ""),
        "feature": fields.get("feature", "basic"),
        "spark_version": fields.get("spark_version", "2.3.2"),
        "req_body": json.dumps(fields),
    }
