# SPDX-License-Identifier: Apache-2.0
"""CloudOps Orchestration Service (OOS) 2019-06-01: executions of templates, which are looked for in a list.

How an unknown execution is refused, and the cancel of one that has ended, the SDK does not say.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from airflow_cloudjobs.localcloud.alibaba.jobs import find, has, page, start, why
from airflow_cloudjobs.localcloud.alibaba.rpc import answer, given, invalid, long, missing, required, structured
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.clock import iso
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.operation import Operation

VERSION = "2019-06-01"
API = "oos.execution"

_TEMPLATES = ("TemplateName", "TemplateContent", "TemplateURL")
_FEWEST, _USUAL, _MOST = 10, 50, 100


def start_execution(call: Call) -> Answer:
    """StartExecution: run a template, which has a name, or an address, or stands in the call."""
    if not any(call.parameters.get(name) for name in _TEMPLATES):
        raise missing("TemplateName")
    fields = {**given(call), **{name: structured(call, name, dict) or {} for name in ("Parameters", "Tags")}}
    subject = [call.parameters.get(name, "") for name in (*_TEMPLATES, "Parameters")]
    key = f"exec-{secrets.token_hex(10)}"
    job = start(call, API, key, fields, " ".join(subject), call.parameters.get("ClientToken", ""))
    # The SDK has the parameters as a text in this answer, and as an object in a list.
    execution = {**_described(call, job), "Parameters": json.dumps(job.fields["Parameters"])}
    return answer(call, {"Execution": execution})


def list_executions(call: Call) -> Answer:
    """ListExecutions: the newest first, by id, status, template and tags; other filters are not looked at."""
    tags, wanted = structured(call, "Tags", dict) or {}, call.parameters
    jobs = [
        job
        for job in call.state.jobs.of(API)
        if has(job, RegionId=wanted.get("RegionId", ""))
        and wanted.get("ExecutionId") in (None, "", job.key)
        and wanted.get("Status") in (None, "", job.status(call.now))
        and wanted.get("TemplateName", "") in job.fields.get("TemplateName", "")
        and tags.items() <= job.fields.get("Tags", {}).items()
    ]
    if (long(call, "MaxResults") or _USUAL) < _FEWEST:
        raise invalid("MaxResults", f"it is a number from {_FEWEST} to {_MOST}")
    shown, told = page(call, jobs[::-1], _USUAL, _MOST)
    call.keys.extend([wanted["ExecutionId"]] if wanted.get("ExecutionId") else [job.key for job in shown])
    executions = [_described(call, job) for job in shown]
    return answer(call, {"Executions": executions, "TotalCount": len(jobs), **told})


def cancel_execution(call: Call) -> Answer:
    """CancelExecution: cancel an execution that has not ended."""
    key = required(call, "ExecutionId")
    refused = Refused(404, "EntityNotExists.Execution", f"The execution {key} does not exist.")
    job = find(call, API, key, refused, RegionId=call.parameters.get("RegionId", ""))
    if job.ended(call.now):
        raise Refused(400, "InvalidExecutionStatus", f"The execution {key} has ended and cannot be cancelled.")
    call.state.cancel(job)
    return answer(call, {})


OPERATIONS = (
    Operation("alibaba", "oos", "StartExecution", "submit", start_execution, API),
    Operation("alibaba", "oos", "ListExecutions", "poll", list_executions, API),
    Operation("alibaba", "oos", "CancelExecution", "cancel", cancel_execution, API),
)


def _described(call: Call, job: Job) -> dict[str, Any]:
    now, fields = call.now, job.fields
    code, reason = why(job, now)
    return {
        "ExecutionId": job.key,
        "TemplateName": fields.get("TemplateName", ""),
        "Parameters": fields.get("Parameters", {}),
        "Tags": fields.get("Tags", {}),
        "Status": call.status(job, now),
        "StatusMessage": reason,
        "StatusReason": code,
        "StartDate": iso(job.started),
        "EndDate": iso(job.ended_at()) if job.ended(now) else "",
        "Outputs": json.dumps({"commandOutput": "done"} if job.succeeded(now) else {}),
    }
