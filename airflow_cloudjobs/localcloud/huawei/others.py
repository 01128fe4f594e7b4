# SPDX-License-Identifier: Apache-2.0
"""A few operations besides those of our jobs, which differ in what they are asked with and in what they answer.

They keep nothing. Names and places of parameters are those of the vendor's SDK packages for DLI v1.0 (a JSON
list for an answer) and DGC v1 (DataArts Factory: the workspace in a header, nothing for an answer).
"""

from __future__ import annotations

from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei.rest import answer, json_object, request_header
from airflow_cloudjobs.localcloud.operation import Operation


def batch_run_flink_jobs(call: Call) -> Answer:
    """BatchRunFlinkJobs of DLI: whether each job could be started, in a list; ``is_success`` is a text."""
    jobs = json_object(call, "DLI.0001").get("job_ids")
    if not isinstance(jobs, list) or not jobs:
        raise Refused(400, "DLI.0001", "The parameter job_ids is required.")
    return answer(call, [{"is_success": "true", "message": f"The job {job} is submitted."} for job in jobs])


def stop_job_instance(call: Call) -> Answer:
    """StopJobInstance of DGC: stops the run of a job in the workspace that a header names."""
    if not call.received.header("workspace"):
        raise Refused(400, "DLF.0100", "The workspace does not exist.")
    return Answer(204, b"", "application/json", request_header(call))


ROUTES = (
    (
        "POST",
        "/v1.0/{project_id}/streaming/jobs/run",
        Operation("huawei", "dli", "BatchRunFlinkJobs", "read", batch_run_flink_jobs),
    ),
    (
        "POST",
        "/v1/{project_id}/jobs/{job_name}/instances/{instance_id}/stop",
        Operation("huawei", "dayu-dlf", "StopJobInstance", "read", stop_job_instance),
    ),
)
