# SPDX-License-Identifier: Apache-2.0
"""Signed requests: equal to the vendors' own functions, to published examples, and accepted by a verifier that
was written from the vendors' descriptions alone."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
from alibabacloud_tea_openapi.utils import Utils
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_cloudjobs.alibaba.client import AlibabaClient
from airflow_cloudjobs.alibaba.settings import alibaba_settings
from airflow_cloudjobs.alibaba.signature import authorization as alibaba_authorization
from airflow_cloudjobs.connection.settings import ConnectionFields
from airflow_cloudjobs.huawei.client import HuaweiClient
from airflow_cloudjobs.huawei.settings import huawei_settings
from airflow_cloudjobs.huawei.signature import authorization as huawei_authorization
from airflow_cloudjobs.huawei.signature import canonical_query
from airflow_cloudjobs.jobs.request import ApiRequest, FormFile, encoded
from airflow_cloudjobs.localcloud import accounts
from airflow_cloudjobs.localcloud.alibaba import gateway as alibaba_gateway
from airflow_cloudjobs.localcloud.answers import Refused
from airflow_cloudjobs.localcloud.call import Received
from airflow_cloudjobs.localcloud.clock import Clock
from airflow_cloudjobs.localcloud.huawei import gateway as huawei_gateway
from airflow_cloudjobs.localcloud.signatures import (
    acs3_string_to_sign,
    huawei_string_to_sign,
    parse_authorization,
    sign,
)
from airflow_cloudjobs.localcloud.state import State
from airflow_cloudjobs.transport.credential import Credential
from airflow_cloudjobs.transport.message import HttpRequest

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
NOW = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
HUAWEI_PROJECT = "0123456789abcdef0123456789abcdef"

# Reserved characters, blanks, plus, tilde, commas, quotes, unicode of all planes, nothing at all.
awkward = st.text(alphabet=st.sampled_from(" +~,%/=&?#:;@!$'\"()*[]{}|\\<>^`_-.aZ09\n\tüß日😀é\u0301\x00"), max_size=12)
values = st.one_of(awkward, st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
slow = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(values, inner, max_size=3),
    max_leaves=4,
)
methods = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
paths = st.lists(values.map(lambda part: quote(part, safe="")), max_size=4).map(lambda parts: "/" + "/".join(parts))
names = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789._-", min_size=1, max_size=8)
bodies = st.none() | json_values
forms = st.dictionaries(names, values).map(lambda fields: Form(fields))
ours = {"accept", "accept-encoding", "host", "authorization", "content-type", "content-length", "connection"}
header_names = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-", min_size=1, max_size=8)
further_headers = st.dictionaries(
    header_names.map(lambda name: name.strip("-") or "a").filter(lambda name: name.lower() not in ours),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
    max_size=3,
).filter(lambda headers: len({name.lower() for name in headers}) == len(headers))
files = st.builds(FormFile, names, values, st.binary(min_size=1, max_size=40))


@dataclass
class Form:
    """The fields of a form, told from a JSON body that is an object."""

    fields: dict[str, str]


def alibaba_client(secret: str = accounts.ALIBABA_SECRET, key: str = accounts.ALIBABA_ACCESS_KEY) -> AlibabaClient:
    client = AlibabaClient(alibaba_settings(ConnectionFields("c", "", login=key, password=secret), None))
    client._now = lambda: NOW
    return client


def huawei_client() -> HuaweiClient:
    fields = ConnectionFields("c", "", login="EXAMPLEAK", password="EXAMPLESK", extra='{"region": "cn-north-4"}')
    client = HuaweiClient(huawei_settings(fields, None))
    client._now = lambda: NOW
    return client


def state() -> State:
    return State(clock=Clock(lambda: NOW))


def received(request: HttpRequest) -> Received:
    """A request as the server at the other end of the transport reads it."""
    parts = urlsplit(request.url)
    headers = {name.lower(): [value] for name, value in request.headers.items()}
    return Received(
        request.method,
        parts.path,
        parse_qsl(parts.query, keep_blank_values=True),
        headers,
        request.body or b"",
        f"{parts.scheme}://{parts.netloc}",
        "r" * 32,
    )


class TestPublishedExamples:
    def test_alibabas_example_of_version_3(self) -> None:
        """https://help.aliyun.com/zh/resource-management/common-parameters"""
        headers = {
            "host": "ecs.cn-shanghai.aliyuncs.com",
            "x-acs-action": "RunInstances",
            "x-acs-content-sha256": EMPTY,
            "x-acs-date": "2023-10-26T10:22:32Z",
            "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
            "x-acs-version": "2014-05-26",
        }
        query = {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"}
        request = SimpleNamespace(method="POST", pathname="/", query=query, headers=headers)
        vendor = Utils.get_authorization(request, "ACS3-HMAC-SHA256", EMPTY, "YourAccessKeyId", "YourAccessKeySecret")
        published = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        assert vendor.endswith(f"Signature={published}")
        listed = {name: [value] for name, value in headers.items()}
        text = acs3_string_to_sign("POST", "/", query.items(), listed, sorted(headers), EMPTY)
        assert sign("YourAccessKeySecret", text) == published

    def test_a_poll_of_dms_with_a_temporary_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        client = alibaba_client()
        nonce = "0123456789abcdef0123456789abcdef"
        monkeypatch.setattr(secrets, "token_hex", lambda size: nonce[: 2 * size])
        request = ApiRequest("dms-enterprise", "GetUserUploadFileJob", query={"JobKey": "65254a49100e", "Tid": "-1"})
        signed = client.sign(request, Credential("EXAMPLEAK", "EXAMPLESK", "EXAMPLETOKEN"))
        assert signed.headers["x-acs-date"] == "2024-01-01T00:00:00Z"
        assert signed.headers["x-acs-signature-nonce"] == nonce
        assert signed.headers["Authorization"].endswith(
            "Signature=65eff2adf0b9f42035ab1b7dcbd4de6c6e175b4c886fed797b503d3e6d002c0f"
        )
        assert signed.url == "https://dms-enterprise.aliyuncs.com/?JobKey=65254a49100e&Tid=-1"
        assert signed.body is None

    def test_a_poll_of_drs_with_a_temporary_key(self) -> None:
        job = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
        request = ApiRequest(
            "drs",
            "ShowDbObjectTemplateProgress",
            "GET",
            f"/v5/{{project_id}}/jobs/{job}/db-object/template/progress",
            {"offset": "0", "limit": "10"},
        )
        credential = Credential("EXAMPLEAK", "EXAMPLESK", "EXAMPLETOKEN", project_id=HUAWEI_PROJECT)
        signed = huawei_client().sign(request, credential)
        assert signed.headers["X-Sdk-Date"] == "20240101T000000Z"
        assert signed.headers["Authorization"] == (
            "SDK-HMAC-SHA256 Access=EXAMPLEAK, "
            "SignedHeaders=content-type;host;x-project-id;x-sdk-date;x-security-token, "
            "Signature=8d09261ba85cf2d2513455f7afd4281b3e69e59e00f86cc06ed24b80707dec82"
        )
        assert signed.url == (
            f"https://drs.cn-north-4.myhuaweicloud.com/v5/{HUAWEI_PROJECT}/jobs/{job}/db-object/template/progress"
            "?limit=10&offset=0"
        )

    def test_a_submit_of_dli(self) -> None:
        """The body of the example is compact; ours is signed as it is sent (see the properties below)."""
        wanted = "9595a64810cc128ad88abc340ecca0ce52fd9b297013c28c8fb37d58ea18cd88"
        body = b'{"sql":"select 1"}'
        path = f"/v1.0/{HUAWEI_PROJECT}/jobs/submit-job"
        request = sdk_request("POST", "dli.cn-north-4.myhuaweicloud.com", path, [], body)
        vendor = BasicCredentials("EXAMPLEAK", "EXAMPLESK", HUAWEI_PROJECT).sign_request(request)
        assert vendor.header_params["Authorization"].endswith(f"Signature={wanted}")


def sdk_request(method: str, host: str, path: str, query: list[tuple[str, str]], body: bytes | None) -> SdkRequest:
    headers = {"Content-Type": "application/json", "X-Sdk-Date": "20240101T000000Z"}
    return SdkRequest(
        method=method,
        schema="https",
        host=host,
        resource_path=path,
        query_params=query,
        header_params=headers,
        body=body,
    )


class TestAlibaba:
    @slow
    @given(
        methods,
        st.just("/") | paths,
        st.dictionaries(names, values),
        bodies | forms,
        further_headers,
        st.booleans(),
        st.booleans(),
    )
    def test_equal_to_the_vendors_function(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        carried: Any,
        headers: dict[str, str],
        temporary: bool,
        idempotent: bool,
    ) -> None:
        """RPC and ROA, with any query, JSON body, form and headers, whatever the call does."""
        client = alibaba_client()
        credential = Credential("AK", "SK ü", "TOKEN " if temporary else "")
        form = carried.fields if isinstance(carried, Form) else None
        body = None if form is not None else carried
        request = ApiRequest(
            "ice",
            "GetUrlUploadInfos",
            method,
            path,
            query,
            body,
            idempotent=idempotent,
            version="2020-11-10",
            headers=headers,
            form=form,
        )
        signed = client.sign(request, credential)
        covered = {name: value for name, value in signed.headers.items() if name != "Authorization"}
        assert covered["x-acs-version"] == "2020-11-10"
        assert {name: covered[name.lower()] for name in headers} == {
            name: value.strip() for name, value in headers.items()
        }
        if form is not None:
            assert signed.body == Utils.to_form(dict(form)).encode()
            assert covered["content-type"] == "application/x-www-form-urlencoded"
        elif body is not None:
            assert json.loads(signed.body or b"") == body
            assert covered["content-type"] == "application/json; charset=utf-8"
        else:
            assert signed.body is None
            assert "content-type" not in covered
        payload = sha256(signed.body or b"").hexdigest()
        assert covered["x-acs-content-sha256"] == payload
        twin = SimpleNamespace(method=method, pathname=path, query=dict(query), headers=covered)
        vendor = Utils.get_authorization(twin, "ACS3-HMAC-SHA256", payload, "AK", "SK ü")
        assert signed.headers["Authorization"] == vendor
        assert ("x-acs-security-token" in covered) is temporary
        address = urlsplit(signed.url)
        assert address.path == path
        assert dict(parse_qsl(address.query, keep_blank_values=True)) == query

    @slow
    @given(
        methods,
        paths,
        st.dictionaries(names, values),
        st.dictionaries(names.map(str.lower), values, min_size=1),
        st.one_of(
            st.just("UNSIGNED-PAYLOAD"),
            st.binary().map(lambda body: sha256(body).hexdigest()),
            json_values.map(lambda body: sha256(json.dumps(body, ensure_ascii=False).encode()).hexdigest()),
        ),
        values,
        values.filter(bool),
    )
    def test_the_function_is_the_vendors_for_whatever_it_is_given(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        headers: dict[str, str],
        payload: str,
        key: str,
        secret: str,
    ) -> None:
        """Other paths, headers and bodies than our client ever sends."""
        twin = SimpleNamespace(method=method, pathname=path, query=dict(query), headers=headers)
        vendor = Utils.get_authorization(twin, "ACS3-HMAC-SHA256", payload, key, secret)
        travelling = "&".join(f"{name}={quote(query[name], safe='~')}" for name in sorted(query))
        assert alibaba_authorization(method, path, travelling, headers, payload, key, secret) == vendor

    def test_a_file_is_refused_rather_than_lost(self) -> None:
        request = ApiRequest("ice", "GetUrlUploadInfos", file=FormFile("file", "a", b"1"))
        with pytest.raises(ValueError, match=r"GetUrlUploadInfos: no call .* carries a file"):
            alibaba_client().sign(request, Credential("AK", "SK"))

    def test_a_version_that_nobody_knows_is_asked_for(self) -> None:
        with pytest.raises(ValueError, match=r"DescribeInstances: the API version of 'ecs' .* give it as 'version'"):
            alibaba_client().sign(ApiRequest("ecs", "DescribeInstances"), Credential("AK", "SK"))

    @pytest.fixture(autouse=True)
    def _ice_has_a_host(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("airflow_cloudjobs.alibaba.settings.AlibabaSettings.vendor_host", lambda *_: "ice.example")

    @slow
    @given(st.dictionaries(st.sampled_from(["JobKey", "UploadURLs", "Tid", "UserData", "A"]), values), st.booleans())
    def test_accepted_by_an_independent_verifier(self, query: dict[str, str], temporary: bool) -> None:
        cloud = state()
        key = cloud.accounts.issue_key("alibaba", NOW + 60)
        credential = (
            Credential(key.access_key, key.secret, key.security_token)
            if temporary
            else Credential(accounts.ALIBABA_ACCESS_KEY, accounts.ALIBABA_SECRET)
        )
        request = ApiRequest("dms-enterprise", "GetUserUploadFileJob", query=query)
        arrived = received(alibaba_client().sign(request, credential))
        assert dict(arrived.query) == query
        operation, call = alibaba_gateway.route(arrived, cloud)
        assert operation.name == "GetUserUploadFileJob"
        alibaba_gateway.authenticate(operation, call)

    @given(st.sampled_from(["host", "x-acs-action", "x-acs-date", "x-acs-signature-nonce", "accept", "query"]))
    def test_everything_is_covered_by_the_signature(self, part: str) -> None:
        """Whatever is changed on the way makes the verifier refuse."""
        credential = Credential(accounts.ALIBABA_ACCESS_KEY, accounts.ALIBABA_SECRET)
        request = ApiRequest("dms-enterprise", "GetUserUploadFileJob", query={"JobKey": "k"})
        signed = alibaba_client().sign(request, credential)
        if part == "query":
            signed.url += "&More=1"
        elif part == "x-acs-date":
            signed.headers[part] = "2024-01-01T00:00:01Z"
        elif part == "x-acs-action":
            signed.headers[part] = "ListUserTenants"
        else:
            signed.headers[part] += "x"
        cloud = state()
        operation, call = alibaba_gateway.route(received(signed), cloud)
        with pytest.raises(Refused):
            alibaba_gateway.authenticate(operation, call)

    def test_the_tenant_of_the_connection(self) -> None:
        fields = ConnectionFields("c", "", login="AK", password="SK", extra='{"tid": "77", "region": "cn-shanghai"}')
        client = AlibabaClient(alibaba_settings(fields, None))
        credential = Credential("AK", "SK")

        def tid(service: str, **query: str) -> str | None:
            request = ApiRequest(service, "GetUserUploadFileJob", query=query)
            return dict(parse_qsl(urlsplit(client.sign(request, credential).url).query)).get("Tid")

        assert tid("dms-enterprise") == "77"
        assert tid("dms-enterprise", Tid="5") == "5"
        assert tid("ice") is None


class TestHuawei:
    @slow
    @given(
        methods,
        st.dictionaries(values, values),
        bodies | forms | files,
        further_headers,
        st.booleans(),
        st.booleans(),
        paths,
    )
    def test_equal_to_the_vendors_function(
        self,
        method: str,
        query: dict[str, str],
        carried: Any,
        headers: dict[str, str],
        temporary: bool,
        idempotent: bool,
        rest: str,
    ) -> None:
        """Any names in the query, any JSON, form or file in the body, any headers, whatever the call does."""
        token = "TOKEN" if temporary else ""
        path = f"/v1.0/{{project_id}}{rest}"
        file = carried if isinstance(carried, FormFile) else None
        form = carried.fields if isinstance(carried, Form) else None
        body = None if file or form is not None else carried
        credential = Credential("EXAMPLEAK", "EXAMPLESK", token, project_id=HUAWEI_PROJECT)
        request = ApiRequest("dli", "X", method, path, query, body, file, idempotent, headers=headers, form=form)
        signed = huawei_client().sign(request, credential)
        host = "dli.cn-north-4.myhuaweicloud.com"
        twin = sdk_request(method, host, path.replace("{project_id}", HUAWEI_PROJECT), list(query.items()), signed.body)
        twin.header_params["Content-Type"] = signed.headers["Content-Type"]
        twin.header_params |= {name: value.strip() for name, value in headers.items()}
        vendors = BasicCredentials("EXAMPLEAK", "EXAMPLESK", HUAWEI_PROJECT)
        if temporary:
            vendors.with_security_token(token)
        vendor = vendors.sign_request(twin)
        assert signed.headers["Authorization"] == vendor.header_params["Authorization"]
        assert signed.url == vendor.url
        covered = {name.lower() for name in signed.headers} - {"authorization"}
        assert covered == {name.lower() for name in vendor.header_params} - {"authorization"}
        if file:
            assert signed.headers["X-Sdk-Content-Sha256"] == vendor.header_params["X-Sdk-Content-Sha256"]
            assert file.content in (signed.body or b"")
        elif form is not None:
            assert parse_qsl((signed.body or b"").decode(), keep_blank_values=True) == sorted(form.items())
        else:
            assert signed.body == (None if body is None else json.dumps(body, ensure_ascii=False).encode())

    @slow
    @given(
        methods,
        paths,
        st.dictionaries(values, values),
        st.dictionaries(names.map(lambda name: "X-" + name.replace("_", "-").title()), values),
        bodies,
    )
    def test_the_function_is_the_vendors_for_whatever_it_is_given(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: Any
    ) -> None:
        """Other headers than our client ever sends (the vendor's leaves those with an underscore unsigned)."""
        host = "dli.cn-north-4.myhuaweicloud.com"
        sent = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        twin = sdk_request(method, host, path, list(query.items()), sent)
        twin.header_params |= headers
        ours = {"Host": host, **twin.header_params}
        vendor = Signer(BasicCredentials("EXAMPLEAK", "EXAMPLESK", HUAWEI_PROJECT)).sign(twin)
        payload = sha256(sent or b"").hexdigest()
        date = "20240101T000000Z"
        signed = huawei_authorization(
            method, path, canonical_query(query), ours, payload, date, "EXAMPLEAK", "EXAMPLESK"
        )
        assert signed == vendor.header_params["Authorization"]
        assert (f"{path}?{canonical_query(query)}" if query else path) == vendor.uri

    @slow
    @given(
        values.filter(lambda key: key not in ("", ".", "..")),
        st.dictionaries(st.sampled_from(["type", "limit", "tags", "a-b"]), values),
        st.booleans(),
        st.sampled_from(["GET", "DELETE"]),
    )
    def test_accepted_by_an_independent_verifier(
        self, key: str, query: dict[str, str], temporary: bool, method: str
    ) -> None:
        path = f"/v1.0/{{project_id}}/jobs/{encoded(key)}{'/status' if method == 'GET' else ''}"
        cloud = state()
        issued = cloud.accounts.issue_key("huawei", NOW + 60)
        project = cloud.accounts.project("cn-north-4")
        credential = (
            Credential(issued.access_key, issued.secret, issued.security_token, project_id=project)
            if temporary
            else Credential(accounts.HUAWEI_ACCESS_KEY, accounts.HUAWEI_SECRET, project_id=project)
        )
        signed = huawei_client().sign(ApiRequest("dli", "X", method, path, query), credential)
        arrived = received(signed)
        assert dict(arrived.query) == query
        assert unquote(arrived.path.removeprefix(f"/v1.0/{project}/jobs/")).removesuffix("/status") == key
        operation, call = huawei_gateway.route(arrived, cloud)
        assert operation.name == {"GET": "ShowSqlJobStatus", "DELETE": "CancelSqlJob"}[method]
        assert call.path["job_id"] == key
        huawei_gateway.authenticate(operation, call)

    @slow
    @given(st.dictionaries(values, json_values, max_size=3))
    def test_bodies_are_covered(self, body: dict[str, Any]) -> None:
        cloud = state()
        project = cloud.accounts.project("cn-north-4")
        credential = Credential(accounts.HUAWEI_ACCESS_KEY, accounts.HUAWEI_SECRET, project_id=project)
        request = ApiRequest("dli", "CreateSqlJob", path="/v1.0/{project_id}/jobs/submit-job", body=body)
        signed = huawei_client().sign(request, credential)
        operation, call = huawei_gateway.route(received(signed), cloud)
        huawei_gateway.authenticate(operation, call)
        signed.body = (signed.body or b"") + b" "
        operation, call = huawei_gateway.route(received(signed), cloud)
        with pytest.raises(Refused):
            huawei_gateway.authenticate(operation, call)

    def test_the_verifier_and_the_vendor_agree_on_the_example(self) -> None:
        credential = Credential("EXAMPLEAK", "EXAMPLESK", project_id=HUAWEI_PROJECT)
        arrived = received(huawei_client().sign(ApiRequest("dli", "X", "GET", "/v1.0/{project_id}/queues"), credential))
        stated = parse_authorization(arrived.header("authorization"), "SDK-HMAC-SHA256")
        assert stated is not None
        text = huawei_string_to_sign(
            "GET", arrived.path, arrived.query, arrived.headers, stated.signed_headers, EMPTY, "20240101T000000Z"
        )
        assert sign("EXAMPLESK", text) == stated.signature

    def test_the_content_of_a_form_is_left_unsigned_but_its_boundary_is_not(self) -> None:
        request = ApiRequest(
            "drs", "X", path="/v5/{project_id}/jobs/j/db-object/template", file=FormFile("file", "x", b"1")
        )
        signed = huawei_client().sign(request, Credential("AK", "SK", project_id=HUAWEI_PROJECT))
        kind, _, boundary = signed.headers["Content-Type"].partition("; boundary=")
        assert kind == "multipart/form-data"
        assert (signed.body or b"").startswith(f"--{boundary}\r\n".encode())
        assert signed.headers["X-Sdk-Content-Sha256"] == "UNSIGNED-PAYLOAD"
        assert "content-type;" in signed.headers["Authorization"]
        assert len(boundary) >= 16

    def test_iam_is_asked_without_a_project(self) -> None:
        credential = Credential("AK", "SK", project_id=HUAWEI_PROJECT)
        signed = huawei_client().sign(ApiRequest("iam", "X", "GET", "/v3/projects", {"name": "cn-north-4"}), credential)
        assert "X-Project-Id" not in signed.headers
        assert signed.url == "https://iam.cn-north-4.myhuaweicloud.com/v3/projects?name=cn-north-4"
