# SPDX-License-Identifier: Apache-2.0
"""EMR Serverless Spark 2023-08-08: runs of Spark jobs, roles, what a queue has used.

The SDK says neither which parameters a run needs, nor how an unknown run is refused, nor the cancel of one that has
ended: all refusals here are guesses.
"""

from __future__ import annotations

import secrets
from typing import Any

from airflow_cloudjobs.localcloud.alibaba.jobs import find, has, page, start, why
from airflow_cloudjobs.localcloud.alibaba.roa import answer, json_object
from airflow_cloudjobs.localcloud.alibaba.rpc import invalid, missing, required, structured
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.operation import Operation

VERSION = "2023-08-08"
API = "emr.spark_job"

_SERVICE = "emr-serverless-spark"
_CODE_TYPES = ("SQL", "JAR", "PYTHON")
_RUNS = "/api/v1/workspaces/{workspaceId}/jobRuns"


def start_job_run(call: Call) -> Answer:
    """StartJobRun: run a Spark job, which the body describes or names by its ``jobId``."""
    workspace, body = _workspace(call), json_object(call)
    token = str(body.pop("clientToken", ""))
    for name in () if body.get("jobId") else ("name", "codeType", "jobDriver"):
        if not body.get(name):
            raise missing(name)
    if body.get("codeType", "SQL") not in _CODE_TYPES:
        raise invalid("codeType", f"valid values are {', '.join(_CODE_TYPES)}")
    fields = {"workspaceId": workspace, **body}
    job = start(call, API, f"jr-{secrets.token_hex(8)}", fields, body.get("jobDriver", ""), token)
    return answer(call, {"jobRunId": job.key})


def get_job_run(call: Call) -> Answer:
    """GetJobRun: one run."""
    job = _find(call)
    given = {name: job.fields[name] for name in ("jobDriver", "configurationOverrides") if name in job.fields}
    return answer(call, {"jobRun": {**_described(call, job), **given}})


def cancel_job_run(call: Call) -> Answer:
    """CancelJobRun: cancel a run that has not ended."""
    job = _find(call)
    if job.ended(call.now):
        raise Refused(400, "JobRun.Ended", f"The job run {job.key} has ended and cannot be cancelled.")
    call.state.cancel(job)
    return answer(call, {"jobRunId": job.key})


def list_job_runs(call: Call) -> Answer:
    """ListJobRuns: the newest runs first, by id, name, states and tags; other filters are not looked at."""
    states, tags = structured(call, "states", list), structured(call, "tags", list) or []
    wanted = {"workspaceId": _workspace(call), "name": call.parameters.get("name", "")}
    jobs = [
        job
        for job in call.state.jobs.of(API)
        if has(job, **wanted)
        and call.parameters.get("jobRunId", job.key) == job.key
        and (states is None or job.status(call.now) in states)
        and all(tag in job.fields.get("tags", []) for tag in tags)
    ]
    shown, told = page(call, jobs[::-1], 20, 100, ("maxResults", "nextToken"))
    return answer(call, {"jobRuns": [_described(call, job) for job in shown], "totalCount": len(jobs), **told})


def grant_role_to_users(call: Call) -> Answer:
    """GrantRoleToUsers: users get a role."""
    body = json_object(call)
    for name in ("roleArn", "userArns"):
        if not body.get(name):
            raise missing(name)
    return answer(call, {})


def get_cu_hours(call: Call) -> Answer:
    """GetCuHours: what a queue of a workspace has used between two times."""
    for name in ("startTime", "endTime"):
        required(call, name)
    _workspace(call)
    return answer(call, {"data": {"cuHours": {call.path["queue"]: 1.5}}})


ROUTES = (
    ("POST", _RUNS, Operation("alibaba", _SERVICE, "StartJobRun", "submit", start_job_run, API)),
    ("GET", _RUNS, Operation("alibaba", _SERVICE, "ListJobRuns", "read", list_job_runs, API)),
    ("GET", _RUNS + "/{jobRunId}", Operation("alibaba", _SERVICE, "GetJobRun", "poll", get_job_run, API)),
    ("DELETE", _RUNS + "/{jobRunId}", Operation("alibaba", _SERVICE, "CancelJobRun", "cancel", cancel_job_run, API)),
    (
        "POST",
        "/api/v1/auth/roles/grant",
        Operation("alibaba", _SERVICE, "GrantRoleToUsers", "read", grant_role_to_users),
    ),
    (
        "GET",
        "/api/v1/workspaces/{workspaceId}/metric/cuHours/{queue}",
        Operation("alibaba", _SERVICE, "GetCuHours", "read", get_cu_hours),
    ),
)


def _workspace(call: Call) -> str:
    workspace = call.path["workspaceId"]
    if not workspace.startswith("w-"):
        raise Refused(404, "Workspace.NotFound", f"The workspace {workspace} does not exist.")
    return workspace


def _find(call: Call) -> Job:
    key = call.path["jobRunId"]
    refused = Refused(404, "JobRun.NotFound", f"The job run {key} does not exist.")
    return find(call, API, key, refused, workspaceId=_workspace(call))


def _described(call: Call, job: Job) -> dict[str, Any]:
    now = call.now
    code, reason = why(job, now)
    described: dict[str, Any] = {
        "jobRunId": job.key,
        "workspaceId": call.path["workspaceId"],
        "name": job.fields.get("name", "localcloud"),
        "codeType": job.fields.get("codeType", "JAR"),
        "state": call.status(job, now),
        "submitTime": int(job.started * 1000),
        "tags": job.fields.get("tags", []),
    }
    if job.ended(now):
        described["endTime"] = int(job.ended_at() * 1000)
    if reason:
        described["stateChangeReason"] = {"code": code, "message": reason}
    return described
