# SPDX-License-Identifier: Apache-2.0
"""Signatures: equal to the published examples and to the vendors' functions, and everything else is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from alibabacloud_tea_openapi.utils import Utils
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given
from hypothesis import strategies as st

from airflow_cloudjobs.localcloud import Control, LocalCloud, accounts
from airflow_cloudjobs.localcloud.signatures import (
    ACS3,
    SDK_HMAC,
    acs3_string_to_sign,
    huawei_string_to_sign,
    parse_authorization,
    sign,
)

Sign = Callable[..., requests.PreparedRequest]
Send = Callable[[requests.PreparedRequest], requests.Response]

EMPTY_HASH = hashlib.sha256(b"").hexdigest()
STATUS_PATH = "/v1.0/{project}/jobs/nobody/status"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
NAMES = st.text(st.sampled_from("ABCDEFabcdef0123456789._-"), min_size=1, max_size=8)


def headers_of(fields: dict[str, str]) -> dict[str, list[str]]:
    return {name.lower(): [value] for name, value in fields.items()}


def test_alibabas_published_example() -> None:
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": EMPTY_HASH,
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    query = [("RegionId", "cn-shanghai"), ("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd")]
    to_sign = acs3_string_to_sign("POST", "/", query, headers_of(headers), sorted(headers), EMPTY_HASH)
    expected = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    assert sign("YourAccessKeySecret", to_sign) == expected


@given(query=st.dictionaries(NAMES, TEXT, max_size=5), secret=TEXT.filter(bool), body=st.binary(max_size=20))
def test_alibabas_signature_equals_the_vendors(query: dict[str, str], secret: str, body: bytes) -> None:
    payload = Utils.hash(body, ACS3).hex()
    headers = {"host": "h", "x-acs-date": "d", "x-acs-content-sha256": payload}
    request = SimpleNamespace(method="POST", pathname="/", query=query, headers=headers)
    authorization = parse_authorization(Utils.get_authorization(request, ACS3, payload, "AK", secret), ACS3)
    assert authorization is not None
    to_sign = acs3_string_to_sign(
        "POST", "/", query.items(), headers_of(headers), authorization.signed_headers, payload
    )
    assert sign(secret, to_sign) == authorization.signature


@given(
    query=st.lists(st.tuples(NAMES, TEXT), max_size=5),
    segment=TEXT.filter(lambda text: text and "/" not in text and "%" not in text),
    body=st.binary(max_size=20),
)
def test_huaweis_signature_equals_the_vendors(query: list[tuple[str, str]], segment: str, body: bytes) -> None:
    request = SdkRequest(
        method="POST",
        schema="https",
        host="dli.cn-north-4.myhuaweicloud.com",
        resource_path=f"/v1.0/{segment}/jobs",
        query_params=list(query),
        header_params={"Content-Type": "application/json", "X-Sdk-Date": "20240101T000000Z"},
        body=body,
    )
    signed = Signer(SimpleNamespace(ak="AK", sk="secret")).sign(request)
    authorization = parse_authorization(signed.header_params["Authorization"], SDK_HMAC)
    assert authorization is not None
    to_sign = huawei_string_to_sign(
        "POST",
        f"/v1.0/{segment}/jobs",
        query,
        headers_of(signed.header_params),
        authorization.signed_headers,
        hashlib.sha256(body).hexdigest(),
        "20240101T000000Z",
    )
    assert sign("secret", to_sign) == authorization.signature


@pytest.mark.parametrize("value", ["", "Bearer x", f"{ACS3} Credential=a", f"{ACS3} nonsense", "SDK-HMAC-SHA256 "])
def test_what_is_no_authorization(value: str) -> None:
    assert parse_authorization(value, ACS3) is None


def code_of(answer: requests.Response) -> tuple[int, str]:
    body = answer.json()
    return answer.status_code, body.get("Code") or body.get("error_code") or ""


def date(form: str, minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime(form)


ALIBABA_DATE = "%Y-%m-%dT%H:%M:%SZ"
HUAWEI_DATE = "%Y%m%dT%H%M%SZ"


def test_a_good_call_with_parameters_in_the_query_or_in_a_form(sign_alibaba: Sign, send: Send) -> None:
    by_query = send(sign_alibaba("GetUserUploadFileJob", JobKey="a b+c/ü*~"))
    assert by_query.status_code == 200
    assert "a b+c/ü*~" in by_query.json()["ErrorMessage"]
    by_form = send(sign_alibaba("GetUserUploadFileJob", form="JobKey=a+b%2Bc&Tid=5"))
    assert "a b+c" in by_form.json()["ErrorMessage"]
    assert by_form.headers["x-acs-request-id"] == by_form.json()["RequestId"]


def test_a_replayed_nonce(sign_alibaba: Sign, send: Send, control: Control) -> None:
    request = sign_alibaba("ListUserTenants")
    assert send(request).status_code == 200
    assert code_of(send(request)) == (400, "SignatureNonceUsed")
    assert control.stats()["nonces_replayed"] == 1


@pytest.mark.parametrize("minutes", [-20, -15.1, 15.1, 20])
def test_alibaba_refuses_a_clock_off_by_more_than_15_minutes(
    sign_alibaba: Sign, send: Send, control: Control, minutes: float
) -> None:
    request = sign_alibaba("ListUserTenants", date=date(ALIBABA_DATE, minutes))
    answer = send(request)
    assert code_of(answer) == (400, "InvalidTimeStamp.Expired")
    assert answer.headers["Date"]
    control.skew_clock(minutes * 60)
    assert send(request).status_code == 200


@pytest.mark.parametrize("minutes", [-14.5, 14.5])
def test_both_tolerate_a_clock_off_by_less(sign_alibaba: Sign, sign_huawei: Sign, send: Send, minutes: float) -> None:
    assert send(sign_alibaba("ListUserTenants", date=date(ALIBABA_DATE, minutes))).status_code == 200
    listed = send(sign_huawei("GET", "/v1.0/{project}/queues", date=date(HUAWEI_DATE, minutes)))
    assert listed.status_code == 200


def spoil_query(request: requests.PreparedRequest) -> None:
    request.url = f"{request.url}&Tid=7"


def spoil_body(request: requests.PreparedRequest) -> None:
    request.prepare_body(b"Tid=7", None)


def spoil_header(name: str, value: str) -> Callable[[requests.PreparedRequest], None]:
    def spoil(request: requests.PreparedRequest) -> None:
        request.headers[name] = value

    return spoil


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (spoil_query, (403, "SignatureDoesNotMatch")),
        (spoil_body, (403, "SignatureDoesNotMatch")),
        (spoil_header("x-acs-action", "GetUserActiveTenant"), (403, "SignatureDoesNotMatch")),
        (spoil_header("x-acs-content-sha256", "0" * 64), (403, "SignatureDoesNotMatch")),
        (spoil_header("x-acs-unsigned", "1"), (400, "IncompleteSignature")),
        (spoil_header("Authorization", ""), (400, "IncompleteSignature")),
        (spoil_header("x-acs-date", "yesterday"), (400, "InvalidTimeStamp.Format")),
        (spoil_header("x-acs-date", ""), (400, "IllegalTimestamp")),
        (spoil_header("x-acs-version", "2018-01-01"), (404, "InvalidVersion")),
        (spoil_header("x-acs-version", "2020-11-09"), (404, "InvalidAction.NotFound")),
        (spoil_header("x-acs-action", ""), (400, "MissingParameter")),
        (spoil_header("x-acs-security-token", "CAIS"), (400, "InvalidSecurityToken.Malformed")),
    ],
)
def test_alibaba_refuses_what_was_changed_on_the_way(
    sign_alibaba: Sign, send: Send, spoil: Callable[[requests.PreparedRequest], None], expected: tuple[int, str]
) -> None:
    request = sign_alibaba("ListUserTenants", Tid="5")
    spoil(request)
    answer = send(request)
    assert code_of(answer) == expected
    assert set(answer.json()) == {"RequestId", "HostId", "Code", "Message", "Recommend"}
    assert accounts.ALIBABA_SECRET not in answer.text


def test_alibaba_refuses_wrong_keys_and_tokens(sign_alibaba: Sign, send: Send, control: Control) -> None:
    first, second = (control.issue_credentials("alibaba") for _ in range(2))

    def call(issued: dict[str, Any], token: str) -> tuple[int, str]:
        keys = {"access_key": issued["access_key"], "secret": issued["secret"]}
        return code_of(send(sign_alibaba("ListUserTenants", token=token, **keys)))

    assert call(first, first["security_token"]) == (200, "")
    assert call(first, "") == (400, "MissingSecurityToken")
    assert call(first, second["security_token"]) == (400, "InvalidSecurityToken.MismatchWithAccessKey")
    control.expire_credentials(first["access_key"])
    assert call(first, first["security_token"]) == (400, "InvalidSecurityToken.Expired")
    unknown = send(sign_alibaba("ListUserTenants", access_key="LTAIother"))
    assert code_of(unknown) == (404, "InvalidAccessKeyId.NotFound")
    wrong = send(sign_alibaba("ListUserTenants", secret="other"))
    assert code_of(wrong) == (403, "SignatureDoesNotMatch")
    assert control.stats()["operations"]["ListUserTenants"]["refused"]["SignatureDoesNotMatch"] == 1


def test_who_am_i(sign_alibaba: Sign, send: Send) -> None:
    answer = send(sign_alibaba("GetCallerIdentity", "2015-04-01"))
    assert answer.json()["AccountId"] == accounts.ALIBABA_ACCOUNT_ID


def test_huawei_accepts_reserved_characters(sign_huawei: Sign, send: Send) -> None:
    query = (("tags", "a=b c/ü*~+"), ("page-size", "1"))
    assert send(sign_huawei("GET", "/v1.0/{project}/jobs", query=query)).status_code == 200


@pytest.mark.parametrize("minutes", [-20, -15.1, 15.1, 20])
def test_huawei_refuses_a_clock_off_by_more_than_15_minutes(
    sign_huawei: Sign, send: Send, control: Control, minutes: float
) -> None:
    request = sign_huawei("GET", "/v1.0/{project}/queues", date=date(HUAWEI_DATE, minutes))
    answer = send(request)
    assert code_of(answer) == (401, "APIGW.0303")
    assert "15min" in answer.json()["error_msg"]
    control.skew_clock(minutes * 60)
    assert send(request).status_code == 200


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (spoil_query, (401, "APIGW.0301")),
        (spoil_body, (401, "APIGW.0301")),
        (spoil_header("Content-Type", "text/plain"), (401, "APIGW.0301")),
        (spoil_header("X-Security-Token", "t"), (401, "APIGW.0301")),
        (spoil_header("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD"), (400, "DLI.0002")),
        (spoil_header("X-Sdk-Date", "yesterday"), (401, "APIGW.0301")),
        (spoil_header("Authorization", ""), (401, "APIGW.0301")),
        (spoil_header("Authorization", "SDK-HMAC-SHA256 Access=HPUAother, SignedHeaders=host, Signature=a"),
         (401, "APIGW.0301")),
        (spoil_header("Authorization", f"SDK-HMAC-SHA256 Access={accounts.HUAWEI_ACCESS_KEY}, "
                      "SignedHeaders=x-sdk-date, Signature=a"), (401, "APIGW.0301")),
    ],
)  # fmt: skip
def test_huawei_refuses_what_was_changed_on_the_way(
    sign_huawei: Sign, send: Send, spoil: Callable[[requests.PreparedRequest], None], expected: tuple[int, str]
) -> None:
    request = sign_huawei("GET", STATUS_PATH, query=(("a", "b"),))
    spoil(request)
    answer = send(request)
    assert code_of(answer) == expected
    assert answer.headers["X-Request-Id"]
    if expected[1].startswith("APIGW."):
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert accounts.HUAWEI_SECRET not in answer.text


def test_huawei_signs_json_bodies(sign_huawei: Sign, send: Send) -> None:
    path = "/v1.0/{project}/jobs/submit-job"
    assert send(sign_huawei("POST", path, {"sql": "select 'ü'"})).json()["is_success"]
    spoilt = sign_huawei("POST", path, {"sql": "select 1"})
    spoilt.prepare_body(b'{"sql":"select 2"}', None)
    assert code_of(send(spoilt)) == (401, "APIGW.0301")
    unsigned = sign_huawei("POST", path, b'{"sql":"select 1"}', content_type="text/plain")
    unsigned.prepare_body(b'{"sql":"select 2"}', None)
    assert send(unsigned).json()["is_success"]


def test_huawei_refuses_wrong_keys_tokens_projects_and_paths(
    cloud: LocalCloud, sign_huawei: Sign, send: Send, control: Control
) -> None:
    queues = "/v1.0/{project}/queues"
    issued = control.issue_credentials("huawei", expires_in=60)
    keys = {"access_key": issued["access_key"], "secret": issued["secret"]}
    assert send(sign_huawei("GET", queues, token=issued["security_token"], **keys)).status_code == 200
    assert code_of(send(sign_huawei("GET", queues, **keys))) == (401, "APIGW.0301")
    assert code_of(send(sign_huawei("GET", queues, secret="other"))) == (401, "APIGW.0301")
    control.skew_clock(120)
    expired = send(sign_huawei("GET", queues, token=issued["security_token"], **keys))
    assert "The security token has expired" in expired.json()["error_msg"]
    assert code_of(send(sign_huawei("GET", "/v1.0/0123456789abcdef/queues"))) == (403, "APIGW.0302")
    assert code_of(send(sign_huawei("GET", "/v9/{project}/queues"))) == (404, "APIGW.0101")
    assert code_of(send(sign_huawei("PUT", queues))) == (404, "APIGW.0101")
