# SPDX-License-Identifier: Apache-2.0
"""MapReduce Service: jobs of clusters (v2) and the clusters themselves (v1.1).

``job_state`` says that a job is over, ``job_result`` how it went. A submit may not be taken although its HTTP status is
200: one whose end is to be ``refused`` (by a mark or a plan). The SDK does not say whether it names a job then; here it
does, one that does not exist. Queries and kills are answered with HTTP 202, as the vendor's pages say.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from airflow_cloudjobs.localcloud.accounts import IAM_USER
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei.kept import KeptJobs, milliseconds
from airflow_cloudjobs.localcloud.huawei.rest import answer, request_header
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.operation import Operation

#: The pages name 0162 and 0175; the code of a bad parameter is a guess.
JOBS = KeptJobs("mrs.job", "mrs", bad="0012", unknown="0162", late="0175")
#: The end, in a mark or a plan, of a job that is not taken.
REFUSED = "refused"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TYPES = (
    "MapReduce",
    "SparkSubmit",
    "SparkPython",
    "HiveScript",
    "HiveSql",
    "DistCp",
    "SparkScript",
    "SparkSql",
    "Flink",
)
_STATES = ("NEW", "NEW_SAVING", "SUBMITTED", "ACCEPTED", "RUNNING", "RUNNING", "RUNNING", "RUNNING")


def create_execute_job(call: Call) -> Answer:
    """CreateExecuteJob: run a job in a cluster."""
    _cluster(call)
    body = JOBS.body(call, job_type=str, job_name=str)
    if body["job_type"] not in _TYPES or not _NAME.fullmatch(body["job_name"]):
        raise JOBS.refused("The parameter job_type or job_name is invalid.")
    key, script = str(uuid.uuid4()), JOBS.script(call)
    if script.steps[-1][0] == REFUSED:
        return answer(call, {"job_submit_result": {"job_id": key, "state": "FAILED"}})
    JOBS.submit(call, key, body, script)
    return answer(call, {"job_submit_result": {"job_id": key, "state": "COMPLETE"}})


def show_single_job_exe(call: Call) -> Answer:
    """ShowSingleJobExe: one job."""
    _cluster(call)
    return answer(call, {"job_detail": _described(call, JOBS.find(call, call.path["job_execution_id"]))}, 202)


def stop_job(call: Call) -> Answer:
    """StopJob: kill a job that has not ended."""
    _cluster(call)
    JOBS.cancel(call, JOBS.find(call, call.path["job_execution_id"]))
    return Answer(202, b"", "application/json", request_header(call))


def show_cluster_details(call: Call) -> Answer:
    """ShowClusterDetails: a cluster, which runs; those whose id says "missing" do not exist."""
    return answer(call, {"cluster": {"clusterId": _cluster(call), "clusterState": "running"}})


_JOB = "/v2/{project_id}/clusters/{cluster_id}/job-executions"
ROUTES = (
    JOBS.route("GET", _JOB + "/{job_execution_id}", "ShowSingleJobExe", "poll", show_single_job_exe),
    JOBS.route("POST", _JOB, "CreateExecuteJob", "submit", create_execute_job),
    JOBS.route("POST", _JOB + "/{job_execution_id}/kill", "StopJob", "cancel", stop_job),
    (
        "GET",
        "/v1.1/{project_id}/cluster_infos/{cluster_id}",
        Operation("huawei", "mrs", "ShowClusterDetails", "read", show_cluster_details),
    ),
)


def _cluster(call: Call) -> str:
    cluster = call.path["cluster_id"]
    if "missing" in cluster:
        raise Refused(404, "MRS.0010", f"The cluster {cluster} does not exist.")
    return cluster


def _described(call: Call, job: Job) -> dict[str, Any]:
    now, fields, progress = call.now, job.fields, job.progress(call.now)
    ended = job.ended(now)
    return {
        "job_id": job.key,
        "user": IAM_USER,
        "job_name": fields.get("job_name", ""),
        "job_type": fields.get("job_type", "SparkSubmit"),
        "job_result": call.status(job, now),
        "job_state": "FINISHED" if ended else _STATES[int(progress * len(_STATES))],
        "job_progress": round(100 * progress, 1),
        "submitted_time": milliseconds(job.started),
        "started_time": milliseconds(job.started),
        "finished_time": milliseconds(job.started + job.lasted(now)) if ended else 0,
        "elapsed_time": milliseconds(job.lasted(now)),
        "arguments": json.dumps(fields.get("arguments", [])),
        "properties": json.dumps(fields.get("properties", {})),
        "launcher_id": "application_1",
        "app_id": "application_1_0001",
        "tracking_url": "",
        "queue": "default",
    }
