# SPDX-License-Identifier: Apache-2.0
"""Job APIs of Huawei Cloud."""

from __future__ import annotations

from airflow_cloudjobs.jobs.job_api import Call, JobApi

# A batch that was cancelled is shown as dead too. The page mixes the case of its words.
DLI_SPARK_BATCH = JobApi(
    "dli.spark_batch",
    "dli",
    title="DLI Spark batch job",
    source="huaweicloudsdkdli, v1 ShowSparkJobStatusResponse",
    submit="CreateSparkJob POST /v2.0/{project_id}/batches",
    key="id",
    poll="ShowSparkJobStatus GET /v2.0/{project_id}/batches/{key}/state",
    status="state",
    running="starting running recovering",
    succeeded="success",
    failed="dead",
    cancel="CancelSparkJob DELETE /v2.0/{project_id}/batches/{key}",
    console="https://console.huaweicloud.com/dli/?region={region}",
)

# ``job_state`` FINISHED says nothing of success; ``job_result`` does.
MRS_JOB = JobApi(
    "mrs.job",
    "mrs",
    title="MRS job",
    source="huaweicloudsdkmrs 3.1.219, v2 JobQueryBean and JobSubmitResult",
    submit="CreateExecuteJob POST /v2/{project_id}/clusters/{cluster_id}/job-executions",
    key="job_submit_result.job_id",
    refused={"job_submit_result.state": "FAILED"},
    poll="ShowSingleJobExe GET /v2/{project_id}/clusters/{cluster_id}/job-executions/{key}",
    job="job_detail",
    status="job_result",
    running="UNDEFINED",
    succeeded="SUCCEEDED",
    failed="FAILED",
    cancelled="KILLED",
    progress="job_progress",
    cancel="StopJob POST /v2/{project_id}/clusters/{cluster_id}/job-executions/{key}/kill",
    omit="arguments properties",
    console="https://console.huaweicloud.com/mrs/?region={region}",
)

# The SDK names no word for a job that was stopped; the vendor's own Airflow provider reads STOPPED (and takes it for
# success).
CDM_JOB = JobApi(
    "cdm.job",
    "cdm",
    title="CDM job",
    source="huaweicloudsdkcdm 3.1.219, v1 Submission; STOPPED: apache-airflow-providers-huawei 1.7.0",
    submit="StartJob PUT /v1.1/{project_id}/clusters/{cluster_id}/cdm/job/{job_name}/start",
    key="submissions[].submission-id",
    poll="ShowJobStatus GET /v1.1/{project_id}/clusters/{cluster_id}/cdm/job/{job_name}/status",
    job="submissions[submission-id]",
    status="status",
    running="BOOTING RUNNING UNKNOWN NEVER_EXECUTED",
    succeeded="SUCCEEDED",
    failed="FAILED FAILURE_ON_SUBMIT",
    cancelled="STOPPED",
    reason="error-summary",
    progress="progress",
    cancel="StopJob PUT /v1.1/{project_id}/clusters/{cluster_id}/cdm/job/{job_name}/stop",
    omit="error-details",
    console="https://console.huaweicloud.com/cdm/?region={region}",
)

# ``ignoreSuccess`` is a failure that the job's author said to ignore.
DATAARTS_JOB = JobApi(
    "dataarts.job",
    "dayu-dlf",
    title="DataArts Studio job",
    source="huaweicloudsdkdgc 3.1.219, v1 ShowJobInstanceResponse",
    submit=Call("RunOnce POST /v1/{project_id}/jobs/{job_name}/run-immediate", headers={"workspace": "{workspace?}"}),
    key="instanceId",
    poll=Call(
        "ShowJobInstance GET /v1/{project_id}/jobs/{job_name}/instances/{key}", headers={"workspace": "{workspace?}"}
    ),
    status="status",
    running="waiting running waiting-confirm pause freeze",
    succeeded="success forceSuccess ignoreSuccess",
    failed="fail running-exception skip-by-depend",
    cancelled="manual-stop",
    cancel=Call(
        "StopJobInstance POST /v1/{project_id}/jobs/{job_name}/instances/{key}/stop",
        headers={"workspace": "{workspace?}"},
    ),
    console="https://console.huaweicloud.com/dayu/?region={region}",
)

MODELARTS_TRAINING = JobApi(
    "modelarts.training",
    "modelarts",
    title="ModelArts training job",
    source="huaweicloudsdkmodelarts 3.1.219, v1 Status",
    submit="CreateTrainingJob POST /v2/{project_id}/training-jobs",
    key="metadata.id",
    poll="ShowTrainingJobDetails GET /v2/{project_id}/training-jobs/{key}",
    status="status.phase",
    running="Creating Pending Running Terminating",
    succeeded="Completed",
    failed="Failed Abnormal",
    cancelled="Terminated",
    reason="status.task_statuses[].message",
    cancel=Call("StopTrainingJob POST /v2/{project_id}/training-jobs/{key}/actions", body={"action_type": "terminate"}),
    omit="algorithm spec",
    console="https://console.huaweicloud.com/modelarts/?region={region}",
)

OMS_TASK = JobApi(
    "oms.task",
    "oms",
    title="OMS migration task",
    source="huaweicloudsdkoms 3.1.219, v2 ShowTaskResponse",
    submit="CreateTask POST /v2/{project_id}/tasks",
    key="id",
    poll="ShowTask GET /v2/{project_id}/tasks/{key}",
    status="status",  # 1 waits, 2 runs, 6 tries again, 7 is about to stop
    running="1 2 6 7",
    succeeded="5",
    failed="4",
    cancelled="3",
    reason="error_reason.error_code error_reason.error_msg",
    progress="progress",
    cancel="StopTask POST /v2/{project_id}/tasks/{key}/stop",
    omit="src_node dst_node",
    console="https://console.huaweicloud.com/oms/?region={region}",
)
