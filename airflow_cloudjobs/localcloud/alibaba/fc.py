# SPDX-License-Identifier: Apache-2.0
"""Function Compute (FC) 2023-03-30: asynchronous tasks, whose id the caller chooses.

The page on task deduplication says that an id that is there already is refused with HTTP 409; the code is a guess, as
are those for an unknown task and one that has ended. Functions run asynchronously only, and every function exists.
"""

from __future__ import annotations

import re
from typing import Any

from airflow_cloudjobs.localcloud.alibaba.jobs import find, start, why
from airflow_cloudjobs.localcloud.alibaba.roa import answer
from airflow_cloudjobs.localcloud.alibaba.rpc import request_id
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.operation import Operation

VERSION = "2023-03-30"
API = "fc.async_task"

_FUNCTION = "/2023-03-30/functions/{functionName}"
_TASK_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")


def invoke_function(call: Call) -> Answer:
    """InvokeFunction: run a function in the background, as the task that a header names; the answer has no body."""
    received, identifier = call.received, request_id(call.received)
    if received.header("x-fc-invocation-type") != "Async":
        raise Refused(400, "InvalidArgument", "The local cloud invokes functions asynchronously only.")
    key = received.header("x-fc-async-task-id")
    if key and not _TASK_ID.fullmatch(key):
        raise Refused(400, "InvalidArgument", f"The task ID {key} is not one of letters, digits, '_' and '-'.")
    if call.state.jobs.get(API, key):
        raise Refused(409, "AsyncTaskAlreadyExists", f"The asynchronous task {key} already exists.")
    payload = received.body.decode(errors="replace")
    fields = {"functionName": call.path["functionName"], "taskPayload": payload, **call.parameters}
    start(call, API, key or identifier, fields, payload)
    headers = {"x-acs-request-id": identifier, "x-fc-request-id": identifier}
    return Answer(202, b"", "application/octet-stream", headers)


def get_async_task(call: Call) -> Answer:
    """GetAsyncTask: how far a task is."""
    job, now = _find(call), call.now
    task: dict[str, Any] = {
        "taskId": job.key,
        "status": call.status(job, now),
        "startedTime": int(job.started * 1000),
        "taskPayload": job.fields.get("taskPayload", ""),
        "taskErrorMessage": why(job, now)[1],
        "alreadyRetriedTimes": 0,
    }
    if job.ended(now):
        task.update(endTime=int(job.ended_at() * 1000), durationMs=int(job.lasted(now) * 1000))
    if job.succeeded(now):
        task["returnPayload"] = "done"
    return answer(call, task)


def stop_async_task(call: Call) -> Answer:
    """StopAsyncTask: stop a task that has not ended."""
    job = _find(call)
    if job.ended(call.now):
        raise Refused(400, "InvalidArgument", f"The asynchronous task {job.key} has ended and cannot be stopped.")
    call.state.cancel(job)
    return answer(call, {})


ROUTES = (
    (
        "POST",
        _FUNCTION + "/invocations",
        Operation("alibaba", "fc", "InvokeFunction", "submit", invoke_function, API),
    ),
    (
        "GET",
        _FUNCTION + "/async-tasks/{taskId}",
        Operation("alibaba", "fc", "GetAsyncTask", "poll", get_async_task, API),
    ),
    (
        "PUT",
        _FUNCTION + "/async-tasks/{taskId}/stop",
        Operation("alibaba", "fc", "StopAsyncTask", "cancel", stop_async_task, API),
    ),
)


def _find(call: Call) -> Job:
    key = call.path["taskId"]
    refused = Refused(404, "AsyncTaskNotFound", f"The asynchronous task {key} does not exist.")
    return find(call, API, key, refused, functionName=call.path["functionName"])
