# SPDX-License-Identifier: Apache-2.0
"""DataArts Factory (DGC v1): runs of a workspace's jobs.

The workspace stands in a header; without it the default one is meant. Every job exists except those whose name says
"missing". Nothing but the status tells of a failure: the reason stands in the logs of the nodes. Which code the stop of
an ended run gets is a guess.
"""

from __future__ import annotations

from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei.kept import KeptJobs, milliseconds
from airflow_cloudjobs.localcloud.huawei.rest import answer, request_header
from airflow_cloudjobs.localcloud.jobs import Job

JOBS = KeptJobs("dataarts.job", "dayu-dlf", bad="DLF.0802", unknown="DLF.0137", late="DLF.0138")

#: What a node shows where the words of runs are not those of nodes.
_NODES = {"forceSuccess": "fail", "ignoreSuccess": "fail", "running-exception": "fail", "skip-by-depend": "skip"}


def run_once(call: Call) -> Answer:
    """RunOnce: run a job at once."""
    if "missing" in call.path["job_name"]:
        raise Refused(400, "DLF.0100", "The job does not exist.")
    body = JOBS.body(call)
    parameters = body.get("jobParams", [])
    if not isinstance(parameters, list) or not all(isinstance(each, dict) and each.get("name") for each in parameters):
        raise JOBS.refused("The specified parameter is not configured.")
    key = JOBS.number(call, 34_765)
    JOBS.submit(call, key, {**body, "workspace": _workspace(call)})
    return answer(call, {"instanceId": int(key)})


def show_job_instance(call: Call) -> Answer:
    """ShowJobInstance: one run."""
    job, now = _find(call), call.now
    status, ended = call.status(job, now), job.ended(now)
    times = {
        "status": status,
        "planTime": milliseconds(job.started),
        "startTime": milliseconds(job.started),
        "endTime": milliseconds(job.started + job.lasted(now)) if ended else None,
    }
    node = {**times, "nodeName": "work", "type": "DLISQL", "status": _NODES.get(status, status), "retryTimes": 0}
    return answer(
        call,
        {
            **times,
            "jobName": call.path["job_name"],
            "instanceId": int(job.key),
            "executeTime": milliseconds(job.lasted(now)),
            "total": 1,
            "nodes": [{**node, "instanceId": int(job.key), "logPath": f"obs://dlf-log-localcloud/{job.key}/work.job"}],
            "instanceType": 2,
            "forceSuccess": status == "forceSuccess",
            "ignoreSuccess": status == "ignoreSuccess",
        },
    )


def stop_job_instance(call: Call) -> Answer:
    """StopJobInstance: stop a run that has not ended."""
    JOBS.cancel(call, _find(call))
    return Answer(204, b"", "application/json", request_header(call))


_JOB = "/v1/{project_id}/jobs/{job_name}"
ROUTES = (
    JOBS.route("GET", _JOB + "/instances/{instance_id}", "ShowJobInstance", "poll", show_job_instance),
    JOBS.route("POST", _JOB + "/run-immediate", "RunOnce", "submit", run_once),
    JOBS.route("POST", _JOB + "/instances/{instance_id}/stop", "StopJobInstance", "cancel", stop_job_instance),
)


def _workspace(call: Call) -> str:
    return call.received.header("workspace") or "default"


def _find(call: Call) -> Job:
    return JOBS.find(call, call.path["instance_id"], workspace=_workspace(call))
