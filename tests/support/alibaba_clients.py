# SPDX-License-Identifier: Apache-2.0
"""The job APIs of Alibaba Cloud as their vendor's typed clients call them, unchanged."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alibabacloud_adb20211201 import models as adb
from alibabacloud_adb20211201.client import Client as Adb
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ecs20140526.client import Client as Ecs
from alibabacloud_emr_serverless_spark20230808 import models as emr
from alibabacloud_emr_serverless_spark20230808.client import Client as Emr
from alibabacloud_fc20230330 import models as fc
from alibabacloud_fc20230330.client import Client as Fc
from alibabacloud_green20220302 import models as green
from alibabacloud_green20220302.client import Client as Green
from alibabacloud_ice20201109 import models as ice
from alibabacloud_ice20201109.client import Client as Ice
from alibabacloud_imm20200930 import models as imm
from alibabacloud_imm20200930.client import Client as Imm
from alibabacloud_mts20140618 import models as mts
from alibabacloud_mts20140618.client import Client as Mts
from alibabacloud_oos20190601 import models as oos
from alibabacloud_oos20190601.client import Client as Oos
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.runtime import RuntimeOptions

from airflow_cloudjobs.localcloud import LocalCloud, accounts

REGION = "cn-shanghai"


def connected(client: type[Any], cloud: LocalCloud) -> Any:
    """A typed client of the local cloud."""
    return client(
        Config(
            access_key_id=accounts.ALIBABA_ACCESS_KEY,
            access_key_secret=accounts.ALIBABA_SECRET,
            endpoint=f"{cloud.host}:{cloud.port}",
            protocol="http",
            region_id=REGION,
        )
    )


@dataclass(frozen=True)
class Seen:
    """What a poll shows of a job.

    :param status: its status.
    :param reason: why it failed; empty if nothing is said.
    """

    status: Any
    reason: str


@dataclass(frozen=True)
class Vendor:
    """How a typed client drives one job API.

    :param api: id of the API.
    :param client: the client's class.
    :param submit: starts a job for an input, with a token where the API has one, and gives its key.
    :param poll: asks for a job; None if it is not in the answer.
    :param cancel: cancels a job, where the API can.
    :param unknown: status and code of the refusal of a poll for an unknown key; None if the answer is without it.
    :param unknown_cancel: the same of a cancel.
    :param too_late: status and code of the refusal of a cancel that comes too late.
    :param token: whether a submit takes a token.
    """

    api: str
    client: type[Any]
    submit: Callable[[Any, str, str], str]
    poll: Callable[[Any, str], Seen | None]
    cancel: Callable[[Any, str], Any] | None
    unknown: tuple[int, str] | None
    unknown_cancel: tuple[int, str] | None = None
    too_late: tuple[int, str] | None = None
    token: bool = False


def start_job_run(client: Any, source: str, token: str, **more: Any) -> str:
    driver = emr.JobDriver(spark_submit=emr.JobDriverSparkSubmit(entry_point=source))
    request = emr.StartJobRunRequest(name="daily", code_type="JAR", job_driver=driver, client_token=token, **more)
    return str(client.start_job_run("w-1", request).body.job_run_id)


def get_job_run(client: Any, key: str) -> Seen:
    run = client.get_job_run("w-1", key, emr.GetJobRunRequest(region_id=REGION)).body.job_run
    assert (run.job_run_id, run.workspace_id) == (key, "w-1")
    reason = run.state_change_reason
    return Seen(run.state, f"{reason.code}: {reason.message}" if reason else "")


def cancel_job_run(client: Any, key: str) -> None:
    assert client.cancel_job_run("w-1", key, emr.CancelJobRunRequest()).body.job_run_id == key


def submit_spark_app(client: Any, source: str, token: str) -> str:
    data = json.dumps({"file": source, "conf": {"spark.driver.resourceSpec": "small"}})
    request = adb.SubmitSparkAppRequest(dbcluster_id="amv-1", resource_group_name="job", data=data, app_name="daily")
    app = client.submit_spark_app(request).body.data
    assert (app.state, app.app_name, app.message) == ("SUBMITTED", "daily", None)
    return str(app.app_id)


def get_spark_app_state(client: Any, key: str) -> Seen:
    app = client.get_spark_app_state(adb.GetSparkAppStateRequest(dbcluster_id="amv-1", app_id=key)).body.data
    assert (app.app_id, app.dbcluster_id) == (key, "amv-1")
    return Seen(app.state, app.message or "")


def kill_spark_app(client: Any, key: str) -> None:
    app = client.kill_spark_app(adb.KillSparkAppRequest(dbcluster_id="amv-1", app_id=key)).body.data
    assert (app.app_id, app.state) == (key, "KILLING")


def start_execution(client: Any, source: str, token: str, **more: Any) -> str:
    parameters = json.dumps({"source": source})
    request = oos.StartExecutionRequest(
        region_id=REGION, template_name="ACS-Copy", parameters=parameters, client_token=token, **more
    )
    execution = client.start_execution(request).body.execution
    assert (execution.template_name, execution.parameters) == ("ACS-Copy", parameters)
    return str(execution.execution_id)


def list_executions(client: Any, key: str) -> Seen | None:
    body = client.list_executions(oos.ListExecutionsRequest(region_id=REGION, execution_id=key)).body
    return next((Seen(each.status, each.status_message) for each in body.executions if each.execution_id == key), None)


def cancel_execution(client: Any, key: str) -> None:
    client.cancel_execution(oos.CancelExecutionRequest(region_id=REGION, execution_id=key))


def run_command(client: Any, source: str, token: str, **more: Any) -> str:
    given = {"instance_id": ["i-1", "i-2"], "type": "RunShellScript", "command_content": f"cat {source}", **more}
    request = ecs.RunCommandRequest(region_id=REGION, client_token=token, **given)
    body = client.run_command(request).body
    assert body.command_id.startswith("c-")
    return str(body.invoke_id)


def describe_invocations(client: Any, key: str) -> Seen | None:
    request = ecs.DescribeInvocationsRequest(region_id=REGION, invoke_id=key)
    found = client.describe_invocations(request).body.invocations.invocation
    if not found:
        return None
    (invocation,) = found
    assert invocation.invoke_id == key
    instances = invocation.invoke_instances.invoke_instance
    reasons = {f"{each.error_code}: {each.error_info}" for each in instances if each.error_info}
    return Seen(invocation.invoke_status, " ".join(reasons))


def stop_invocation(client: Any, key: str) -> None:
    client.stop_invocation(ecs.StopInvocationRequest(region_id=REGION, invoke_id=key))


def transcode(client: Any, source: str, outputs: list[dict[str, str]]) -> list[Any]:
    """What SubmitJobs says of each output."""
    place = {"Bucket": "b", "Location": "oss-cn-shanghai", "Object": source}
    request = mts.SubmitJobsRequest(
        input=json.dumps(place), output_bucket="b", outputs=json.dumps(outputs), pipeline_id="p-1"
    )
    results: list[Any] = client.submit_jobs(request).body.job_result_list.job_result
    return results


def submit_jobs(client: Any, source: str, token: str) -> str:
    (result,) = transcode(client, source, [{"OutputObject": "o.mp4", "TemplateId": "t"}])
    assert (result.success, result.job.state, result.job.input.object) == (True, "Submitted", source)
    return str(result.job.job_id)


def query_job_list(client: Any, key: str) -> Seen | None:
    body = client.query_job_list(mts.QueryJobListRequest(job_ids=key)).body
    missing = body.non_exist_job_ids.string
    if missing:
        assert (missing, body.job_list.job) == ([key], [])
        return None
    (job,) = body.job_list.job
    assert job.job_id == key
    return Seen(job.state, f"{job.code}: {job.message}" if job.message else "")


def cancel_job(client: Any, key: str) -> None:
    assert client.cancel_job(mts.CancelJobRequest(job_id=key)).body.job_id == key


def video_moderation(client: Any, source: str, token: str) -> str:
    parameters = json.dumps({"url": f"https://files.example.com/{source}", "dataId": "d-1"})
    body = client.video_moderation(
        green.VideoModerationRequest(service="videoDetection", service_parameters=parameters)
    ).body
    assert (body.code, body.message, body.data.data_id) == (200, "OK", "d-1")
    return str(body.data.task_id)


def video_moderation_result(client: Any, key: str) -> Seen | None:
    request = green.VideoModerationResultRequest(
        service="videoDetection", service_parameters=json.dumps({"taskId": key})
    )
    body = client.video_moderation_result(request).body
    if body.data is None:
        assert body.code == 400
        return None
    assert body.data.task_id == key
    assert (body.data.risk_level == "none") is (body.code == 200)
    return Seen(body.code, "" if body.code in (200, 280) else body.message)


def invoke_function(client: Any, source: str, token: str) -> str:
    key = token or f"task-{uuid.uuid4()}"
    headers = fc.InvokeFunctionHeaders(x_fc_invocation_type="Async", x_fc_async_task_id=key)
    request = fc.InvokeFunctionRequest(body=io.BytesIO(json.dumps({"source": source}).encode()))
    answer = client.invoke_function_with_options("copy", request, headers, RuntimeOptions())
    assert (answer.status_code, answer.body.read()) == (202, b"")
    return key


def get_async_task(client: Any, key: str) -> Seen:
    task = client.get_async_task("copy", key, fc.GetAsyncTaskRequest()).body
    assert task.task_id == key
    return Seen(task.status, task.task_error_message)


def stop_async_task(client: Any, key: str) -> None:
    client.stop_async_task("copy", key, fc.StopAsyncTaskRequest())


def create_media_convert_task(client: Any, source: str, token: str, **more: Any) -> str:
    given = {
        "sources": [imm.CreateMediaConvertTaskRequestSources(uri=f"oss://b/{source}")],
        "targets": [imm.CreateMediaConvertTaskRequestTargets(uri="oss://b/o.mp4", container="mp4")],
        **more,
    }
    request = imm.CreateMediaConvertTaskRequest(project_name="p", **given)
    body = client.create_media_convert_task(request).body
    assert body.event_id
    return str(body.task_id)


def get_task(client: Any, key: str) -> Seen:
    task = client.get_task(imm.GetTaskRequest(project_name="p", task_type="MediaConvert", task_id=key)).body
    assert (task.task_id, task.task_type, task.project_name) == (key, "MediaConvert", "p")
    return Seen(task.status, f"{task.code}: {task.message}" if task.message else "")


def submit_media_producing_job(client: Any, source: str, token: str, **more: Any) -> str:
    given = {"timeline": json.dumps({"VideoTracks": [{"MediaURL": source}]}), **more}
    request = ice.SubmitMediaProducingJobRequest(
        output_media_config=json.dumps({"MediaURL": "https://b.oss-cn-shanghai.aliyuncs.com/o.mp4"}),
        client_token=token,
        **given,
    )
    return str(client.submit_media_producing_job(request).body.job_id)


def get_media_producing_job(client: Any, key: str) -> Seen:
    job = client.get_media_producing_job(ice.GetMediaProducingJobRequest(job_id=key)).body.media_producing_job
    assert (job.job_id, bool(job.media_url)) == (key, job.status == "Success")
    return Seen(job.status, f"{job.code}: {job.message}" if job.message else "")


VENDORS = {
    vendor.api: vendor
    for vendor in (
        Vendor(
            "emr.spark_job",
            Emr,
            start_job_run,
            get_job_run,
            cancel_job_run,
            (404, "JobRun.NotFound"),
            (404, "JobRun.NotFound"),
            (400, "JobRun.Ended"),
            token=True,
        ),
        Vendor(
            "adb.spark_app",
            Adb,
            submit_spark_app,
            get_spark_app_state,
            kill_spark_app,
            (404, "Spark.App.NotFound"),
            (404, "Spark.App.NotFound"),
            (400, "Spark.App.Ended"),
        ),
        Vendor(
            "oos.execution",
            Oos,
            start_execution,
            list_executions,
            cancel_execution,
            None,
            (404, "EntityNotExists.Execution"),
            (400, "InvalidExecutionStatus"),
            token=True,
        ),
        Vendor(
            "ecs.command",
            Ecs,
            run_command,
            describe_invocations,
            stop_invocation,
            None,
            (404, "InvalidInvokeId.NotFound"),
            (403, "Operation.Forbidden"),
            token=True,
        ),
        Vendor(
            "mps.transcode",
            Mts,
            submit_jobs,
            query_job_list,
            cancel_job,
            None,
            (404, "InvalidParameter.JobNotFound"),
            (403, "InvalidParameter.JobState"),
        ),
        Vendor("green.video", Green, video_moderation, video_moderation_result, None, None),
        Vendor(
            "fc.async_task",
            Fc,
            invoke_function,
            get_async_task,
            stop_async_task,
            (404, "AsyncTaskNotFound"),
            (404, "AsyncTaskNotFound"),
            (400, "InvalidArgument"),
        ),
        Vendor("imm.media_convert", Imm, create_media_convert_task, get_task, None, (404, "ResourceNotFound")),
        Vendor(
            "ice.media_producing",
            Ice,
            submit_media_producing_job,
            get_media_producing_job,
            None,
            (404, "JobNotFound"),
            token=True,
        ),
    )
}
"""By the id of the API."""
