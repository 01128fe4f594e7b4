# SPDX-License-Identifier: Apache-2.0
"""Data Lake Insight v1.0: the export of a query's result, a job of its own, and the details of a job.

What is exported is nowhere: a directory exists if an export into it has not failed.
"""

from __future__ import annotations

import uuid
from typing import Any

from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei.dli import API, BAD_PARAMETER, described, find, name_in
from airflow_cloudjobs.localcloud.huawei.rest import answer, json_object
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.operation import Operation
from airflow_cloudjobs.localcloud.scripts import ScriptOverride, script_for

_CHOICES = {
    "data_type": ("csv", "json"),
    "compress": ("none", "gzip", "bzip2", "deflate"),
    "export_mode": ("ErrorIfExists", "Overwrite"),
    "encoding_type": ("utf-8", "gb2312", "gbk"),
}
_KINDS = {"with_column_header": bool, "limit_num": int, "quote_char": str, "escape_char": str}


def export_sql_job_result(call: Call) -> Answer:
    """ExportSqlJobResult: start a job that writes what a query has found into a directory of OBS."""
    query = find(call)
    fields = _fields(call)
    if query.fields.get("job_type", "QUERY") != "QUERY":
        raise Refused(400, BAD_PARAMETER, f"The job {query.key} is no QUERY, so it has no result to export.")
    if not query.succeeded(call.now):
        raise Refused(400, BAD_PARAMETER, f"The job {query.key} has not finished, so it has no result to export.")
    key = str(uuid.uuid4())
    call.keys.append(key)
    path = fields["data_path"]
    script = call.state.script(API, f"EXPORT {path}")
    if fields["export_mode"] == "ErrorIfExists" and _exists(call, path):
        fails = ScriptOverride(end="fail", reason=f"The path {path} already exists.")
        script = script_for(API, [fails], script.seconds)
    call.state.submit(API, key, fields, script)
    return answer(call, {"is_success": True, "message": "", "job_id": key, "job_mode": "async"})


def show_sql_job_detail(call: Call) -> Answer:
    """ShowSqlJobDetail: the attributes of a job, those of an export too if it is one."""
    job = find(call)
    shown = described(call, job)
    kept = ("job_id", "owner", "start_time", "duration", "database_name", "table_name", "message", "tags")
    detail = {"is_success": True, **{name: shown[name] for name in kept}}
    exported = ("data_path", "data_type", "export_mode", "compress", "with_column_header", "quote_char", "escape_char")
    return answer(call, detail | {name: job.fields[name] for name in exported if name in job.fields})


_JOB = "/v1.0/{project_id}/jobs/{job_id}"
ROUTES = (
    (
        "POST",
        _JOB + "/export-result",
        Operation("huawei", "dli", "ExportSqlJobResult", "submit", export_sql_job_result, API),
    ),
    ("GET", _JOB + "/detail", Operation("huawei", "dli", "ShowSqlJobDetail", "read", show_sql_job_detail, API)),
)


def _fields(call: Call) -> dict[str, Any]:
    """What the job is submitted with."""
    body = json_object(call, BAD_PARAMETER)
    path = body.get("data_path")
    if not isinstance(path, str) or not path.startswith("obs://") or not path.removeprefix("obs://").strip("/"):
        raise Refused(400, BAD_PARAMETER, f"The value of parameter data_path is invalid: {path}.")
    if "data_type" not in body:
        raise Refused(400, BAD_PARAMETER, "The parameter data_type is required.")
    for name, allowed in _CHOICES.items():
        if name in body and body[name] not in allowed:
            raise Refused(400, BAD_PARAMETER, f"The value of parameter {name} is invalid: {body[name]}.")
    for name, kind in _KINDS.items():
        if name in body and type(body[name]) is not kind:
            raise Refused(400, BAD_PARAMETER, f"The value of parameter {name} is invalid: {body[name]}.")
    queue = name_in(body, "queue_name") or "default"
    if "missing" in queue.lower():
        raise Refused(400, "DLI.0002", f"The queue {queue} does not exist.")
    options = {name: body[name] for name in (*_CHOICES, *_KINDS) if name in body}
    return {
        "project": call.path["project_id"],
        "job_type": "EXPORT",
        "job_mode": "async",
        "export_mode": "ErrorIfExists",
        **options,
        "data_path": path,
        "queue_name": queue,
        "of": call.path["job_id"],
    }


def _exists(call: Call, path: str) -> bool:
    """Whether an export has made the directory, or is about to."""

    def makes(job: Job) -> bool:
        return str(job.fields.get("data_path", "")).rstrip("/") == path.rstrip("/") and (
            job.succeeded(call.now) or not job.ended(call.now)
        )

    return any(makes(job) for job in call.state.jobs.of(API))
