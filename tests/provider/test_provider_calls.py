# SPDX-License-Identifier: Apache-2.0
"""``hook.call`` and ``hook.acall`` of any operation: each style, both ways, beside the vendors' clients."""

from __future__ import annotations

import asyncio
import json
import re
import runpy
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import huaweicloudsdkdli.v1 as dli_sdk
import pytest
from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.utils import Utils
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from darabonba.runtime import RuntimeOptions
from huaweicloudsdkcore.auth.credentials import BasicCredentials

from airflow_cloudjobs.alibaba.hook import AlibabaCloudHook
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.operation import request_for
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.localcloud import LocalCloud, accounts

Connect = Callable[[dict[str, Any]], str]
Called = Callable[..., Any]
PROJECT = accounts.project_id("cn-north-4")
CLUSTER = "ShowClusterDetails GET /v1.1/{project_id}/cluster_infos/{cluster_id}"
CU_HOURS = "GetCuHours GET /api/v1/workspaces/{workspaceId}/metric/cuHours/{queue}"
GRANT = "GrantRoleToUsers POST /api/v1/auth/roles/grant"
STOP = "StopJobInstance POST /v1/{project_id}/jobs/{job_name}/instances/{instance_id}/stop"
FLINK = "BatchRunFlinkJobs POST /v1.0/{project_id}/streaming/jobs/run"
PAGE = (Path(__file__).parents[2] / "docs" / "calls.md").read_text()
DAY = {"startTime": "2026-01-01 00:00:00", "endTime": "2026-01-02 00:00:00"}
MODERATION = {"Service": "comment_detection", "ServiceParameters": {"content": "a forbidden & häßlich 字=+"}}
ROLE = {"roleArn": "acs:emr::1:role/x", "userArns": ["acs:ram::1:user/ü"]}


@pytest.fixture(params=["blocking", "asyncio"])
def called(request: pytest.FixtureRequest) -> Called:
    """Calls with a hook, the one way or the other."""

    def call(hook: Any, *what: Any, **given: Any) -> Any:
        if request.param == "blocking":
            return hook.call(*what, **given)
        return asyncio.run(hook.acall(*what, **given))

    return call


@pytest.fixture
def alibaba(cloud: LocalCloud, connect: Connect) -> AlibabaCloudHook:
    return AlibabaCloudHook(connect(cloud.alibaba_connection()))


@pytest.fixture(params=["aksk", "token"])
def huawei(cloud: LocalCloud, connect: Connect, request: pytest.FixtureRequest) -> HuaweiCloudHook:
    return HuaweiCloudHook(connect(cloud.huawei_connection(request.param)))


def without_id(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key.lower() not in ("requestid", "request_id")}


class TestAlibaba:
    def test_rpc(self, alibaba: AlibabaCloudHook, called: Called, cloud: LocalCloud) -> None:
        answer = called(alibaba, "ecs", "DescribeRegions", version="2014-05-26", AcceptLanguage="zh-CN")
        assert {"cn-hangzhou", "cn-shanghai"} < {region["RegionId"] for region in answer["Regions"]["Region"]}
        assert answer["RequestId"]
        assert without_id(answer) == vendors(cloud, "DescribeRegions", "2014-05-26", query={"AcceptLanguage": "zh-CN"})

    def test_a_version_that_is_known(self, alibaba: AlibabaCloudHook, called: Called) -> None:
        assert called(alibaba, "sts", "GetCallerIdentity")["AccountId"]

    def test_form(self, alibaba: AlibabaCloudHook, called: Called, cloud: LocalCloud) -> None:
        answer = called(alibaba, "green", "TextModerationPlus", version="2022-03-02", form=MODERATION)
        assert answer["Data"]["RiskLevel"] == "high"
        form = {**MODERATION, "ServiceParameters": '{"content": "a forbidden & häßlich 字=+"}'}
        assert without_id(answer) == vendors(cloud, "TextModerationPlus", "2022-03-02", form=form)

    def test_roa_with_a_body(self, alibaba: AlibabaCloudHook, called: Called, cloud: LocalCloud) -> None:
        answer = called(alibaba, "emr-serverless-spark", GRANT, version="2023-08-08", regionId="cn-hangzhou", body=ROLE)
        assert list(answer) == ["requestId"]
        path = "/api/v1/auth/roles/grant"
        assert vendors(cloud, "GrantRoleToUsers", "2023-08-08", "POST", path, body=ROLE) == {}

    @pytest.mark.parametrize("queue", ["q", "dev queue/字+~%2F"])
    def test_roa_with_parts_of_the_path_and_a_query(
        self, alibaba: AlibabaCloudHook, called: Called, cloud: LocalCloud, queue: str
    ) -> None:
        answer = called(
            alibaba, "emr-serverless-spark", CU_HOURS, version="2023-08-08", workspaceId="w-1", queue=queue, **DAY
        )
        assert answer["data"] == {"cuHours": {queue: 1.5}}
        path = f"/api/v1/workspaces/w-1/metric/cuHours/{Utils.get_encode_param(queue)}"
        assert without_id(answer) == vendors(cloud, "GetCuHours", "2023-08-08", "GET", path, query=DAY)

    def test_a_refusal_says_what_the_cloud_says(self, alibaba: AlibabaCloudHook, called: Called) -> None:
        with pytest.raises(CloudApiError, match="The workspace x does not exist") as refused:
            called(alibaba, "emr-serverless-spark", CU_HOURS, version="2023-08-08", workspaceId="x", queue="q", **DAY)
        assert (refused.value.code, refused.value.http_status) == ("Workspace.NotFound", 404)
        with pytest.raises(CloudApiError) as refused:
            called(alibaba, "emr-serverless-spark", GRANT, version="2023-08-08", body={"roleArn": "x"})
        assert refused.value.kind is ErrorKind.INVALID

    @pytest.mark.parametrize(
        ("what", "given", "told"),
        [
            (("ecs", "DescribeRegions"), {}, "the API version of 'ecs' is not known here; give it as 'version'"),
            (("ecs", "DescribeRegions x"), {"version": "v"}, "operation 'DescribeRegions x' is none"),
            (("ECS", "DescribeRegions"), {"version": "v"}, "service 'ECS' is none"),
            (("x", CU_HOURS), {"version": "v", "workspaceId": "w"}, "GetCuHours needs 'queue'"),
            (("x", CU_HOURS), {"version": "v", "workspaceId": "w", "queue": ".."}, "'queue' is '..'"),
            (("x", CLUSTER), {"version": "v", "cluster_id": "w"}, "has a placeholder that nothing fills"),
            (("x", GRANT), {"version": "v", "body": {}, "form": {}}, "'body' and 'form' are given"),
            (("x", GRANT), {"version": "v", "headers": {"Host": "h"}}, "header 'Host' is set by the client"),
            (("x", GRANT), {"version": "v", "headers": {"x-acs-action": "h"}}, "header 'x-acs-action' is set by"),
            (("x", GRANT), {"version": "v", "headers": {"a": "b\r\nc"}}, "header 'a' has a value that is no line"),
            (("x", GRANT), {"version": "v", "headers": {"a": "b", "A": "c"}}, "header 'A' stands twice"),
            (("x", GRANT), {"version": "v", "headers": {"a b": "c"}}, "header 'a b' is no name"),
        ],
    )
    def test_a_call_that_cannot_be_made(
        self, alibaba: AlibabaCloudHook, called: Called, cloud: LocalCloud, what: Any, given: Any, told: str
    ) -> None:
        with pytest.raises(ValueError, match=re.escape(told)):
            called(alibaba, *what, **given)
        assert cloud.control.stats()["requests"] == []


class TestHuawei:
    def test_a_path_with_the_project(self, huawei: HuaweiCloudHook, called: Called) -> None:
        answer = called(huawei, "mrs", CLUSTER, cluster_id="c 1/字")
        assert answer["cluster"] == {"clusterId": "c 1/字", "clusterState": "running"}
        assert answer["request_id"]

    def test_a_list_for_an_answer(self, huawei: HuaweiCloudHook, called: Called, cloud: LocalCloud) -> None:
        answer = called(huawei, "dli", FLINK, body={"job_ids": [1, 2]})
        assert [item["is_success"] for item in answer] == ["true", "true"]
        body = dli_sdk.BatchRunFlinkJobsRequestBody(job_ids=[1, 2])
        sdk = (
            dli_sdk.DliClient.new_builder()
            .with_credentials(BasicCredentials(accounts.HUAWEI_ACCESS_KEY, accounts.HUAWEI_SECRET, PROJECT))
            .with_endpoint(cloud.url)
            .build()
        )
        theirs = sdk.batch_run_flink_jobs(dli_sdk.BatchRunFlinkJobsRequest(body=body)).body
        assert answer == [item.to_dict() for item in theirs]

    def test_a_header_and_nothing_for_an_answer(
        self, huawei: HuaweiCloudHook, called: Called, cloud: LocalCloud
    ) -> None:
        given = {"job_name": "j", "instance_id": "1"}
        cloud.control.create_job("dataarts.job", "1", "forever", fields={"workspace": "w"})
        assert without_id(called(huawei, "dayu-dlf", STOP, headers={"workspace": "w"}, **given)) == {}
        with pytest.raises(CloudApiError, match="The job 1 does not exist"):
            called(huawei, "dayu-dlf", STOP, **given)

    @pytest.mark.parametrize(
        ("what", "given", "told"),
        [
            (("mrs", CLUSTER), {}, "ShowClusterDetails needs 'cluster_id'"),
            (("mrs", CLUSTER), {"cluster_id": "c", "version": "v1.1"}, "and no 'version'"),
            (("mrs", "ShowClusterDetails"), {}, "give 'Name METHOD /path'"),
            (("mrs", CLUSTER), {"cluster_id": "c", "headers": {"X-Auth-Token": "t"}}, "'X-Auth-Token' is set by"),
        ],
    )
    def test_a_call_that_cannot_be_made(
        self, huawei: HuaweiCloudHook, called: Called, what: Any, given: Any, told: str
    ) -> None:
        with pytest.raises(ValueError, match=re.escape(told)):
            called(huawei, *what, **given)


class TestThePage:
    """docs/calls.md says what is true."""

    def test_its_examples_run(self, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name, made in (("ALIBABACLOUD", cloud.alibaba_connection()), ("HUAWEICLOUD", cloud.huawei_connection())):
            monkeypatch.setenv(f"AIRFLOW_CONN_{name}_DEFAULT", json.dumps(made))
        blocks = re.findall(r"```python\n(.*?)```", PAGE, re.S)
        assert len(blocks) == 1
        (tmp_path / "page.py").write_text(blocks[0])
        told = runpy.run_path(str(tmp_path / "page.py"))
        assert "cn-hangzhou" in told["regions"].function()
        assert told["used"].function("q") == {"q": 1.5}
        assert told["cluster_runs"].function("c-1") is True

    def test_every_argument_has_its_row(self) -> None:
        rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.M))
        options = [one.name for one in signature(request_for).parameters.values() if one.kind is one.KEYWORD_ONLY]
        assert rows == {*options, "patience"}


class TestBoth:
    def test_a_request_says_all_there_is(self, alibaba: AlibabaCloudHook, called: Called) -> None:
        request = ApiRequest("sts", "GetCallerIdentity", idempotent=True)
        assert called(alibaba, request)["AccountId"]
        with pytest.raises(TypeError, match="leave out 'RegionId'"):
            called(alibaba, request, RegionId="x")
        with pytest.raises(TypeError, match="give a service and an operation"):
            called(alibaba, "sts")

    def test_only_a_blocking_call_is_patient(self, alibaba: AlibabaCloudHook) -> None:
        assert alibaba.call("sts", "GetCallerIdentity", patience=0.0)["AccountId"]
        with pytest.raises(TypeError, match="'patience' is an argument of call"):
            asyncio.run(alibaba.acall("sts", "GetCallerIdentity", patience=0.0))

    def test_a_list_is_no_answer_to_a_request_that_wants_an_object(
        self, huawei: HuaweiCloudHook, called: Called
    ) -> None:
        """As the polls of jobs do: what is no object is nothing that a job's end is read from."""
        path = "/v1.0/{project_id}/streaming/jobs/run"
        request = ApiRequest("dli", "BatchRunFlinkJobs", "POST", path, body={"job_ids": [1]})
        with pytest.raises(CloudApiError, match="the answer is not the API's JSON") as refused:
            called(huawei, request)
        assert refused.value.ambiguous

    def test_trouble_that_passes_is_met_only_where_it_does_no_harm(
        self, alibaba: AlibabaCloudHook, cloud: LocalCloud
    ) -> None:
        cloud.control.fault("http", "DescribeRegions", status=503, count=1)
        assert alibaba.call("ecs", "DescribeRegions", version="2014-05-26")["Regions"]
        cloud.control.fault("http", "GrantRoleToUsers", status=503, count=2)
        with pytest.raises(CloudApiError) as unknown:
            alibaba.call("emr-serverless-spark", GRANT, version="2023-08-08", body=ROLE)
        assert unknown.value.ambiguous
        assert cloud.control.stats()["operations"]["GrantRoleToUsers"]["calls"] == 1
        assert alibaba.call("emr-serverless-spark", GRANT, version="2023-08-08", body=ROLE, idempotent=True)
        assert cloud.control.stats()["operations"]["GrantRoleToUsers"]["calls"] == 3


def vendors(
    cloud: LocalCloud,
    operation: str,
    version: str,
    method: str = "POST",
    path: str = "/",
    *,
    query: dict[str, str] | None = None,
    form: dict[str, str] | None = None,
    body: Any = None,
) -> dict[str, Any]:
    """What the vendor's own client of any API gets."""
    client = Client(
        Config(
            access_key_id=accounts.ALIBABA_ACCESS_KEY,
            access_key_secret=accounts.ALIBABA_SECRET,
            endpoint=f"{cloud.host}:{cloud.port}",
            protocol="http",
        )
    )
    params = Params(
        action=operation,
        version=version,
        protocol="HTTP",
        pathname=path,
        method=method,
        auth_type="AK",
        style="RPC" if path == "/" else "ROA",
        req_body_type="formData" if form else "json",
        body_type="json",
    )
    request = OpenApiRequest(query=query, body=form or body)
    answer: dict[str, Any] = client.call_api(params, request, RuntimeOptions())["body"]
    return without_id(answer)
