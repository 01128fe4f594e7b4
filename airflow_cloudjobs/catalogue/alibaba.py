# SPDX-License-Identifier: Apache-2.0
"""Job APIs of Alibaba Cloud."""

from __future__ import annotations

from airflow_cloudjobs.jobs.job_api import Call, Find, JobApi

QUALIFIER = {"qualifier": "{qualifier?}"}
WORKSPACE = {"workspace": "{workspace}"}

# A table is read by rows, and each entry has the same ones: what it is, whence, submit, poll, status, ends, the rest.
# fmt: off

# The SDK gives no values of ``state``; the words are those that Apache DolphinScheduler's task of this API reads.
EMR_SPARK_JOB = JobApi(
    "emr.spark_job", "emr-serverless-spark@2023-08-08", title="EMR Serverless Spark job",
    source="alibabacloud-emr-serverless-spark20230808 2.3.0 (2026-11-27); words: DolphinScheduler, RunState",
    submit=Call("StartJobRun POST /api/v1/workspaces/{workspaceId}/jobRuns", body={"clientToken": "{token}"}),
    key="jobRunId", poll="GetJobRun GET /api/v1/workspaces/{workspaceId}/jobRuns/{key}", job="jobRun",
    status="state", running="Submitted Pending Running Cancelling CancelFailed",
    succeeded="Success", failed="Failed", cancelled="Cancelled",
    reason="stateChangeReason.code stateChangeReason.message",
    omit="jobDriver configurationOverrides", signed_urls="notebookAccessUrl",
    cancel="CancelJobRun DELETE /api/v1/workspaces/{workspaceId}/jobRuns/{key}",
    console="https://emr-next.console.aliyun.com/",
)

# UNKNOWN is a state that passes: the service has lost sight of the application for a moment.
ADB_SPARK_APP = JobApi(
    "adb.spark_app", "adb@2021-12-01", title="AnalyticDB for MySQL Spark application",
    source="alibabacloud-adb20211201 4.5.1 (2026-11-27)",
    submit=Call("SubmitSparkApp", rest="form"), key="Data.AppId", secret="Data",
    poll=Call("GetSparkAppState", query={"DBClusterId": "{DBClusterId}"}, form={"AppId": "{key}"}), job="Data",
    status="State", running="SUBMITTED STARTING RUNNING FAILING KILLING SUCCEEDING UNKNOWN",
    succeeded="COMPLETED", failed="FAILED FATAL", cancelled="KILLED",
    reason="Message",
    cancel=Call("KillSparkApp", query={"DBClusterId": "{DBClusterId}"}, form={"AppId": "{key}"}),
    console="https://ads.console.aliyun.com/",
)

DATAWORKS_ADHOC_WORKFLOW = JobApi(
    "dataworks.adhoc_workflow", "dataworks-public@2024-05-18", title="DataWorks ad hoc workflow",
    source="alibabacloud-dataworks-public20240518 9.11.0 (2026-11-27)",
    submit=Call("ExecuteAdhocWorkflowInstance", rest="form"), key="WorkflowInstanceId", secret="Content",
    poll=Call("GetWorkflowInstance GET /", query={"Id": "{key}"}), job="WorkflowInstance",
    status="Status", running="NotRun Running WaitTime CheckingCondition WaitResource Checking",
    succeeded="Success", failed="Failure",
    omit="WorkflowParameters",
    cancel=Call("StopWorkflowInstances", form={"Ids": "[{key}]"}),
    console="https://dataworks.console.aliyun.com/",
)

# Jobs are submitted by another protocol than this API's. Its SDK gives no values of ``status``; Waiting is what its
# ``waitingTime`` counts. Terminated, a word of the older protocol, says nothing of success and is none here.
MAXCOMPUTE_JOB = JobApi(
    "maxcompute.job", "maxcompute@2022-01-04", title="MaxCompute job",
    source="alibabacloud-maxcompute20220104 7.2.0 (2026-11-27); words: "
    "https://www.alibabacloud.com/help/en/maxcompute/product-overview/task-instance",
    poll="GetJobInfo GET /api/v1/jobs/{key}/info", job="data",
    status="status", running="Waiting Running",
    succeeded="Success", failed="Failed", cancelled="Cancelled",
    reason="sceneResults[].summary",
    console="https://maxcompute.console.aliyun.com/",
)

# ``InvocationStatus`` is by exit codes; ``InvokeStatus``, beside it, is not, and Finished is a word of that one.
ECS_COMMAND = JobApi(
    "ecs.command", "ecs@2014-05-26", title="ECS Cloud Assistant command",
    source="alibabacloud-ecs20140526 7.11.8 (2026-11-27)",
    submit=Call("RunCommand", query={"RegionId": "{RegionId}", "ClientToken": "{token}"},
                flat="InstanceId Tag ResourceTag"), key="InvokeId",
    poll=Call("DescribeInvocations", query={"RegionId": "{RegionId}", "InvokeId": "{key}"}),
    job="Invocations.Invocation[InvokeId]", status="InvocationStatus", running="Pending Scheduled Running Stopping",
    succeeded="Success", failed="Failed PartialFailed Finished", cancelled="Stopped",
    reason="InvokeInstances.InvokeInstance[].ErrorCode InvokeInstances.InvokeInstance[].ErrorInfo",
    omit="CommandContent Parameters", secret="CommandContent",
    cancel=Call("StopInvocation", query={"RegionId": "{RegionId}", "InvokeId": "{key}"}),
    console="https://ecs.console.aliyun.com/cloud-assistant/",
)

OOS_EXECUTION = JobApi(
    "oos.execution", "oos@2019-06-01", title="OOS execution",
    source="alibabacloud-oos20190601 3.7.0 (2026-11-27)",
    submit=Call("StartExecution", query={"RegionId": "{RegionId}", "ClientToken": "{token}"}),
    key="Execution.ExecutionId", poll=Call("ListExecutions", query={"RegionId": "{RegionId}", "ExecutionId": "{key}"}),
    job="Executions[ExecutionId]", status="Status", running="Started Queued Running Waiting Pending",
    succeeded="Success", failed="Failed Skipped", cancelled="Cancelled",
    reason="StatusMessage StatusReason", omit="Parameters",
    cancel=Call("CancelExecution", query={"RegionId": "{RegionId}", "ExecutionId": "{key}"}),
    # The page is the one that Alibaba Cloud's plugin for Jenkins leads to.
    console="https://oos.console.aliyun.com/", job_page="https://oos.console.aliyun.com/{RegionId}/execution/detail/{key}",
)

# Only functions whose asynchronous tasks are enabled have these. An id begins with a letter.
FC_ASYNC_TASK = JobApi(
    "fc.async_task", "fc@2023-03-30", title="Function Compute asynchronous task",
    source="alibabacloud-fc20230330 4.8.3 (2026-11-27)",
    submit=Call("InvokeFunction POST /2023-03-30/functions/{functionName}/invocations", body="{body?}",
                headers={"x-fc-invocation-type": "Async", "x-fc-async-task-id": "airflow-{token}"}, query=QUALIFIER),
    key="airflow-{token}",
    poll=Call("GetAsyncTask GET /2023-03-30/functions/{functionName}/async-tasks/{key}", query=QUALIFIER),
    status="status", running="Enqueued Running Retrying Stopping",
    succeeded="Succeeded", failed="Failed Invalid Expired", cancelled="Stopped",
    reason="taskErrorMessage", omit="taskPayload events",
    cancel=Call("StopAsyncTask PUT /2023-03-30/functions/{functionName}/async-tasks/{key}/stop", query=QUALIFIER),
    console="https://fcnext.console.aliyun.com/",
)

FLINK_JOB = JobApi(
    "flink.job", "ververica@2022-07-18", title="Realtime Compute for Apache Flink job",
    source="alibabacloud-ververica20220718 1.14.0 (2026-11-27)",
    submit=Call("StartJobWithParams POST /api/v2/namespaces/{namespace}/jobs%3Astart", headers=WORKSPACE),
    key="data.jobId", poll=Call("GetJob GET /api/v2/namespaces/{namespace}/jobs/{key}", headers=WORKSPACE), job="data",
    status="status.currentJobStatus", running="STARTING RUNNING CANCELLING",
    succeeded="FINISHED", failed="FAILED", cancelled="CANCELLED",
    reason="status.failure.reason status.failure.message",
    omit="artifact flinkConf userFlinkConf localVariables logging",
    cancel=Call("StopJob POST /api/v2/namespaces/{namespace}/jobs/{key}%3Astop", headers=WORKSPACE,
                body={"stopStrategy": "NONE"}),
    console="https://realtime-compute.console.aliyun.com/",
)

# ``Output`` shows the key of what is encrypted.
MPS_TRANSCODE = JobApi(
    "mps.transcode", "mts@2014-06-18", title="MPS transcoding job",
    source="alibabacloud-mts20140618 6.0.3 (2026-11-27)",
    submit="SubmitJobs", many="Outputs", key="JobResultList.JobResult[].Job.JobId",
    refused={"JobResultList.JobResult[].Success": "false"}, secret="Encryption",
    poll=Call("QueryJobList", query={"JobIds": "{keys:,}"}), job="JobList.Job[JobId]", batch=10,
    status="State", running="Submitted Transcoding",
    succeeded="TranscodeSuccess", failed="TranscodeFail", cancelled="TranscodeCancelled",
    reason="Code Message JobResultList.JobResult[].Message", progress="Percent", omit="Output",
    cancel=Call("CancelJob", query={"JobId": "{key}"}),
    console="https://mps.console.aliyun.com/",
)

ICE_MEDIA_PRODUCING = JobApi(
    "ice.media_producing", "ice@2020-11-09", title="IMS media producing job",
    source="alibabacloud-ice20201109 6.20.2 (2026-11-27)",
    submit=Call("SubmitMediaProducingJob", query={"ClientToken": "{token}"}, rest="query",
                form={"Timeline": "{Timeline?}"}),
    key="JobId", poll=Call("GetMediaProducingJob", query={"JobId": "{key}"}), job="MediaProducingJob",
    status="Status", running="Init Queuing Processing",
    succeeded="Success", failed="Failed",
    reason="Code Message", progress="Progress", omit="Timeline ClipsParam",
    console="https://ims.console.aliyun.com/",
)

IMM_MEDIA_CONVERT = JobApi(
    "imm.media_convert", "imm@2020-09-30", title="IMM media transcoding task",
    source="alibabacloud-imm20200930 5.0.3 (2026-11-27)",
    submit=Call("CreateMediaConvertTask", query={"ProjectName": "{ProjectName}"}), key="TaskId",
    poll=Call("GetTask", query={"ProjectName": "{ProjectName}", "TaskType": "MediaConvert", "TaskId": "{key}"}),
    status="Status", running="Running",
    succeeded="Succeeded", failed="Failed",
    reason="Code Message", progress="Progress", omit="TaskRequestDefinition",
    marked={"Tags": {"airflow_job": "{marker}"}}, find=Find(Call("ListTasks", query={
        "ProjectName": "{ProjectName}", "TagSelector": "airflow_job={marker}", "Sort": "StartTime", "Order": "desc",
    }), "Tasks[TaskId]", "Tags"),
    console="https://imm.console.aliyun.com/",
)

# The codes are in a 200. The SDK gives 200 alone; the others are those that blame the content or the request. What may
# pass (500, 503, 580, 581) is in no bucket.
GREEN_VIDEO = JobApi(
    "green.video", "green@2022-03-02", title="Content Moderation of a video",
    source="alibabacloud-green20220302 3.6.9 (2026-11-27); codes: https://www.alibabacloud.com/help/doc-detail/53414.htm",
    submit=Call("VideoModeration", form={"Service": "{Service}"}, rest="form"), key="Data.TaskId",
    refused={"Code": "400 401 403 404 480"},
    poll=Call("VideoModerationResult", reads=True,
              form={"Service": "{Service}", "ServiceParameters": {"taskId": "{key}"}}),
    status="Code", running="280",
    succeeded="200", failed="400 401 403 404 480",
    reason="Message",
    console="https://yundun.console.aliyun.com/?p=cts",
)
