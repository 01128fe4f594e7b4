# SPDX-License-Identifier: Apache-2.0
"""ModelArts v2: training jobs. A job that is terminated is ``Terminating`` first. All error codes are guesses."""

from __future__ import annotations

import re
import uuid
from typing import Any

from airflow_cloudjobs.localcloud.accounts import IAM_USER
from airflow_cloudjobs.localcloud.answers import Answer
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei.kept import KeptJobs, milliseconds, reason
from airflow_cloudjobs.localcloud.huawei.rest import answer
from airflow_cloudjobs.localcloud.jobs import Job

JOBS = KeptJobs(
    "modelarts.training",
    "modelarts",
    bad="ModelArts.0104",
    unknown="ModelArts.0105",
    late="ModelArts.0106",
    unknown_status=404,
)


_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KINDS = (
    "job",
    "federated_pool_job",
    "edge_job",
    "hetero_job",
    "mrs_job",
    "autosearch_job",
    "diag_job",
    "visualization_job",
)


def create_training_job(call: Call) -> Answer:
    """CreateTrainingJob: train a model."""
    body = JOBS.body(call, metadata=dict)
    name = body["metadata"].get("name")
    if body.get("kind", "job") not in _KINDS or not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise JOBS.refused("The parameter kind or metadata.name is invalid.")
    return answer(call, _described(call, JOBS.submit(call, str(uuid.uuid4()), body)), 201)


def show_training_job_details(call: Call) -> Answer:
    """ShowTrainingJobDetails: one job."""
    return answer(call, _described(call, JOBS.find(call, call.path["training_job_id"])))


def stop_training_job(call: Call) -> Answer:
    """StopTrainingJob: terminate a job that has not ended."""
    if JOBS.body(call).get("action_type") != "terminate":
        raise JOBS.refused("The parameter action_type is invalid; its value is terminate.")
    job = JOBS.find(call, call.path["training_job_id"])
    JOBS.cancel(call, job)
    return answer(call, _described(call, job), 202)


_TRAINING = "/v2/{project_id}/training-jobs"
ROUTES = (
    JOBS.route("GET", _TRAINING + "/{training_job_id}", "ShowTrainingJobDetails", "poll", show_training_job_details),
    JOBS.route("POST", _TRAINING, "CreateTrainingJob", "submit", create_training_job),
    JOBS.route("POST", _TRAINING + "/{training_job_id}/actions", "StopTrainingJob", "cancel", stop_training_job),
)


def _described(call: Call, job: Job) -> dict[str, Any]:
    now, fields = call.now, job.fields
    phase, ended = call.status(job, now), job.ended(now)
    exit_code = 0 if job.succeeded(now) else 1
    task = {"task": "worker-0", "exit_code": exit_code, "message": reason(call, job)}
    return {
        "kind": fields.get("kind", "job"),
        "metadata": {
            "name": job.key,
            "workspace_id": "0",
            "description": "",
            **fields.get("metadata", {}),
            "id": job.key,
            "create_time": milliseconds(job.started),
            "user_name": IAM_USER,
        },
        "status": {
            "phase": phase,
            "secondary_phase": phase,
            "duration": milliseconds(job.lasted(now)),
            "start_time": milliseconds(job.started),
            "tasks": ["worker-0"],
            "task_statuses": [task] if ended else [],
        },
        "algorithm": fields.get("algorithm", {}),
        "spec": fields.get("spec", {}),
    }
