# SPDX-License-Identifier: Apache-2.0
"""The job APIs that Alibaba Cloud's typed clients call, unchanged, on the local cloud."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from alibabacloud_adb20211201 import models as adb
from alibabacloud_dms_enterprise20181101 import models as dms
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_emr_serverless_spark20230808 import models as emr
from alibabacloud_fc20230330 import models as fc
from alibabacloud_green20220302 import models as green
from alibabacloud_ice20201109 import models as ice
from alibabacloud_imm20200930 import models as imm
from alibabacloud_mts20140618 import models as mts
from alibabacloud_oos20190601 import models as oos
from alibabacloud_tea_openapi.exceptions import ClientException
from darabonba.runtime import RuntimeOptions
from support.alibaba_clients import (
    REGION,
    VENDORS,
    Seen,
    Vendor,
    connected,
    create_media_convert_task,
    run_command,
    start_execution,
    start_job_run,
    submit_media_producing_job,
    transcode,
)

from airflow_cloudjobs.localcloud import Control, LocalCloud
from airflow_cloudjobs.localcloud.alibaba.states import STATES

LIFE = 40
"""Polls until a job ends: so many that each of its states is seen."""


@pytest.fixture(params=VENDORS.values(), ids=VENDORS)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    found: Vendor = request.param
    return found


@pytest.fixture
def client(vendor: Vendor, cloud: LocalCloud) -> Any:
    return connected(vendor.client, cloud)


@pytest.fixture
def ours(cloud: LocalCloud) -> Callable[[str], Any]:
    """Gives the client of an API."""
    return lambda api: connected(VENDORS[api].client, cloud)


def walk(vendor: Vendor, client: Any, key: str, ends: Any) -> tuple[list[Any], Seen]:
    """The different states that polls show until an end, and the last answer."""
    states: list[Any] = []
    for _ in range(2 * LIFE):
        seen = vendor.poll(client, key)
        assert seen is not None
        if not states or states[-1] != seen.status:
            states.append(seen.status)
        if seen.status in ends:
            return states, seen
    raise AssertionError(f"no end in {states}")


def refusal(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(ClientException) as refused:
        call()
    return refused.value.status_code, refused.value.code


def test_a_job_passes_through_its_states_and_succeeds(vendor: Vendor, client: Any, control: Control) -> None:
    control.settings(job_seconds=LIFE)
    words = STATES[vendor.api]
    key = vendor.submit(client, "a.mp4", "")
    states, last = walk(vendor, client, key, words.ends)
    assert states == [*(status for status, _ in words.running), words.success]
    assert last.reason == ""
    stats = control.stats()
    assert (stats["submits"], stats["cancels"]) == ({vendor.api: 1}, {})
    assert stats["polls"] == {vendor.api: {key: LIFE + 1}}


@pytest.mark.parametrize("source", ["missing_a.mp4", "a.mp4?localcloud=fail"])
def test_a_job_fails_with_the_reason(vendor: Vendor, client: Any, source: str) -> None:
    words = STATES[vendor.api]
    states, last = walk(vendor, client, vendor.submit(client, source, ""), words.ends)
    assert (states[-1], words.success in states) == (words.failure, False)
    assert (words.reason if "fail" in source else "missing_a.mp4") in last.reason


def test_a_plan_goes_before_the_input(vendor: Vendor, client: Any, control: Control) -> None:
    control.plan(vendor.api, "fail", reason="disk full")
    _, last = walk(vendor, client, vendor.submit(client, "a.mp4", ""), STATES[vendor.api].ends)
    assert last.reason.endswith("disk full")
    control.plan(vendor.api, "cancelled")
    _, last = walk(vendor, client, vendor.submit(client, "a.mp4", ""), STATES[vendor.api].ends)
    own = STATES[vendor.api].cancelled != STATES[vendor.api].failure
    assert (last.status, last.reason == "") == (STATES[vendor.api].cancelled, own)
    control.plan(vendor.api, "unknown", seconds=1)
    states, _ = walk(vendor, client, vendor.submit(client, "a.mp4", ""), {"ARCHIVING"})
    assert states == [STATES[vendor.api].running[0][0], "ARCHIVING"]


def test_a_job_that_nobody_submitted_is_waited_for(vendor: Vendor, client: Any, control: Control) -> None:
    words = STATES[vendor.api]
    control.create_job(vendor.api, "job-1", "fail", reason="because")
    _, last = walk(vendor, client, "job-1", words.ends)
    assert (last.status, last.reason.endswith("because")) == (words.failure, True)
    control.create_job(vendor.api, "job-2", seconds=0, reason="only of a failure")
    assert vendor.poll(client, "job-2") == Seen(words.success, "")
    assert control.stats()["submits"] == {vendor.api: 0}


def test_an_unknown_key(vendor: Vendor, client: Any, control: Control) -> None:
    vendor.submit(client, "a.mp4", "")
    if vendor.unknown is None:
        assert vendor.poll(client, "nobody") is None
    else:
        assert refusal(lambda: vendor.poll(client, "nobody")) == vendor.unknown
    if cancel := vendor.cancel:
        assert refusal(lambda: cancel(client, "nobody")) == vendor.unknown_cancel
    assert control.stats()["cancels"] == {}


def test_faults_strike_by_api_and_by_group(vendor: Vendor, client: Any, control: Control) -> None:
    key = vendor.submit(client, "a.mp4", "")
    control.fault("status", vendor.api, value="STRANGE", count=1)
    seen = vendor.poll(client, key)
    assert seen is not None
    assert seen.status == "STRANGE"
    control.fault("throttle", "poll", count=1)
    assert refusal(lambda: vendor.poll(client, key)) == (400, "Throttling.User")


@pytest.mark.parametrize("vendor", [each for each in VENDORS.values() if each.cancel], ids=lambda each: each.api)
def test_a_cancelled_job(vendor: Vendor, client: Any, control: Control) -> None:
    assert vendor.cancel is not None
    words = STATES[vendor.api]
    key = vendor.submit(client, "a.mp4", "")
    vendor.cancel(client, key)
    states, last = walk(vendor, client, key, words.ends)
    assert states == [words.cancelling or words.running[0][0], words.cancelled]
    assert last.reason == ""
    assert control.stats()["cancels"] == {vendor.api: 1}
    ended = control.create_job(vendor.api, seconds=0)["key"]
    for late in (key, ended):
        assert refusal(lambda late=late: vendor.cancel(client, late)) == vendor.too_late
    assert control.stats()["cancels"] == {vendor.api: 1}


@pytest.mark.parametrize("vendor", [each for each in VENDORS.values() if each.token], ids=lambda each: each.api)
def test_a_token_takes_a_submit_once(vendor: Vendor, client: Any, control: Control) -> None:
    key = vendor.submit(client, "a.mp4", "one")
    assert vendor.submit(client, "a.mp4", "one") == key
    assert control.stats()["submits"] == {vendor.api: 1}
    assert refusal(lambda: vendor.submit(client, "b.mp4", "one")) == (400, "IdempotentParameterMismatch")
    control.fault("reset", "submit", after_commit=True, count=1)
    with pytest.raises(Exception, match=r"(?i)connection|retry"):
        vendor.submit(client, "c.mp4", "two")
    others = {
        vendor.submit(client, "c.mp4", "two"),
        vendor.submit(client, "a.mp4", ""),
        vendor.submit(client, "a.mp4", ""),
    }
    assert len({key, *others}) == 4
    assert control.stats()["submits"] == {vendor.api: 4}
    control.reset()
    assert vendor.submit(client, "b.mp4", "one") != key


def test_a_repeated_task_id_is_a_conflict(ours: Callable[[str], Any], control: Control) -> None:
    client, vendor = ours("fc.async_task"), VENDORS["fc.async_task"]
    assert vendor.submit(client, "a.mp4", "task-1") == "task-1"
    assert refusal(lambda: vendor.submit(client, "a.mp4", "task-1")) == (409, "AsyncTaskAlreadyExists")
    assert refusal(lambda: vendor.submit(client, "a.mp4", "1-task")) == (400, "InvalidArgument")
    assert control.stats()["submits"] == {"fc.async_task": 1}
    assert refusal(lambda: client.get_async_task("other", "task-1", fc.GetAsyncTaskRequest())) == vendor.unknown
    answer = client.invoke_function_with_options(
        "copy", fc.InvokeFunctionRequest(), fc.InvokeFunctionHeaders(x_fc_invocation_type="Async"), RuntimeOptions()
    )
    seen = vendor.poll(client, answer.headers["x-fc-request-id"])
    assert seen is not None
    assert seen.status == "Enqueued"
    assert refusal(lambda: client.invoke_function("copy", fc.InvokeFunctionRequest())) == (400, "InvalidArgument")


BAD: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "no name": (
        "emr.spark_job",
        lambda client: client.start_job_run("w-1", emr.StartJobRunRequest(code_type="JAR")),
        "MissingParameter",
    ),
    "no such type of code": (
        "emr.spark_job",
        lambda client: client.start_job_run("w-1", emr.StartJobRunRequest(job_id="j", code_type="PERL")),
        "InvalidParameter",
    ),
    "no such workspace": (
        "emr.spark_job",
        lambda client: client.start_job_run("v-1", emr.StartJobRunRequest(job_id="j")),
        "Workspace.NotFound",
    ),
    "no data": (
        "adb.spark_app",
        lambda client: client.submit_spark_app(adb.SubmitSparkAppRequest(dbcluster_id="c", resource_group_name="r")),
        "MissingParameter",
    ),
    "no template": (
        "oos.execution",
        lambda client: client.start_execution(oos.StartExecutionRequest(region_id=REGION)),
        "MissingParameter",
    ),
    "parameters that are no JSON": (
        "oos.execution",
        lambda client: client.start_execution(oos.StartExecutionRequest(template_name="t", parameters="a=b")),
        "InvalidParameter",
    ),
    "too small a page": (
        "oos.execution",
        lambda client: client.list_executions(oos.ListExecutionsRequest(max_results=9)),
        "InvalidParameter",
    ),
    "no such region": (
        "ecs.command",
        lambda client: client.describe_invocations(ecs.DescribeInvocationsRequest(region_id="cn-shangai")),
        "InvalidRegionId.NotFound",
    ),
    "no instance": ("ecs.command", lambda client: run_command(client, "a", "", instance_id=None), "MissingParameter"),
    "no such type of command": (
        "ecs.command",
        lambda client: run_command(client, "a", "", type="Perl"),
        "InvalidParameter",
    ),
    "no Base64": (
        "ecs.command",
        lambda client: run_command(client, "a", "", content_encoding="Base64"),
        "InvalidParameter",
    ),
    "too large a page": (
        "ecs.command",
        lambda client: client.describe_invocations(ecs.DescribeInvocationsRequest(region_id=REGION, max_results=51)),
        "InvalidParameter",
    ),
    "no outputs": ("mps.transcode", lambda client: transcode(client, "a.mp4", []), "InvalidParameter"),
    "eleven jobs at once": (
        "mps.transcode",
        lambda client: client.query_job_list(mts.QueryJobListRequest(job_ids=",".join("abcdefghijk"))),
        "InvalidParameter",
    ),
    "no service": (
        "green.video",
        lambda client: client.video_moderation(green.VideoModerationRequest(service_parameters="{}")),
        "MissingParameter",
    ),
    "no targets": (
        "imm.media_convert",
        lambda client: create_media_convert_task(client, "a.mp4", "", targets=[]),
        "MissingParameter",
    ),
    "a source that is not in OSS": (
        "imm.media_convert",
        lambda client: client.create_media_convert_task(
            imm.CreateMediaConvertTaskRequest(
                project_name="p", sources=[imm.CreateMediaConvertTaskRequestSources(uri="http://h/a.mp4")]
            )
        ),
        "InvalidParameter",
    ),
    "a task of another type": (
        "imm.media_convert",
        lambda client: client.get_task(
            imm.GetTaskRequest(project_name="p", task_type="ImageToPDF", task_id="MediaConvert-1")
        ),
        "ResourceNotFound",
    ),
    "a timeline and a template": (
        "ice.media_producing",
        lambda client: submit_media_producing_job(client, "a.mp4", "", template_id="t"),
        "InvalidParameter",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_parameters_are_refused(bad: str, ours: Callable[[str], Any], control: Control) -> None:
    api, call, code = BAD[bad]
    control.create_job("imm.media_convert", "MediaConvert-1")
    assert refusal(lambda: call(ours(api))) == (404 if "NotFound" in code else 400, code)
    assert api not in control.stats()["submits"] or control.stats()["submits"][api] == 0


def test_a_video_is_refused_within_a_success(ours: Callable[[str], Any], control: Control) -> None:
    client = ours("green.video")
    for parameters in ('{"dataId": "d-1"}', '{"url": "ftp://h/a.mp4"}', "no JSON"):
        request = green.VideoModerationRequest(service="videoDetection", service_parameters=parameters)
        answer = client.video_moderation(request)
        assert (answer.status_code, answer.body.code, answer.body.data) == (200, 400, None)
        assert answer.body.message
    stats = control.stats()
    assert stats["operations"]["VideoModeration"] == {"calls": 3, "ok": 0, "refused": {"400": 3}}
    assert stats["submits"] == {}


def test_outputs_of_a_transcoding_are_jobs_of_their_own(ours: Callable[[str], Any], control: Control) -> None:
    client = ours("mps.transcode")
    outputs = [
        {"OutputObject": "1.mp4", "TemplateId": "t"},
        {"OutputObject": "2.mp4"},
        {"OutputObject": "3.mp4", "TemplateId": "t", "UserData": "localcloud=fail"},
    ]
    good, bad, failing = transcode(client, "a.mp4", outputs)
    assert [good.success, bad.success, failing.success] == [True, False, True]
    assert (bad.code, "TemplateId" in bad.message, bad.job) == ("InvalidParameter", True, None)
    assert control.stats()["submits"] == {"mps.transcode": 2}
    keys = [good.job.job_id, failing.job.job_id]
    for _ in range(4):
        body = client.query_job_list(mts.QueryJobListRequest(job_ids=",".join([*keys, "nobody"]))).body
    assert {job.job_id: job.state for job in body.job_list.job} == dict(
        zip(keys, ("TranscodeSuccess", "TranscodeFail"), strict=True)
    )
    assert {job.output.output_file.object for job in body.job_list.job} == {"1.mp4", "3.mp4"}
    assert body.non_exist_job_ids.string == ["nobody"]


def test_a_transcoding_that_has_begun_is_not_cancelled(ours: Callable[[str], Any], control: Control) -> None:
    control.create_job("mps.transcode", "job-1", steps=[["Transcoding", 5], ["TranscodeSuccess"]])
    client = ours("mps.transcode")
    assert refusal(lambda: client.cancel_job(mts.CancelJobRequest(job_id="job-1"))) == (
        403,
        "InvalidParameter.JobState",
    )


def pages(ask: Callable[[str | None], Any]) -> list[Any]:
    """The answers of a list, page by page."""
    answers = [ask(None)]
    while answers[-1].next_token:
        answers.append(ask(answers[-1].next_token))
    return answers


def test_runs_of_spark_jobs_in_a_list(ours: Callable[[str], Any], control: Control) -> None:
    client = ours("emr.spark_job")
    tag = emr.Tag(key="airflow_job", value="m-1")
    keys = [start_job_run(client, "a.jar", "", tags=[tag] if number == 1 else None) for number in range(3)]
    control.create_job("emr.spark_job", "elsewhere", fields={"workspaceId": "w-2"})
    answers = pages(
        lambda token: client.list_job_runs("w-1", emr.ListJobRunsRequest(max_results=2, next_token=token)).body
    )
    assert [[run.job_run_id for run in body.job_runs] for body in answers] == [[keys[2], keys[1]], [keys[0]]]
    assert answers[0].total_count == 3
    tags = [emr.ListJobRunsRequestTags(key="airflow_job", value="m-1")]
    (run,) = client.list_job_runs("w-1", emr.ListJobRunsRequest(tags=tags)).body.job_runs
    assert (run.job_run_id, run.tags[0].value, run.job_driver) == (keys[1], "m-1", None)
    control.set_status("emr.spark_job", keys[0], "Failed", reason="because", code="E")
    (run,) = client.list_job_runs("w-1", emr.ListJobRunsRequest(states=["Failed"])).body.job_runs
    assert (run.job_run_id, run.state_change_reason.message) == (keys[0], "because")


def test_executions_in_a_list(ours: Callable[[str], Any], control: Control) -> None:
    client = ours("oos.execution")
    keys = [start_execution(client, "a", "", tags={"airflow_job": f"m-{number}"}) for number in range(11)]
    answers = pages(
        lambda token: client.list_executions(oos.ListExecutionsRequest(max_results=10, next_token=token)).body
    )
    assert [[each.execution_id for each in body.executions] for body in answers] == [keys[:0:-1], keys[:1]]
    (found,) = client.list_executions(oos.ListExecutionsRequest(tags={"airflow_job": "m-7"})).body.executions
    assert (found.execution_id, found.tags) == (keys[7], {"airflow_job": "m-7"})
    assert found.parameters == {"source": "a"}
    control.set_status("oos.execution", keys[3], "Waiting")
    (found,) = client.list_executions(oos.ListExecutionsRequest(status="Waiting", template_name="Copy")).body.executions
    assert found.execution_id == keys[3]


def test_commands_in_a_list(ours: Callable[[str], Any]) -> None:
    client = ours("ecs.command")
    tag = ecs.RunCommandRequestTag(key="airflow_job", value="m-1")
    keys = [run_command(client, str(number), "", tag=[tag] if number == 1 else None) for number in range(3)]
    other = run_command(client, "x", "", instance_id=["i-9"])

    def listed(**wanted: Any) -> Any:
        return client.describe_invocations(ecs.DescribeInvocationsRequest(region_id=REGION, **wanted)).body

    answers = pages(lambda token: listed(max_results=3, next_token=token))
    assert [[each.invoke_id for each in body.invocations.invocation] for body in answers] == [
        [other, *keys[:0:-1]],
        keys[:1],
    ]
    tags = [ecs.DescribeInvocationsRequestTag(key="airflow_job", value="m-1")]
    (found,) = listed(tag=tags, content_encoding="PlainText").invocations.invocation
    assert (found.invoke_id, found.tags.tag[0].tag_value, found.command_content) == (keys[1], "m-1", "cat 1")
    (found,) = listed(instance_id="i-9").invocations.invocation
    assert [each.instance_id for each in found.invoke_instances.invoke_instance] == ["i-9"]
    elsewhere = ecs.DescribeInvocationsRequest(region_id="cn-hangzhou", invoke_id=other)
    assert client.describe_invocations(elsewhere).body.invocations.invocation == []


def test_a_conversion_is_found_again_by_its_tag(ours: Callable[[str], Any]) -> None:
    client = ours("imm.media_convert")
    keys = [create_media_convert_task(client, "a", "", tags={"airflow_job": f"m-{number}"}) for number in range(3)]

    def listed(**wanted: Any) -> Any:
        return client.list_tasks(imm.ListTasksRequest(**{"project_name": "p", **wanted})).body

    answers = pages(lambda token: listed(max_results=2, next_token=token))
    assert [task.task_id for body in answers for task in body.tasks] == sorted(keys)
    (task,) = listed(tag_selector="airflow_job=m-1").tasks
    assert (task.task_id, task.tags, task.status) == (keys[1], {"airflow_job": "m-1"}, "Running")
    for none in ({"project_name": "q"}, {"task_types": ["ImageToPDF"]}, {"status": "Failed"}):
        assert listed(**none).tasks == []


DOCUMENTED: dict[str, tuple[type[Any], ...]] = {
    "dms.file_upload": (dms.GetUserUploadFileJobResponseBodyUploadFileJobDetail,),
    "dms.data_track_export": (dms.QueryDataTrackResultDownloadStatusResponseBodyStatusResult,),
    "adb.spark_app": (adb.GetSparkAppStateResponseBodyData,),
    "oos.execution": (oos.ListExecutionsResponseBodyExecutions, oos.ListExecutionsRequest),
    "ecs.command": (ecs.DescribeInvocationsRequest,),
    "mps.transcode": (mts.ListJobRequest,),
    "fc.async_task": (fc.AsyncTask,),
    "imm.media_convert": (imm.GetTaskResponseBody,),
    "ice.media_producing": (ice.GetMediaProducingJobResponseBodyMediaProducingJob,),
}
"""Where the vendor's SDK names the states of an API."""

ELSEWHERE: dict[str, set[Any]] = {
    # DolphinScheduler, RunState of its task for EMR Serverless Spark.
    "emr.spark_job": {"Submitted", "Pending", "Running", "Success", "Failed", "Cancelling", "Cancelled"},
    # "Common error codes" of the page on returned results of Content Moderation.
    "green.video": {200, 280, 404},
}
"""The states that no SDK names, and who does."""


@pytest.mark.parametrize("api", [*VENDORS, "dms.file_upload", "dms.data_track_export"])
def test_every_state_has_a_source(api: str) -> None:
    words = STATES[api]
    shown = {status for status, _ in words.running} | words.ends | words.other_successes
    shown |= {words.success, words.failure, words.cancelled} | ({words.cancelling} - {None})
    text = " ".join(re.findall(r"#(.*)", "\n".join(inspect.getsource(model) for model in DOCUMENTED.get(api, ()))))
    documented = {word for word in shown if re.search(rf"\b{word}\b", text)}
    assert shown - documented == ELSEWHERE.get(api, set())
