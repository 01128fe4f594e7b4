# SPDX-License-Identifier: Apache-2.0
"""Every API that comes as data, held to the vendor's own SDK: what is sent, which words there are, where they stand.

A row says what a task gives to the API, and what the vendor's typed client is given for the same calls.
"""

from __future__ import annotations

import ast
import inspect
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from statistics import median
from typing import Any

import pytest
from support.clients import PROJECT, alibaba, huawei
from support.vendors import AlibabaSdk, HuaweiSdk, Recorder, Sent, sdk_of

from airflow_cloudjobs.apis import CATALOGUE, SPECS, declared_api, spec_of, stored_form
from airflow_cloudjobs.catalogue import alibaba as of_alibaba
from airflow_cloudjobs.catalogue import huawei as of_huawei
from airflow_cloudjobs.jobs import paths
from airflow_cloudjobs.jobs.compiled import TOKEN_ARGUMENT, compiled
from airflow_cloudjobs.jobs.identity import Identity
from airflow_cloudjobs.jobs.job_api import JobApi
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.transport.sync import SyncCaller

Values = Mapping[str, Any]

ME = Identity("d", "r", "t", -1, 0)
TOKEN, MARKER = ME.token(0), ME.marker
REGION = {"RegionId": "cn-hangzhou"}
OWN = f"airflow-{TOKEN}"


@dataclass(frozen=True)
class Row:
    """What an API is held to.

    :param package: the SDK's module; of Huawei Cloud with its version.
    :param words: the fields, ``Model.field``, whose documentation gives the words of the status.
    :param parameters: those of a task.
    :param calls: by call, what the vendor's client is given: names of the wire; what is in an Alibaba Cloud path by the
        name of the client's parameter.
    :param elsewhere: the words that the SDK does not document, by where they are from.
    :param no_status: what the documentation of a field names beside its words.
    :param key: the key of the job, as the cloud gives it.
    :param kinds_differ: the calls whose body has another content type than ours, which is JSON.
    """

    package: str
    words: tuple[str, ...]
    parameters: Values
    calls: Mapping[str, Values]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    no_status: frozenset[str] = frozenset()
    key: str = "k1"
    kinds_differ: frozenset[str] = frozenset()


# Where a list is empty below, the vendor's models send one for what is not given.
WORKSPACE = {"workspace_id": "w-1"}
SPARK = {"name": "daily", "codeType": "JAR", "jobDriver": {"sparkSubmit": {"entryPoint": "oss://b/a.jar"}}, "tags": []}
ADB_APP = {"DBClusterId": "amv-1", "ResourceGroupName": "rg", "Data": '{"file":"oss://b/a.jar"}', "AppName": "daily"}
ADB_JOB = {"DBClusterId": "amv-1", "AppId": "k1"}
ADHOC = {
    "Name": "daily",
    "Owner": "1",
    "ProjectId": 7,
    "Tasks": [
        {
            "Name": "one",
            "Owner": "1",
            "Type": "ODPS_SQL",
            "ClientUniqueCode": "c",
            "Dependencies": [],
            "RuntimeResource": {"ResourceGroupId": "g"},
            "Script": {"Content": "SELECT 1"},
        }
    ],
}
COMMAND = {
    "Type": "RunShellScript",
    "CommandContent": "date",
    "InstanceId": ["i-1", "i-2"],
    "Tag": [{"Key": "a", "Value": "b"}],
    "Parameters": {"a": "b"},
    "Timeout": 60,
}
TEMPLATE = {"TemplateName": "daily", "Parameters": '{"a":1}', "Tags": {"a": "b"}}
FLINK = {"deploymentId": "d-1", "resourceQueueName": "default", "localVariables": [{"name": "day", "value": "1"}]}
OUTPUTS = [{"OutputObject": "a.mp4", "TemplateId": "t"}, {"OutputObject": "b.mp4", "TemplateId": "t"}]
MPS = {"Input": '{"Object":"in.mp4"}', "OutputBucket": "b", "PipelineId": "p", "Outputs": OUTPUTS}
MEDIA = {"OutputMediaConfig": '{"MediaURL":"https://b/a.mp4"}', "Timeline": '{"VideoTracks":[]}', "UserData": '{"a":1}'}
CONVERT = {
    "ProjectName": "p",
    "Sources": [{"URI": "oss://b/in.avi", "Subtitles": []}],
    "TargetGroups": [],
    "Targets": [{"URI": "oss://b/out", "Container": "mp4"}],
}
MRS_CLUSTER = {"cluster_id": "c1"}
CDM = {"cluster_id": "c1", "job_name": "daily"}
DAYU = {"workspace": "w1", "job_name": "daily"}
SCRIPT = {"workspace": "w1", "script_name": "daily"}
WORKFLOW = {"workflow_id": "w1"}
FUNCTION = {"function_urn": "urn:fss:cn-north-4:1:function:default:f:latest"}
CODES = "https://www.alibabacloud.com/help/doc-detail/53414.htm"

ROWS = {
    "emr.spark_job": Row(
        "alibabacloud_emr_serverless_spark20230808",
        ("GetJobRunResponseBodyJobRun.state",),
        {"workspaceId": "w-1", **SPARK},
        {
            "submit": {**WORKSPACE, **SPARK, "clientToken": TOKEN},
            "poll": {**WORKSPACE, "job_run_id": "k1"},
            "cancel": {**WORKSPACE, "job_run_id": "k1"},
        },
        {"DolphinScheduler, RunState": "Submitted Pending Running Cancelling CancelFailed Success Failed Cancelled"},
    ),
    "adb.spark_app": Row(
        "alibabacloud_adb20211201",
        ("GetSparkAppStateResponseBodyData.state",),
        ADB_APP,
        {"submit": ADB_APP, "poll": ADB_JOB, "cancel": ADB_JOB},
    ),
    "dataworks.adhoc_workflow": Row(
        "alibabacloud_dataworks_public20240518",
        ("GetWorkflowInstanceResponseBodyWorkflowInstance.status",),
        ADHOC,
        {"submit": ADHOC, "poll": {"Id": 12}, "cancel": {"Ids": [12]}},
        key="12",
    ),
    "maxcompute.job": Row(
        "alibabacloud_maxcompute20220104",
        ("GetJobInfoResponseBodyData.status",),
        {},
        {"poll": {"instance_id": "k1"}},
        {
            "page of task instances": "Running Success Failed Cancelled",
            "waitingTime of the SDK's answer": "Waiting",
        },
    ),
    "ecs.command": Row(
        "alibabacloud_ecs20140526",
        ("DescribeInvocationsRequest.invoke_status",),
        {**REGION, **COMMAND},
        {
            "submit": {**REGION, **COMMAND, "ClientToken": TOKEN},
            "poll": {**REGION, "InvokeId": "k1"},
            "cancel": {**REGION, "InvokeId": "k1"},
        },
    ),
    "oos.execution": Row(
        "alibabacloud_oos20190601",
        ("ListExecutionsResponseBodyExecutions.status", "ListExecutionsRequest.status"),
        {**REGION, **TEMPLATE},
        {
            "submit": {**REGION, **TEMPLATE, "ClientToken": TOKEN},
            "poll": {**REGION, "ExecutionId": "k1"},
            "cancel": {**REGION, "ExecutionId": "k1"},
        },
    ),
    "fc.async_task": Row(
        "alibabacloud_fc20230330",
        ("AsyncTask.status",),
        {"functionName": "f", "qualifier": "LATEST", "body": {"a": 1}},
        {
            "submit": {
                "function_name": "f",
                "qualifier": "LATEST",
                "x-fc-invocation-type": "Async",
                "x-fc-async-task-id": OWN,
                "body": b'{"a": 1}',
            },
            "poll": {"function_name": "f", "task_id": OWN, "qualifier": "LATEST"},
            "cancel": {"function_name": "f", "task_id": OWN, "qualifier": "LATEST"},
        },
        key=OWN,
        kinds_differ=frozenset({"submit"}),  # the vendor's client sends any bytes
    ),
    "flink.job": Row(
        "alibabacloud_ververica20220718",
        ("JobStatus.current_job_status",),
        {"namespace": "n", "workspace": "w1", **FLINK},
        {
            "submit": {"namespace": "n", "workspace": "w1", "body": FLINK},
            "poll": {"namespace": "n", "workspace": "w1", "job_id": "k1"},
            "cancel": {"namespace": "n", "workspace": "w1", "job_id": "k1", "body": {"stopStrategy": "NONE"}},
        },
    ),
    "mps.transcode": Row(
        "alibabacloud_mts20140618",
        ("ListJobRequest.state",),
        MPS,
        {
            "submit": {**MPS, "Outputs": json.dumps(OUTPUTS)},
            "poll": {"JobIds": "k1,k2"},
            "cancel": {"JobId": "k1"},
        },
        no_status=frozenset({"All"}),
    ),
    "ice.media_producing": Row(
        "alibabacloud_ice20201109",
        ("GetMediaProducingJobResponseBodyMediaProducingJob.status",),
        MEDIA,
        {"submit": {**MEDIA, "ClientToken": TOKEN}, "poll": {"JobId": "k1"}},
    ),
    "imm.media_convert": Row(
        "alibabacloud_imm20200930",
        ("GetTaskResponseBody.status",),
        {**CONVERT, "Tags": {"a": "b"}},
        {
            "submit": {**CONVERT, "Tags": {"a": "b", "airflow_job": MARKER}},
            "poll": {"ProjectName": "p", "TaskType": "MediaConvert", "TaskId": "k1"},
            "find": {
                "ProjectName": "p",
                "TagSelector": f"airflow_job={MARKER}",
                "Sort": "StartTime",
                "Order": "desc",
            },
        },
    ),
    "green.video": Row(
        "alibabacloud_green20220302",
        ("VideoModerationResultResponseBody.code",),
        {"Service": "videoDetection", "ServiceParameters": {"url": "https://b/a.mp4"}},
        {
            "submit": {"Service": "videoDetection", "ServiceParameters": '{"url":"https://b/a.mp4"}'},
            "poll": {"Service": "videoDetection", "ServiceParameters": '{"taskId":"k1"}'},
        },
        {CODES: "200 280 400 401 403 404 480"},
    ),
    "dli.spark_batch": Row(
        "huaweicloudsdkdli.v1",
        ("ShowSparkJobStatusResponse.state",),
        {"file": "obs://b/a.jar", "className": "a.Main", "args": ["1"]},
        {
            "submit": {"body": {"file": "obs://b/a.jar", "className": "a.Main", "args": ["1"]}},
            "poll": {"batch_id": "k1"},
            "explain": {"batch_id": "k1"},
            "cancel": {"batch_id": "k1"},
        },
    ),
    "mrs.job": Row(
        "huaweicloudsdkmrs.v2",
        ("JobQueryBean.job_result",),
        {**MRS_CLUSTER, "job_type": "SparkSubmit", "job_name": "daily", "arguments": ["a"]},
        {
            "submit": {**MRS_CLUSTER, "body": {"job_type": "SparkSubmit", "job_name": "daily", "arguments": ["a"]}},
            "poll": {**MRS_CLUSTER, "job_execution_id": "k1"},
            "cancel": {**MRS_CLUSTER, "job_execution_id": "k1"},
        },
    ),
    "mrs.sql": Row(
        "huaweicloudsdkmrs.v2",
        ("ShowSqlResultResponse.status",),
        {**MRS_CLUSTER, "sql_type": "presto", "sql_content": "SELECT 1", "archive_path": "obs://b/r"},
        {
            "submit": {
                **MRS_CLUSTER,
                "body": {"sql_type": "presto", "sql_content": "SELECT 1", "archive_path": "obs://b/r"},
            },
            "poll": {**MRS_CLUSTER, "sql_id": "k1"},
            "cancel": {**MRS_CLUSTER, "sql_id": "k1"},
        },
    ),
    "cdm.job": Row(
        "huaweicloudsdkcdm.v1",
        ("Submission.status",),
        CDM,
        {"submit": CDM, "poll": CDM, "cancel": CDM},
        {"apache-airflow-providers-huawei 1.7.0": "STOPPED"},
    ),
    "dataarts.job": Row(
        "huaweicloudsdkdgc.v1",
        ("ShowJobInstanceResponse.status",),
        {**DAYU, "jobParams": [{"name": "day", "value": "1"}]},
        {
            "submit": {**DAYU, "body": {"jobParams": [{"name": "day", "value": "1"}]}},
            "poll": {**DAYU, "instance_id": "k1"},
            "cancel": {**DAYU, "instance_id": "k1"},
        },
    ),
    "dataarts.script": Row(
        "huaweicloudsdkdgc.v1",
        ("ListScriptResultsResponse.status",),
        {**SCRIPT, "params": {"day": "1"}},
        {
            "submit": {**SCRIPT, "body": {"params": {"day": "1"}}},
            "poll": {**SCRIPT, "instance_id": "k1"},
            "cancel": {**SCRIPT, "instance_id": "k1"},
        },
    ),
    "modelarts.training": Row(
        "huaweicloudsdkmodelarts.v1",
        ("Status.phase",),
        {"kind": "job", "metadata": {"name": "daily"}, "algorithm": {"id": "a"}},
        {
            "submit": {"body": {"kind": "job", "metadata": {"name": "daily"}, "algorithm": {"id": "a"}}},
            "poll": {"training_job_id": "k1"},
            "cancel": {"training_job_id": "k1", "body": {"action_type": "terminate"}},
        },
    ),
    "modelarts.workflow": Row(
        "huaweicloudsdkmodelarts.v1",
        ("ShowWorkflowExecutionResponse.status",),
        {**WORKFLOW, "name": "daily", "labels": ["a"]},
        {
            "submit": {**WORKFLOW, "body": {"name": "daily", "labels": ["a"]}},
            "poll": {**WORKFLOW, "execution_id": "k1"},
            "cancel": {**WORKFLOW, "execution_id": "k1", "body": {"action_name": "stop"}},
        },
    ),
    "functiongraph.async": Row(
        "huaweicloudsdkfunctiongraph.v2",
        ("ListFunctionAsyncInvocationsResult.status", "ListAsyncInvocationsRequest.status"),
        {**FUNCTION, "body": {"a": 1}},
        {
            "submit": {**FUNCTION, "body": {"a": 1}},
            "poll": {**FUNCTION, "request_id": "k1"},
            "cancel": {**FUNCTION, "body": {"request_id": "k1"}},
        },
    ),
    "drs.migration": Row(
        "huaweicloudsdkdrs.v3",
        ("QueryJobStatusResp.status",),
        {"job_id": "k1"},
        {
            "submit": {"body": {"jobs": [{"job_id": "k1"}]}},
            "poll": {"body": {"jobs": ["k1", "k2"], "page_req": {"cur_page": 1, "per_page": 10}}},
        },
    ),
    "dws.job": Row(
        "huaweicloudsdkdws.v2",
        ("ListJobDetailsResponse.status",),
        {"snapshot_id": "s1", "restore": {"name": "daily"}},
        {"submit": {"snapshot_id": "s1", "body": {"restore": {"name": "daily"}}}, "poll": {"job_id": "k1"}},
    ),
    "mpc.transcode": Row(
        "huaweicloudsdkmpc.v1",
        ("ListTranscodingTaskRequest.status",),
        {"input": {"bucket": "b", "location": "cn-north-4", "object": "in.mp4"}, "trans_template_id": [7]},
        {
            "submit": {
                "body": {
                    "input": {"bucket": "b", "location": "cn-north-4", "object": "in.mp4"},
                    "trans_template_id": [7],
                }
            },
            "poll": {"task_id": [12]},
            "cancel": {"task_id": 12},
        },
        key="12",
    ),
    "oms.task": Row(
        "huaweicloudsdkoms.v2",
        ("ShowTaskResponse.status",),
        {"task_type": "object", "description": "daily", "dst_node": {"bucket": "b", "region": "cn-north-4"}},
        {
            "submit": {
                "body": {
                    "task_type": "object",
                    "description": "daily",
                    "dst_node": {"bucket": "b", "region": "cn-north-4"},
                }
            },
            "poll": {"task_id": "12"},
            "cancel": {"task_id": "12"},
        },
        key="12",
    ),
}

CALLS = [(api, call) for api in CATALOGUE for call in declared_api(api).calls]


@cache
def sdk_of_row(package: str) -> AlibabaSdk | HuaweiSdk:
    return sdk_of(package)


def sdk_for(api: str) -> AlibabaSdk | HuaweiSdk:
    return sdk_of_row(ROWS[api].package)


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with Recorder() as running:
        yield running


def request_of(api: JobApi, row: Row, call: str) -> ApiRequest:
    """What we send: the request that a task's parameters make."""
    spec = compiled(api)
    scope = {name: row.parameters[name] for name in spec.scope if name in row.parameters}
    arguments = {**row.parameters, TOKEN_ARGUMENT: TOKEN} if api.takes_token else row.parameters
    if call in ("submit", "find") and spec.finder:
        arguments = spec.finder.mark(arguments, ME)
    if call == "find":
        assert spec.finder
        [request] = spec.finder.requests(arguments, ME)
        return request
    if call == "submit":
        return spec.submit(**arguments)
    if call == "poll":
        return spec.poll([row.key, "k2"] if api.batch > 1 else [row.key], scope)
    if call == "cancel":
        assert spec.cancel
        return spec.cancel(row.key, scope)
    assert call == "explain"
    assert spec.explain
    return spec.explain.request(row.key, scope)


def ours(recorder: Recorder, api: JobApi, row: Row, call: str) -> Sent:
    client = alibaba(recorder.address) if api.cloud == "alibaba" else huawei(recorder.address, project_id=PROJECT)
    with SyncCaller(client) as caller:
        caller.call(request_of(api, row, call))
    return recorder.last()


def theirs(recorder: Recorder, api: JobApi, row: Row, call: str) -> Sent:
    values = {name: io.BytesIO(value) if isinstance(value, bytes) else value for name, value in row.calls[call].items()}
    sdk_for(api.api).send(recorder.address, api.calls[call].operation, values)
    return recorder.last()


@pytest.mark.parametrize("api", CATALOGUE)
def test_an_entry_is_complete(api: str) -> None:
    declared = declared_api(api)
    assert declared.api == api
    assert declared.title
    assert ("{region}" in declared.console) is (declared.cloud == "huawei")
    assert stored_form(declared) == api
    assert spec_of(api).api == api
    assert JobApi.from_json(declared.to_json()) == declared


def test_no_id_is_given_twice() -> None:
    assert not set(CATALOGUE) & set(SPECS)
    assert len({declared_api(api).digest for api in CATALOGUE}) == len(CATALOGUE)


def test_an_unknown_id_names_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"there is no API 'a\.b'; known are .*dli\.sql_job.*emr\.spark_job"):
        declared_api("a.b")


def test_every_api_has_a_row_and_every_call_is_made() -> None:
    assert set(ROWS) == set(CATALOGUE)
    for api, row in ROWS.items():
        assert set(row.calls) == set(declared_api(api).calls), api


# The SDK warns of DRS's v3, which its vendor's pages still describe.
@pytest.mark.filterwarnings("ignore:Method 'batch_:DeprecationWarning")
@pytest.mark.parametrize(("api", "call"), CALLS)
def test_a_request_is_that_of_the_vendors_client(api: str, call: str, recorder: Recorder) -> None:
    row, declared = ROWS[api], declared_api(api)
    mine, vendors = ours(recorder, declared, row, call), theirs(recorder, declared, row, call)
    if call in row.kinds_differ:
        assert mine.kind != vendors.kind
        vendors = replace(vendors, kind=mine.kind)
    assert mine == vendors


@pytest.mark.parametrize("api", CATALOGUE)
def test_it_is_asked_for_where_the_vendors_client_asks(api: str) -> None:
    declared, sdk = declared_api(api), sdk_for(api)
    client = alibaba("x") if declared.cloud == "alibaba" else huawei("x")
    for region in ["cn-shanghai"] if isinstance(sdk, AlibabaSdk) else sdk.regions:
        settings = replace(client.settings, region=region)
        assert settings.vendor_host(declared.service_name) == sdk.host(region)


@pytest.mark.parametrize(("api", "call"), CALLS)
def test_a_request_has_what_the_sdk_says_is_required(api: str, call: str) -> None:
    needed = sdk_for(api).needed(declared_api(api).calls[call].operation)
    assert needed <= set(ROWS[api].calls[call])


@pytest.mark.parametrize("api", CATALOGUE)
def test_every_word_of_the_sdk_is_in_a_bucket_and_no_other_is_unexplained(api: str) -> None:
    row, declared = ROWS[api], declared_api(api)
    named = set().union(*(sdk_for(api).documented(where) for where in row.words))
    assert row.no_status <= named
    documented = named - row.no_status
    listed = {*declared.running, *declared.succeeded, *declared.failed, *declared.cancelled}
    assert documented <= listed, "a word of the SDK is in no bucket"
    explained = " ".join(row.elsewhere.values()).split()
    assert sorted(listed - documented) == sorted(explained), "words that the SDK does not give, or gives by now"


def paths_of(api: JobApi) -> Iterator[tuple[list[tuple[str, str]], str]]:
    """Each path of an API: the places, an operation and the path from its answer on, of which one at least is there."""
    poll = api.calls["poll"].operation
    submit = api.calls["submit"].operation if "submit" in api.calls else ""
    record, chosen = "", paths.choice(api.job) if api.job else None
    if chosen:
        record = f"{chosen[0]}[]."
        yield [(poll, record + chosen[1])], "job"
    elif api.job:
        record = f"{api.job}."
    if submit and not api.key_given:
        yield [(submit, api.key)], "key"
    for path in api.refused:
        yield [(submit, path)], "refused"
    yield [(poll, record + api.status)], "status"
    for path in api.progress_paths:
        yield [(poll, record + path)], "progress"
    for name in ("omit", "signed_urls"):
        for path in getattr(api, name):
            yield [(poll, record + path)], name
    for path in api.reason:
        yield [(poll, record + path), *([(submit, path)] if submit else [])], "reason"
    for path in api.explained:
        yield [(api.calls["explain"].operation, path)], "explained"
    if api.find:
        where, by = paths.choice(api.find.job) or ("", "")
        for path in (by, api.find.shows):
            yield [(api.find.lists.operation, f"{where}[].{path}")], "find"


@pytest.mark.parametrize("api", CATALOGUE)
def test_every_path_is_in_the_sdks_models(api: str) -> None:
    wrong = [
        (name, places)
        for places, name in paths_of(declared_api(api))
        if not any(sdk_for(api).knows(operation, path) for operation, path in places)
    ]
    assert not wrong


@pytest.mark.parametrize("api", CATALOGUE)
def test_the_source_is_an_sdk_and_a_day(api: str) -> None:
    distribution = ROWS[api].package.partition(".")[0].replace("_", "-")
    number = re.escape(version(distribution))
    assert re.match(rf"{distribution} {number}(, v\d)? \(\d{{4}}-\d\d-\d\d\)(;|$)", declared_api(api).source)


def test_an_entry_is_read_at_a_glance() -> None:
    lines = [
        (node.end_lineno or 0) - node.lineno + 1
        for module in (of_alibaba, of_huawei)
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and getattr(node.value.func, "id", "") == "JobApi"
    ]
    assert len(lines) == len(CATALOGUE)
    assert median(lines) <= 12
