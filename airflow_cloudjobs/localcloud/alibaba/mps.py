# SPDX-License-Identifier: Apache-2.0
"""ApsaraVideo Media Processing (MPS), the service ``mts``, 2014-06-18: transcoding jobs, one for each output.

A submit has no token. A job can be cancelled only while it is ``Submitted``, as the page of CancelJob says; with which
code an unknown job is refused, and one that has begun, it does not say, nor how a part of a submit is.
"""

from __future__ import annotations

import secrets
from typing import Any

from airflow_cloudjobs.localcloud.alibaba.jobs import find, start, why
from airflow_cloudjobs.localcloud.alibaba.rpc import answer, invalid, required, structured
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.clock import iso
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.operation import Operation

VERSION = "2014-06-18"
API = "mps.transcode"

_MOST_OUTPUTS = 30
_MOST_ASKED = 10


def submit_jobs(call: Call) -> Answer:
    """SubmitJobs: a job for each output; one output that is wrong does not stop the others."""
    for name in ("Input", "OutputBucket", "Outputs", "PipelineId"):
        required(call, name)
    source, outputs = structured(call, "Input", dict), structured(call, "Outputs", list)
    for name in ("Bucket", "Location", "Object"):
        if not isinstance(source.get(name), str):
            raise invalid("Input", f"it has no {name}")
    if not 1 <= len(outputs) <= _MOST_OUTPUTS:
        raise invalid("Outputs", f"1 to {_MOST_OUTPUTS} outputs are allowed")
    return answer(call, {"JobResultList": {"JobResult": [_submitted(call, source, output) for output in outputs]}})


def query_job_list(call: Call) -> Answer:
    """QueryJobList: the jobs of these ids, the newest first, ten at most."""
    asked = [each.strip() for each in call.parameters.get("JobIds", "").split(",") if each.strip()]
    if not 1 <= len(asked) <= _MOST_ASKED:
        raise invalid("JobIds", f"1 to {_MOST_ASKED} job IDs are allowed")
    call.keys.extend(asked)
    found = {key: call.state.jobs.get(API, key) for key in asked}
    jobs = sorted((job for job in found.values() if job is not None), key=lambda job: job.started, reverse=True)
    return answer(
        call,
        {
            "JobList": {"Job": [_described(call, job) for job in jobs]},
            "NonExistJobIds": {"String": [key for key, job in found.items() if job is None]},
        },
    )


def cancel_job(call: Call) -> Answer:
    """CancelJob: cancel a job that has not begun."""
    key = required(call, "JobId")
    job = find(call, API, key, Refused(404, "InvalidParameter.JobNotFound", f"The job {key} does not exist."))
    if job.status(call.now) != "Submitted":
        raise Refused(403, "InvalidParameter.JobState", f"The job {key} is not in the Submitted state.")
    call.state.cancel(job)
    return answer(call, {"JobId": key})


OPERATIONS = (
    Operation("alibaba", "mts", "SubmitJobs", "submit", submit_jobs, API),
    Operation("alibaba", "mts", "QueryJobList", "poll", query_job_list, API),
    Operation("alibaba", "mts", "CancelJob", "cancel", cancel_job, API),
)


def _submitted(call: Call, source: dict[str, Any], output: Any) -> dict[str, Any]:
    for name in ("OutputObject", "TemplateId"):
        if not isinstance(output, dict) or not output.get(name):
            return {"Success": False, "Code": "InvalidParameter", "Message": f"The output has no {name}."}
    fields = {**{name: call.parameters[name] for name in ("OutputBucket", "PipelineId")}, "Input": source, **output}
    job = start(call, API, secrets.token_hex(16), fields, f"{source['Object']} {output['OutputObject']}")
    return {"Success": True, "Job": _described(call, job)}


def _described(call: Call, job: Job) -> dict[str, Any]:
    now, fields = call.now, job.fields
    code, reason = why(job, now)
    output = {
        "TemplateId": fields.get("TemplateId", ""),
        "UserData": fields.get("UserData", ""),
        "OutputFile": {"Bucket": fields.get("OutputBucket", ""), "Object": fields.get("OutputObject", "")},
    }
    described: dict[str, Any] = {
        "JobId": job.key,
        "State": call.status(job, now),
        "Percent": int(100 * job.progress(now)),
        "PipelineId": fields.get("PipelineId", ""),
        "CreationTime": iso(job.started),
        "Input": fields.get("Input", {}),
        "Output": output,
    }
    if job.ended(now):
        described["FinishTime"] = iso(job.ended_at())
    if reason:
        described.update(Code=code, Message=reason)
    return described
