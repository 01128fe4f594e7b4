# SPDX-License-Identifier: Apache-2.0
"""Job APIs of Alibaba Cloud."""

from __future__ import annotations

from airflow_cloudjobs.jobs.job_api import Call, JobApi

# The SDK gives no values of ``state``; the words are those that Apache DolphinScheduler's task of this API reads.
EMR_SPARK_JOB = JobApi(
    "emr.spark_job",
    "emr-serverless-spark@2023-08-08",
    title="EMR Serverless Spark job",
    source="alibabacloud-emr-serverless-spark20230808 2.3.0; words: DolphinScheduler, RunState",
    submit=Call("StartJobRun POST /api/v1/workspaces/{workspaceId}/jobRuns", body={"clientToken": "{token}"}),
    key="jobRunId",
    poll="GetJobRun GET /api/v1/workspaces/{workspaceId}/jobRuns/{key}",
    job="jobRun",
    status="state",
    running="Submitted Pending Running Cancelling CancelFailed",
    succeeded="Success",
    failed="Failed",
    cancelled="Cancelled",
    reason="stateChangeReason.code stateChangeReason.message",
    cancel="CancelJobRun DELETE /api/v1/workspaces/{workspaceId}/jobRuns/{key}",
    omit="jobDriver configurationOverrides",
    console="https://emr-next.console.aliyun.com/",
)

# UNKNOWN is a state that passes: the service has lost sight of the application for a moment.
ADB_SPARK_APP = JobApi(
    "adb.spark_app",
    "adb@2021-12-01",
    title="AnalyticDB for MySQL Spark application",
    source="alibabacloud-adb20211201 4.5.1, GetSparkAppState",
    submit=Call("SubmitSparkApp", rest="form"),
    key="Data.AppId",
    poll=Call("GetSparkAppState", query={"DBClusterId": "{DBClusterId}"}, form={"AppId": "{key}"}),
    job="Data",
    status="State",
    running="SUBMITTED STARTING RUNNING FAILING KILLING SUCCEEDING UNKNOWN",
    succeeded="COMPLETED",
    failed="FAILED FATAL",
    cancelled="KILLED",
    reason="Message",
    cancel=Call("KillSparkApp", query={"DBClusterId": "{DBClusterId}"}, form={"AppId": "{key}"}),
    console="https://ads.console.aliyun.com/",
)

OOS_EXECUTION = JobApi(
    "oos.execution",
    "oos@2019-06-01",
    title="OOS execution",
    source="alibabacloud-oos20190601 3.7.0, ListExecutions",
    submit=Call("StartExecution", query={"RegionId": "{RegionId}", "ClientToken": "{token}"}),
    key="Execution.ExecutionId",
    poll=Call("ListExecutions", query={"RegionId": "{RegionId}", "ExecutionId": "{key}"}),
    job="Executions[ExecutionId]",
    status="Status",
    running="Started Queued Running Waiting",
    succeeded="Success",
    failed="Failed",
    cancelled="Cancelled",
    reason="StatusMessage StatusReason",
    cancel=Call("CancelExecution", query={"RegionId": "{RegionId}", "ExecutionId": "{key}"}),
    omit="Parameters",
    console="https://oos.console.aliyun.com/",
)
