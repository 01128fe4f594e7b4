# SPDX-License-Identifier: Apache-2.0
"""Job APIs of Huawei Cloud."""

from __future__ import annotations

from airflow_cloudjobs.jobs.job_api import Call, JobApi

WORKSPACE = {"workspace": "{workspace?}"}

# A table is read by rows, and each entry has the same ones: what it is, whence, submit, poll, status, ends, the rest.
# fmt: off

# A batch that was cancelled is shown as dead too. The page mixes the case of its words. The log is its last ten lines.
DLI_SPARK_BATCH = JobApi(
    "dli.spark_batch", "dli", title="DLI Spark batch job",
    source="huaweicloudsdkdli 3.1.219, v1 (2026-11-27)",
    submit="CreateSparkJob POST /v2.0/{project_id}/batches", key="id",
    poll="ShowSparkJobStatus GET /v2.0/{project_id}/batches/{key}/state",
    status="state", running="starting running recovering",
    succeeded="success", failed="dead",
    explain="ShowSparkJob GET /v2.0/{project_id}/batches/{key}", explained="log[]",
    cancel="CancelSparkJob DELETE /v2.0/{project_id}/batches/{key}",
    console="https://console.huaweicloud.com/dli/?region={region}",
    # The Spark UI, by the address that DataArts Studio writes into its log.
    job_page="https://console.huaweicloud.com/dli/web/{project_id}/batch/{key}/sparkui",
)

# ``job_state`` FINISHED says nothing of success; ``job_result`` does.
MRS_JOB = JobApi(
    "mrs.job", "mrs", title="MRS job",
    source="huaweicloudsdkmrs 3.1.219, v2 (2026-11-27)",
    submit="CreateExecuteJob POST /v2/{project_id}/clusters/{cluster_id}/job-executions",
    key="job_submit_result.job_id", refused={"job_submit_result.state": "FAILED"},
    poll="ShowSingleJobExe GET /v2/{project_id}/clusters/{cluster_id}/job-executions/{key}", job="job_detail",
    status="job_result", running="UNDEFINED",
    succeeded="SUCCEEDED", failed="FAILED", cancelled="KILLED",
    progress="job_progress", omit="arguments properties",
    cancel="StopJob POST /v2/{project_id}/clusters/{cluster_id}/job-executions/{key}/kill",
    console="https://console.huaweicloud.com/mrs/?region={region}",
)

# FINISHED is success here. Only select, show and desc have an id to wait for; all others end in the submit's answer.
MRS_SQL = JobApi(
    "mrs.sql", "mrs", title="MRS Presto query",
    source="huaweicloudsdkmrs 3.1.219, v2 (2026-11-27)",
    submit="ExecuteSql POST /v2/{project_id}/clusters/{cluster_id}/sql-execution", key="id",
    refused={"status": "FAILED"}, sql="sql_content",
    poll="ShowSqlResult GET /v2/{project_id}/clusters/{cluster_id}/sql-execution/{key}",
    status="status", running="QUEUED WAITING_FOR_RESOURCES PLANNING STARTING RUNNING FINISHING",
    succeeded="FINISHED", failed="FAILED",
    reason="message", omit="statement",
    cancel="CancelSql POST /v2/{project_id}/clusters/{cluster_id}/sql-execution/{key}/cancel",
    console="https://console.huaweicloud.com/mrs/?region={region}",
)

# The SDK names no word for a job that was stopped; the vendor's own Airflow provider reads STOPPED (and takes it for
# success).
CDM_JOB = JobApi(
    "cdm.job", "cdm", title="CDM job",
    source="huaweicloudsdkcdm 3.1.219, v1 (2026-11-27); STOPPED: apache-airflow-providers-huawei 1.7.0",
    submit="StartJob PUT /v1.1/{project_id}/clusters/{cluster_id}/cdm/job/{job_name}/start",
    key="submissions[].submission-id",
    poll="ShowJobStatus GET /v1.1/{project_id}/clusters/{cluster_id}/cdm/job/{job_name}/status",
    job="submissions[submission-id]", status="status", running="BOOTING RUNNING UNKNOWN NEVER_EXECUTED",
    succeeded="SUCCEEDED", failed="FAILED FAILURE_ON_SUBMIT", cancelled="STOPPED",
    reason="error-summary", progress="progress", omit="error-details",
    cancel="StopJob PUT /v1.1/{project_id}/clusters/{cluster_id}/cdm/job/{job_name}/stop",
    console="https://console.huaweicloud.com/cdm/?region={region}",
)

# ``ignoreSuccess`` is a failure that the job's author said to ignore.
DATAARTS_JOB = JobApi(
    "dataarts.job", "dayu-dlf", title="DataArts Studio job",
    source="huaweicloudsdkdgc 3.1.219, v1 (2026-11-27)",
    submit=Call("RunOnce POST /v1/{project_id}/jobs/{job_name}/run-immediate", headers=WORKSPACE), key="instanceId",
    poll=Call("ShowJobInstance GET /v1/{project_id}/jobs/{job_name}/instances/{key}", headers=WORKSPACE),
    status="status", running="waiting running waiting-confirm pause freeze",
    succeeded="success forceSuccess ignoreSuccess",
    failed="fail running-exception skip-by-depend", cancelled="manual-stop",
    cancel=Call("StopJobInstance POST /v1/{project_id}/jobs/{job_name}/instances/{key}/stop", headers=WORKSPACE),
    console="https://console.huaweicloud.com/dayu/?region={region}",
)

# FINISHED is success here. No word is given for a script that was stopped.
DATAARTS_SCRIPT = JobApi(
    "dataarts.script", "dayu-dlf", title="DataArts Studio script",
    source="huaweicloudsdkdgc 3.1.219, v1 (2026-11-27)",
    submit=Call("ExecuteScript POST /v1/{project_id}/scripts/{script_name}/execute", headers=WORKSPACE),
    key="instanceId",
    poll=Call("ListScriptResults GET /v1/{project_id}/scripts/{script_name}/instances/{key}", headers=WORKSPACE),
    status="status", running="LAUNCHING RUNNING",
    succeeded="FINISHED", failed="FAILED",
    reason="message",
    cancel=Call("CancelScript POST /v1/{project_id}/scripts/{script_name}/instances/{key}/stop", headers=WORKSPACE),
    console="https://console.huaweicloud.com/dayu/?region={region}",
)

MODELARTS_TRAINING = JobApi(
    "modelarts.training", "modelarts", title="ModelArts training job",
    source="huaweicloudsdkmodelarts 3.1.219, v1 (2026-11-27)",
    submit="CreateTrainingJob POST /v2/{project_id}/training-jobs", key="metadata.id",
    poll="ShowTrainingJobDetails GET /v2/{project_id}/training-jobs/{key}",
    status="status.phase", running="Creating Pending Running Terminating",
    succeeded="Completed", failed="Failed Abnormal", cancelled="Terminated",
    reason="status.task_statuses[].message", omit="algorithm spec",
    cancel=Call("StopTrainingJob POST /v2/{project_id}/training-jobs/{key}/actions", body={"action_type": "terminate"}),
    console="https://console.huaweicloud.com/modelarts/?region={region}",
)

MODELARTS_WORKFLOW = JobApi(
    "modelarts.workflow", "modelarts", title="ModelArts workflow",
    source="huaweicloudsdkmodelarts 3.1.219, v1 (2026-11-27)",
    submit="CreateWorkflowExecution POST /v2/{project_id}/workflows/{workflow_id}/executions", key="execution_id",
    poll="ShowWorkflowExecution GET /v2/{project_id}/workflows/{workflow_id}/executions/{key}",
    status="status", running="init running",
    succeeded="completed", failed="abnormal", cancelled="stopped",
    reason="steps_execution[].error_info.error_code steps_execution[].error_info.error_message",
    omit="parameters data_requirements", cancel=Call("CreateWorkflowExecutionsActions POST "
        "/v2/{project_id}/workflows/{workflow_id}/executions/{key}/actions", body={"action_name": "stop"}),
    console="https://console.huaweicloud.com/modelarts/?region={region}",
)

# The list goes back one hour unless it is asked for more; whether for a ``request_id`` too is not said.
FUNCTIONGRAPH_ASYNC = JobApi(
    "functiongraph.async", "functiongraph", title="FunctionGraph asynchronous invocation",
    source="huaweicloudsdkfunctiongraph 3.1.219, v2 (2026-11-27)",
    submit=Call("AsyncInvokeFunction POST /v2/{project_id}/fgs/functions/{function_urn}/invocations-async",
                body="{body?}"), key="request_id",
    poll=Call("ListAsyncInvocations GET /v2/{project_id}/fgs/functions/{function_urn}/async-invocations",
              query={"request_id": "{key}"}),
    job="invocations[request_id]", status="status", running="WAIT RUNNING",
    succeeded="SUCCESS", failed="FAIL DISCARD",
    reason="error_code error_message",
    cancel=Call("CancelAsyncInvocation POST /v2/{project_id}/fgs/functions/{function_urn}/cancel",
                body={"request_id": "{key}"}),
    console="https://console.huaweicloud.com/functiongraph/?region={region}",
)

# The full transfer is what is waited for: increments begin after it, and end only when somebody ends the task. A task
# that was ended may have been so before its transfer was complete. The SDK calls the whole of v3 deprecated. A page
# holds five jobs unless it is asked for more.
DRS_MIGRATION = JobApi(
    "drs.migration", "drs", title="DRS task, until its full transfer is complete",
    source="huaweicloudsdkdrs 3.1.219, v3 (2026-11-27)",
    submit=Call("BatchStartJobs POST /v3/{project_id}/jobs/batch-starting", body={"jobs": [{"job_id": "{job_id}"}]}),
    key="{job_id}", refused={"results[].status": "failed"},
    poll=Call("BatchListJobStatus POST /v3/{project_id}/jobs/batch-status", reads=True,
              body={"jobs": "{keys}", "page_req": {"cur_page": 1, "per_page": 10}}),
    job="results[id]", batch=10, status="status",
    running="CREATING CONFIGURATION STARTJOBING WAITING_FOR_START PAUSING FULL_TRANSFER_STARTED "
    "RELEASE_RESOURCE_STARTED REBUILD_NODE_STARTED CHANGE_JOB_STARTED CHILD_TRANSFER_STARTING CHILD_TRANSFER_STARTED "
    "CHILD_TRANSFER_COMPLETE RELEASE_CHILD_TRANSFER_STARTED RELEASE_CHILD_TRANSFER_COMPLETE NODE_UPGRADE_START "
    "NODE_UPGRADE_COMPLETE",
    succeeded="FULL_TRANSFER_COMPLETE INCRE_TRANSFER_STARTED", cancelled="RELEASE_RESOURCE_COMPLETE DELETED",
    failed="CREATE_FAILED START_JOB_FAILED FULL_TRANSFER_FAILED INCRE_TRANSFER_FAILED RELEASE_RESOURCE_FAILED "
    "REBUILD_NODE_FAILED CHANGE_JOB_FAILED CHILD_TRANSFER_FAILED NODE_UPGRADE_FAILED",
    reason="error_code error_message results[].error_code results[].error_msg",
    console="https://console.huaweicloud.com/drs/?region={region}",
)

# Whatever else answers with a ``job_id`` (a resize, a start) is waited for by its key.
DWS_JOB = JobApi(
    "dws.job", "dws", title="DWS job: a cluster from a snapshot, or one by its key",
    source="huaweicloudsdkdws 3.1.219, v2 (2026-11-27)",
    submit="RestoreCluster POST /v1.0/{project_id}/snapshots/{snapshot_id}/actions", key="job_id",
    poll="ListJobDetails GET /v1.0/{project_id}/job/{key}",
    status="status", running="INIT WAITING RUNNING DELAY_SCHEDULED",
    succeeded="SUCCESS", failed="FAIL", cancelled="STOP",
    reason="failed_code failed_detail", progress="progress",
    console="https://console.huaweicloud.com/dws/?region={region}",
)

# Several tasks in one poll would stand as ``task_id=1&task_id=2``, which a query here cannot say.
MPC_TRANSCODE = JobApi(
    "mpc.transcode", "mpc", title="MPC transcoding task",
    source="huaweicloudsdkmpc 3.1.219, v1 (2026-11-27)",
    submit="CreateTranscodingTask POST /v1/{project_id}/transcodings", key="task_id", secret="encryption",
    poll=Call("ListTranscodingTask GET /v1/{project_id}/transcodings", query={"task_id": "{key}"}),
    job="task_array[task_id]", status="status", running="WAITING TRANSCODING NEED_TO_BE_AUDIT",
    succeeded="SUCCEEDED", failed="FAILED", cancelled="CANCELED",
    reason="error_code description", progress="progress",
    cancel=Call("DeleteTranscodingTask DELETE /v1/{project_id}/transcodings", query={"task_id": "{key}"}),
    console="https://console.huaweicloud.com/mpc/?region={region}",
)

OMS_TASK = JobApi(
    "oms.task", "oms", title="OMS migration task",
    source="huaweicloudsdkoms 3.1.219, v2 (2026-11-27)",
    submit="CreateTask POST /v2/{project_id}/tasks", key="id",
    poll="ShowTask GET /v2/{project_id}/tasks/{key}",
    status="status", running="1 2 6 7",  # 1 waits, 2 runs, 6 tries again, 7 is about to stop
    succeeded="5", failed="4", cancelled="3",
    reason="error_reason.error_code error_reason.error_msg", progress="progress", omit="src_node dst_node",
    cancel="StopTask POST /v2/{project_id}/tasks/{key}/stop",
    console="https://console.huaweicloud.com/oms/?region={region}",
)
