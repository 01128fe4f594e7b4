# SPDX-License-Identifier: Apache-2.0
"""Intelligent Media Management (IMM) 2020-09-30: media conversions, found by their tags.

A submit has no token, and nothing can be cancelled. How an unknown task is refused the SDK does not say.
"""

from __future__ import annotations

import uuid
from typing import Any

from airflow_cloudjobs.localcloud.alibaba.jobs import find, has, page, start, why
from airflow_cloudjobs.localcloud.alibaba.rpc import answer, given, invalid, missing, required, structured
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.clock import iso
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.operation import Operation

VERSION = "2020-09-30"
API = "imm.media_convert"

_TYPE = "MediaConvert"


def create_media_convert_task(call: Call) -> Answer:
    """CreateMediaConvertTask: convert media files."""
    for name in ("ProjectName", "Sources"):
        required(call, name)
    sources = structured(call, "Sources", list)
    for source in sources:
        if not isinstance(source, dict) or not str(source.get("URI", "")).startswith("oss://"):
            raise invalid("Sources", "each has a URI that begins with oss://")
    targets = {name: structured(call, name, list) for name in ("Targets", "TargetGroups")}
    if not any(targets.values()):
        raise missing("Targets")
    fields = {**given(call), "Tags": structured(call, "Tags", dict) or {}}
    job = start(call, API, f"{_TYPE}-{uuid.uuid4()}", fields, [source["URI"] for source in sources])
    return answer(call, {"TaskId": job.key, "EventId": _event(job)})


def get_task(call: Call) -> Answer:
    """GetTask: one task of a project and a type."""
    project, kind, key = (required(call, name) for name in ("ProjectName", "TaskType", "TaskId"))
    refused = Refused(404, "ResourceNotFound", f"The task {key} of the type {kind} does not exist.")
    job = find(call, API, key, refused, ProjectName=project)
    if kind != _TYPE:
        raise refused
    # The progress is left out: the SDK says that GetTask does not tell it.
    return answer(call, {**_described(call, job), "ProjectName": project, "EventId": _event(job)})


def list_tasks(call: Call) -> Answer:
    """ListTasks: the tasks of a project by id, those of a tag, types and status; other filters are not looked at."""
    project, wanted = required(call, "ProjectName"), call.parameters.get("Status")
    types = structured(call, "TaskTypes", list)
    name, _, value = call.parameters.get("TagSelector", "").partition("=")
    jobs = [
        job
        for job in call.state.jobs.of(API)
        if has(job, ProjectName=project)
        and (not name or job.fields.get("Tags", {}).get(name) == value)
        and (types is None or _TYPE in types)
        and wanted in (None, "", job.status(call.now))
    ]
    shown, told = page(call, sorted(jobs, key=lambda job: job.key), 100, 100)
    tasks = [{**_described(call, job), "Progress": int(100 * job.progress(call.now))} for job in shown]
    return answer(call, {"Tasks": tasks, "ProjectName": project, **told})


OPERATIONS = (
    Operation("alibaba", "imm", "CreateMediaConvertTask", "submit", create_media_convert_task, API),
    Operation("alibaba", "imm", "GetTask", "poll", get_task, API),
    Operation("alibaba", "imm", "ListTasks", "read", list_tasks, API),
)


def _event(job: Job) -> str:
    return f"event-{job.key}"


def _described(call: Call, job: Job) -> dict[str, Any]:
    now = call.now
    code, reason = why(job, now)
    described: dict[str, Any] = {
        "TaskId": job.key,
        "TaskType": _TYPE,
        "Status": call.status(job, now),
        "StartTime": iso(job.started),
        "Tags": job.fields.get("Tags", {}),
        "UserData": job.fields.get("UserData", ""),
        "Code": code,
        "Message": reason,
    }
    if job.ended(now):
        described["EndTime"] = iso(job.ended_at())
    return described
