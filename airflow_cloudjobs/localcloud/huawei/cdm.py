# SPDX-License-Identifier: Apache-2.0
"""Cloud Data Migration v1.1: runs of a cluster's jobs.

A run is a submission, whose number is its key; but a poll names the job and is answered with all its submissions. Every
job exists except those whose name says "missing". The service has an envelope for errors of its own, which the gateway
knows. The SDK has no word for a run that was stopped: ``STOPPED`` is that of the vendor's own Airflow provider.
"""

from __future__ import annotations

from typing import Any

from airflow_cloudjobs.localcloud.accounts import IAM_USER
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei.kept import KeptJobs, milliseconds
from airflow_cloudjobs.localcloud.huawei.rest import answer
from airflow_cloudjobs.localcloud.jobs import Job

JOBS = KeptJobs("cdm.job", "cdm", bad="Cdm.0014", unknown="Cdm.0100", late="")


def start_job(call: Call) -> Answer:
    """StartJob: run a job once."""
    _named(call)
    body = JOBS.body(call)
    if not isinstance(body.get("variables", {}), dict):
        raise JOBS.refused("Invalid parameter: variables.")
    job = JOBS.submit(call, JOBS.number(call, 1), body)
    return answer(call, {"submissions": [_described(call, job)]})


def show_job_status(call: Call) -> Answer:
    """ShowJobStatus: the runs of a job, the latest first."""
    _named(call)
    jobs = JOBS.all(call)[::-1]
    call.keys.extend(job.key for job in jobs)
    return answer(call, {"submissions": [_reported(call, job) for job in jobs]})


def stop_job(call: Call) -> Answer:
    """StopJob: stop what runs of a job; that nothing does is told inside of a success."""
    _named(call)
    running = [job for job in JOBS.all(call) if not job.ended(call.now)]
    for job in running:
        call.keys.append(job.key)
        JOBS.cancel(call, job)
    error = {"message": f"Job [{call.path['job_name']}] is not running.", "status": "ERROR"}
    return answer(call, {"validation-result": [] if running else [error]})


_JOB = "/v1.1/{project_id}/clusters/{cluster_id}/cdm/job/{job_name}"
ROUTES = (
    JOBS.route("GET", _JOB + "/status", "ShowJobStatus", "poll", show_job_status),
    JOBS.route("PUT", _JOB + "/start", "StartJob", "submit", start_job),
    JOBS.route("PUT", _JOB + "/stop", "StopJob", "cancel", stop_job),
)


def _named(call: Call) -> None:
    if "missing" in call.path["job_name"]:
        raise Refused(400, JOBS.unknown, f"Job[{call.path['job_name']}] doesn't exist.")


def _described(call: Call, job: Job) -> dict[str, Any]:
    now = call.now
    status, progress = call.status(job, now), job.progress(now)
    return {
        "submission-id": int(job.key),
        "job-name": job.fields.get("job_name", call.path["job_name"]),
        "status": status,
        "progress": -1.0 if status in {"FAILED", "FAILURE_ON_SUBMIT"} else round(100 * progress, 1),
        "creation-user": IAM_USER,
        "creation-date": milliseconds(job.started),
        "execute-date": milliseconds(job.started),
        "last-update-date": milliseconds(job.started + job.lasted(now)),
        "last-update-user": IAM_USER,
        "isIncrementing": False,
        "isStopingIncrement": "",
        "is-execute-auto": False,
        "isDeleteJob": False,
        "delete_rows": 0,
        "update_rows": 0,
        "write_rows": int(1000 * progress),
    }


def _reported(call: Call, job: Job) -> dict[str, Any]:
    told = {**_described(call, job), "external-id": f"job_local_{job.key}"}
    if told["status"] == "FAILED":
        told["error-summary"] = job.script.reason
        told["error-details"] = f"org.apache.sqoop.common.SqoopException: {job.script.reason}"
    return told
