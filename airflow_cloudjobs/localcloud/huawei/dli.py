# SPDX-License-Identifier: Apache-2.0
"""Data Lake Insight v1.0: SQL jobs and queues.

``is_success`` speaks of the request, ``status`` of the job; a failed job has its reason in ``message``.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from airflow_cloudjobs.localcloud.accounts import IAM_USER
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei import dli_rows
from airflow_cloudjobs.localcloud.huawei.dli_list import select
from airflow_cloudjobs.localcloud.huawei.rest import answer, json_object, number, one_of
from airflow_cloudjobs.localcloud.huawei.sql import first_word, job_type
from airflow_cloudjobs.localcloud.jobs import Job, Script
from airflow_cloudjobs.localcloud.operation import Operation
from airflow_cloudjobs.localcloud.scripts import read_marks

API = "dli.sql_job"
BAD_PARAMETER = "DLI.0001"

_NAME = re.compile(r"(?!_)(?![0-9]+$)[A-Za-z0-9_]{1,128}")
_SYNC_LIMIT = 120.0
_QUEUES = (("default", "sql"), ("etl", "sql"), ("spark", "general"))


def create_sql_job(call: Call) -> Answer:
    """CreateSqlJob (submit-job): run a statement, in the background unless it is DDL or DCL."""
    body = json_object(call, BAD_PARAMETER)
    sql, conf = _statement(body), _conf(body)
    kind = _typed(sql)
    queue = name_in(body, "queue_name") or "default"
    if "missing" in queue.lower():
        raise Refused(400, "DLI.0002", f"The queue {queue} does not exist.")
    fields: dict[str, Any] = {
        "project": call.path["project_id"],
        "sql": sql,
        "job_type": kind,
        "queue_name": queue,
        "currentdb": name_in(body, "currentdb"),
        "conf": conf,
        "tags": _tags(body),
        "engine_type": _engine(body),
    }
    asynchronous = "dli.sql.sqlasync.enabled=true" in (entry.replace(" ", "").lower() for entry in conf)
    synchronous = kind == "DCL" or (kind == "DDL" and not asynchronous)
    fields["job_mode"] = "sync" if synchronous else "async"
    key = str(uuid.uuid4())
    call.keys.append(key)
    script = call.state.script(API, sql, " ".join(conf))
    delay = 0.0
    if synchronous:
        delay = min(read_marks(sql).seconds or 0.0, _SYNC_LIMIT)
        script = Script(script.steps[-1:], script.succeeds, script.ends, script.reason, script.code)
    call.state.submit(API, key, fields, script)
    created: dict[str, Any] = {
        "is_success": script.succeeds or not synchronous,
        "message": script.reason if synchronous else "",
        "job_id": key,
        "job_type": kind,
        "schema": [],
        "rows": [],
        "job_mode": fields["job_mode"],
    }
    done = answer(call, created)
    done.delay = delay
    return done


def show_sql_job_status(call: Call) -> Answer:
    """ShowSqlJobStatus: the status of a job."""
    return answer(call, {"is_success": True, **described(call, find(call))})


def cancel_sql_job(call: Call) -> Answer:
    """CancelSqlJob: cancel a job that has not ended."""
    job = find(call)
    if job.ended(call.now):
        raise Refused(400, BAD_PARAMETER, f"The job {job.key} has ended and cannot be cancelled.")
    call.state.cancel(job)
    return answer(call, {"is_success": True, "message": ""})


def list_sql_jobs(call: Call) -> Answer:
    """ListSqlJobs: the jobs of the project that pass the filters, a page of them."""
    chosen, page = select(call, [job for job in call.state.jobs.of(API) if _mine(call, job)])
    jobs = [{**described(call, job), "engine_type": job.fields.get("engine_type", "spark")} for job in page]
    return answer(call, {"is_success": True, "message": "", "job_count": len(chosen), "jobs": jobs})


def show_sql_job_progress(call: Call) -> Answer:
    """ShowSqlJobProgress: how much of a job is done, 0 to 1."""
    job, now = find(call), call.now
    progress = {
        "is_success": True,
        "message": "",
        "job_id": job.key,
        "status": call.status(job, now),
        "sub_job_id": 0,
        "progress": round(job.progress(now), 3),
        "sub_jobs": [],
    }
    return answer(call, progress)


def preview_sql_job_result(call: Call) -> Answer:
    """PreviewSqlJobResult: the first rows of a query that has succeeded, ``page-size`` of them or 1,000."""
    job = find(call)
    most = number(call, "page-size", dli_rows.PREVIEWED, 1, dli_rows.PREVIEWED, BAD_PARAMETER)
    kind = job.fields.get("job_type", "QUERY")
    if kind != "QUERY":
        raise Refused(400, BAD_PARAMETER, f"Only jobs of type QUERY have a result; {job.key} is of type {kind}.")
    if not job.succeeded(call.now):
        raise Refused(400, BAD_PARAMETER, f"The job {job.key} has not finished.")
    preview = {
        "is_success": True,
        "message": "",
        "job_id": job.key,
        "job_type": kind,
        "row_count": dli_rows.count_of(job),
        "input_size": 22,
        "schema": dli_rows.schema_of(job),
        "rows": dli_rows.rows_of(job, most),
    }
    return answer(call, preview)


def check_sql(call: Call) -> Answer:
    """CheckSql: the syntax of a statement, and which type of job it would be."""
    body = json_object(call, BAD_PARAMETER)
    name_in(body, "currentdb")
    kind = _typed(_statement(body))
    return answer(call, {"is_success": True, "message": "", "job_type": kind})


def list_queues(call: Call) -> Answer:
    """ListQueues: the queues of the project."""
    wanted = call.parameters.get("queue_type", "")
    if wanted:
        one_of(call, "queue_type", ("sql", "general", "all"), BAD_PARAMETER)
    queues = [
        _queue(number, name, kind) for number, (name, kind) in enumerate(_QUEUES, 1) if wanted in {"", "all", kind}
    ]
    return answer(call, {"is_success": True, "message": "", "queues": queues})


def batch_run_flink_jobs(call: Call) -> Answer:
    """BatchRunFlinkJobs: whether each job could be started, in a list; ``is_success`` is a text. It keeps nothing."""
    jobs = json_object(call, BAD_PARAMETER).get("job_ids")
    if not isinstance(jobs, list) or not jobs:
        raise Refused(400, BAD_PARAMETER, "The parameter job_ids is required.")
    return answer(call, [{"is_success": "true", "message": f"The job {job} is submitted."} for job in jobs])


_JOBS = "/v1.0/{project_id}/jobs"
ROUTES = (
    (
        "GET",
        _JOBS + "/{job_id}/status",
        Operation("huawei", "dli", "ShowSqlJobStatus", "poll", show_sql_job_status, API),
    ),
    (
        "POST",
        _JOBS + "/submit-job",
        Operation("huawei", "dli", "CreateSqlJob", "submit", create_sql_job, API),
    ),
    (
        "DELETE",
        _JOBS + "/{job_id}",
        Operation("huawei", "dli", "CancelSqlJob", "cancel", cancel_sql_job, API),
    ),
    ("GET", _JOBS, Operation("huawei", "dli", "ListSqlJobs", "read", list_sql_jobs, API)),
    (
        "GET",
        "/v1/{project_id}/jobs/{job_id}/progress",
        Operation("huawei", "dli", "ShowSqlJobProgress", "read", show_sql_job_progress, API),
    ),
    (
        "GET",
        _JOBS + "/{job_id}/preview",
        Operation("huawei", "dli", "PreviewSqlJobResult", "read", preview_sql_job_result, API),
    ),
    ("POST", _JOBS + "/check-sql", Operation("huawei", "dli", "CheckSql", "read", check_sql)),
    ("GET", "/v1.0/{project_id}/queues", Operation("huawei", "dli", "ListQueues", "read", list_queues)),
    (
        "POST",
        "/v1.0/{project_id}/streaming/jobs/run",
        Operation("huawei", "dli", "BatchRunFlinkJobs", "read", batch_run_flink_jobs),
    ),
)


def _mine(call: Call, job: Job) -> bool:
    return job.fits({"project": call.path["project_id"]})


def find(call: Call) -> Job:
    """The job that a path names.

    :param call: the call.
    :raises Refused: ``DLI.0002`` if there is none.
    """
    key = call.path["job_id"]
    call.keys.append(key)
    job = call.state.jobs.get(API, key)
    if job is None or not _mine(call, job):
        code = call.state.settings.dli_not_found
        raise Refused(400 if code == "DLI.0002" else 404, code, f"The job {key} does not exist.")
    return job


def described(call: Call, job: Job) -> dict[str, Any]:
    """A job as its status shows it.

    :param call: the call.
    :param job: the job.
    """
    now, fields = call.now, job.fields
    succeeded = job.succeeded(now)
    return {
        "job_id": job.key,
        "job_type": fields.get("job_type", "QUERY"),
        "job_mode": fields.get("job_mode", "async"),
        "queue_name": fields.get("queue_name", "default"),
        "owner": fields.get("owner", IAM_USER),
        "start_time": int(job.started * 1000),
        "duration": max(0, int(job.lasted(now) * 1000)),
        "status": call.status(job, now),
        "message": job.script.reason if job.ended(now) else "",
        "input_row_count": int(1000 * job.progress(now)),
        "bad_row_count": 0,
        "input_size": 22 if succeeded else 0,
        "result_count": dli_rows.count_of(job) if succeeded else 0,
        "database_name": fields.get("currentdb", ""),
        "table_name": fields.get("table_name", ""),
        "detail": dli_rows.described(job) if succeeded else "",
        "statement": fields.get("sql", ""),
        "user_conf": json.dumps(dict(entry.split("=", 1) for entry in fields.get("conf", ()))),
        "result_path": f"obs://dli-localcloud/{job.key}" if succeeded else "",
        "result_format": "csv",
        "execution_details_path": "",
        "tags": fields.get("tags", []),
    }


def _statement(body: dict[str, Any]) -> str:
    sql = body.get("sql")
    if not isinstance(sql, str) or not sql.strip():
        raise Refused(400, BAD_PARAMETER, "The parameter sql is required and cannot be empty.")
    return sql


def _typed(sql: str) -> str:
    kind = job_type(sql)
    if kind is None:
        raise Refused(400, "DLI.0004", f"SQL syntax error: mismatched input '{first_word(sql)}'; line 1 pos 0")
    return kind


def name_in(body: dict[str, Any], field: str) -> str:
    """The name of a thing of DLI; empty if none is given.

    :param body: of the request.
    :param field: the parameter.
    :raises Refused: ``DLI.0001`` for what is no name.
    """
    value = body.get(field) or ""
    if value and not (isinstance(value, str) and _NAME.fullmatch(value)):
        raise Refused(400, BAD_PARAMETER, f"The value of parameter {field} is invalid: {value}.")
    return str(value)


def _conf(body: dict[str, Any]) -> list[str]:
    conf = body.get("conf") or []
    if not isinstance(conf, list) or not all(isinstance(entry, str) and "=" in entry for entry in conf):
        raise Refused(400, BAD_PARAMETER, 'The parameter conf is an array of "key=value" strings.')
    return conf


def _tags(body: dict[str, Any]) -> list[dict[str, str]]:
    tags = body.get("tags") or []
    for tag in tags if isinstance(tags, list) else [None]:
        key, value = (tag.get("key"), tag.get("value")) if isinstance(tag, dict) else (None, None)
        if not (isinstance(key, str) and 1 <= len(key) <= 128 and isinstance(value, str) and len(value) <= 255):
            raise Refused(
                400,
                BAD_PARAMETER,
                "The parameter tags is an array of {key (1 to 128 characters), value (at most 255)}.",
            )
    return list(tags)


def _engine(body: dict[str, Any]) -> str:
    engine = body.get("engine_type") or "spark"
    if engine not in {"spark", "hetuEngine"}:
        raise Refused(400, BAD_PARAMETER, f"The value of parameter engine_type is invalid: {engine}.")
    return str(engine)


def _queue(number: int, name: str, kind: str) -> dict[str, Any]:
    return {
        "queue_id": number,
        "queue_name": name,
        "description": "",
        "owner": IAM_USER,
        "create_time": 1705305600000,
        "queue_type": kind,
        "cu_count": 16,
        "charging_mode": 1,
        "resource_id": f"26afb850-d3c9-42c1-81c0-583d1163e80{number}",
        "enterprise_project_id": "0",
        "resource_mode": 0,
        "platform": "x86_64",
        "is_restarting": False,
        "labels": "",
        "feature": "basic",
        "engine": "spark",
    }
