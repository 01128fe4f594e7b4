# SPDX-License-Identifier: Apache-2.0
"""Token services, metadata services and a credentials URI, as the vendors describe them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkdli.v1 import DliClient, ListQueuesRequest

from airflow_cloudjobs.localcloud import Control, LocalCloud, accounts

Sign = Callable[..., requests.PreparedRequest]
Send = Callable[[requests.PreparedRequest], requests.Response]

ROLE = {"RoleArn": accounts.ALIBABA_ROLE_ARN, "RoleSessionName": "tests"}
STS = "2015-04-01"


def moment(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


def refused(control: Control) -> dict[str, int]:
    operations = control.stats(0)["operations"].values()
    return {code: count for operation in operations for code, count in operation["refused"].items()}


class TestAssumeRole:
    def test_answer(self, sign_alibaba: Sign, send: Send) -> None:
        answer = send(sign_alibaba("AssumeRole", STS, **ROLE, DurationSeconds="900"))
        assert answer.status_code == 200
        body = answer.json()
        assert body["AssumedRoleUser"]["Arn"] == f"{accounts.ALIBABA_ROLE_ARN}/tests"
        given = body["Credentials"]
        assert given["AccessKeyId"].startswith("STS.")
        assert moment(given["Expiration"]) == pytest.approx(time.time() + 900, abs=5)
        token = given["SecurityToken"]
        own = sign_alibaba(
            "ListUserTenants", access_key=given["AccessKeyId"], secret=given["AccessKeySecret"], token=token
        )
        assert send(own).status_code == 200

    def test_life_is_a_setting(self, control: Control, sign_alibaba: Sign, send: Send) -> None:
        control.settings(key_seconds=60.0)
        given = send(sign_alibaba("AssumeRole", STS, **ROLE)).json()["Credentials"]

        def call() -> dict[str, Any]:
            key, secret, token = (given[name] for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken"))
            signed = sign_alibaba("ListUserTenants", access_key=key, secret=secret, token=token)
            body: dict[str, Any] = send(signed).json()
            return body

        assert call()["Success"]
        control.skew_clock(61)
        assert call()["Code"] == "InvalidSecurityToken.Expired"

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"RoleArn": "airflow"}, 400, "InvalidParameter.RoleArn"),
            ({"RoleArn": accounts.ALIBABA_ROLE_ARN + "s"}, 404, "EntityNotExist.Role"),
            ({"RoleArn": accounts.ALIBABA_PARTNER_ROLE_ARN}, 403, "NoPermission"),
            ({"RoleSessionName": "a b"}, 400, "InvalidParameter.RoleSessionName"),
            ({"RoleSessionName": ""}, 400, "MissingParameter"),
            ({"DurationSeconds": "60"}, 400, "InvalidParameter.DurationSeconds"),
        ],
    )
    def test_refusals(self, sign_alibaba: Sign, send: Send, change: dict[str, str], status: int, code: str) -> None:
        answer = send(sign_alibaba("AssumeRole", STS, **{**ROLE, **change}))
        assert (answer.status_code, answer.json()["Code"]) == (status, code)

    def test_external_id(self, sign_alibaba: Sign, send: Send) -> None:
        partner = {**ROLE, "RoleArn": accounts.ALIBABA_PARTNER_ROLE_ARN, "ExternalId": accounts.ALIBABA_EXTERNAL_ID}
        assert send(sign_alibaba("AssumeRole", STS, **partner)).status_code == 200

    def test_must_be_signed(self, cloud: LocalCloud) -> None:
        query = {"Action": "AssumeRole", "Version": STS, **ROLE}
        answer = requests.post(cloud.url + "/", params=query, timeout=5)
        assert answer.json()["Code"] == "IncompleteSignature"

    def test_mixed_pairs_are_refused_and_counted(self, control: Control, sign_alibaba: Sign, send: Send) -> None:
        one, other = (send(sign_alibaba("AssumeRole", STS, **ROLE)).json()["Credentials"] for _ in range(2))
        mixed = sign_alibaba(
            "ListUserTenants",
            access_key=one["AccessKeyId"],
            secret=one["AccessKeySecret"],
            token=other["SecurityToken"],
        )
        assert send(mixed).json()["Code"] == "InvalidSecurityToken.MismatchWithAccessKey"
        assert control.stats(0)["mixed_pairs"] == 1


class TestAssumeRoleWithOidc:
    def ask(self, cloud: LocalCloud, **form: str) -> requests.Response:
        query = {"Action": "AssumeRoleWithOIDC", "Version": STS, "Format": "JSON"}
        body = {**ROLE, "OIDCProviderArn": accounts.ALIBABA_OIDC_PROVIDER_ARN, **form}
        return requests.post(cloud.url + "/", params=query, data=body, timeout=5)

    def test_answer(self, cloud: LocalCloud, control: Control) -> None:
        answer = self.ask(cloud, OIDCToken=control.issue_id_token())
        assert answer.status_code == 200
        assert set(answer.json()["Credentials"]) == {"AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration"}

    @pytest.mark.parametrize(
        ("life", "form", "code"),
        [
            (-1.0, {}, "AuthenticationFail.OIDCToken.Expired"),
            (60.0, {"OIDCToken": "made up"}, "AuthenticationFail.OIDCToken.Invalid"),
            (60.0, {"OIDCToken": ""}, "AuthenticationFail.OIDCToken.Invalid"),
            (60.0, {"OIDCProviderArn": "acs:ram::1:oidc-provider/other"}, "AuthenticationFail.NoPermission"),
        ],
    )
    def test_refusals(self, cloud: LocalCloud, control: Control, life: float, form: dict[str, str], code: str) -> None:
        answer = self.ask(cloud, **{"OIDCToken": control.issue_id_token(life), **form})
        assert (answer.status_code, answer.json()["Code"]) == (401, code)


class TestAlibabaMetadata:
    ROLES = "/latest/meta-data/ram/security-credentials/"

    def token(self, cloud: LocalCloud, seconds: int = 60) -> dict[str, str]:
        headers = {"X-aliyun-ecs-metadata-token-ttl-seconds": str(seconds)}
        answer = requests.put(cloud.url + "/latest/api/token", headers=headers, timeout=5)
        return {"X-aliyun-ecs-metadata-token": answer.text}

    def test_key(self, cloud: LocalCloud) -> None:
        headers = self.token(cloud)
        role = requests.get(cloud.url + self.ROLES, headers=headers, timeout=5).text
        assert role == accounts.ALIBABA_INSTANCE_ROLE
        body = requests.get(cloud.url + self.ROLES + role, headers=headers, timeout=5).json()
        assert body["Code"] == "Success"
        assert {"AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration", "LastUpdated"} < set(body)

    def test_token_is_needed(self, cloud: LocalCloud, control: Control) -> None:
        assert requests.get(cloud.url + self.ROLES, timeout=5).status_code == 403
        headers = self.token(cloud, 60)
        control.skew_clock(61)
        assert requests.get(cloud.url + self.ROLES, headers=headers, timeout=5).status_code == 403
        assert requests.put(cloud.url + "/latest/api/token", timeout=5).status_code == 400
        assert requests.get(cloud.url + "/latest/api/token", timeout=5).status_code == 405

    def test_other_role(self, cloud: LocalCloud) -> None:
        answer = requests.get(cloud.url + self.ROLES + "other", headers=self.token(cloud), timeout=5)
        assert answer.status_code == 404


def test_credentials_uri(cloud: LocalCloud, control: Control, sign_alibaba: Sign, send: Send) -> None:
    given = requests.get(cloud.url + "/credentials-uri", timeout=5).json()
    assert given["Code"] == "Success"
    key, secret, token = (given[name] for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken"))
    assert send(sign_alibaba("ListUserTenants", access_key=key, secret=secret, token=token)).status_code == 200
    control.revoke_logins("alibaba")
    assert requests.get(cloud.url + "/credentials-uri", timeout=5).status_code == 403
    again = send(sign_alibaba("ListUserTenants", access_key=key, secret=secret, token=token))
    assert again.json()["Code"] == "InvalidSecurityToken.Expired"


class TestHuawei:
    def test_the_sdks_own_federation(self, cloud: LocalCloud, control: Control, tmp_path: Any) -> None:
        """The vendor's client exchanges an ID token, looks the project up and calls."""
        file = tmp_path / "token"
        file.write_text(control.issue_id_token())
        credentials = BasicCredentials(project_id=accounts.project_id("cn-north-4"))
        credentials.with_iam_endpoint(cloud.url).with_idp_id(accounts.HUAWEI_IDP_ID).with_id_token_file(str(file))
        client = DliClient.new_builder().with_credentials(credentials).with_endpoints([cloud.url]).build()
        assert client.list_queues(ListQueuesRequest()).is_success
        operations = control.stats(0)["operations"]
        assert operations["CreateTokenWithIdToken"]["ok"] == 1
        assert operations["CreateTemporaryAccessKeyByToken"]["ok"] == 1

    @pytest.mark.parametrize(("life", "idp", "status"), [(-1.0, accounts.HUAWEI_IDP_ID, 401), (60.0, "other", 404)])
    def test_refused_id_token(self, cloud: LocalCloud, control: Control, life: float, idp: str, status: int) -> None:
        body = {"auth": {"id_token": {"id": control.issue_id_token(life)}}}
        url = cloud.url + "/v3.0/OS-AUTH/id-token/tokens"
        answer = requests.post(url, json=body, headers={"X-Idp-Id": idp}, timeout=5)
        assert answer.status_code == status
        assert answer.json()["error"]["code"] == status

    def test_metadata(self, cloud: LocalCloud, control: Control, sign_huawei: Sign, send: Send) -> None:
        key_url = cloud.url + "/openstack/latest/securitykey"
        assert requests.get(key_url, timeout=5).status_code == 401
        ttl = {"X-Metadata-Token-Ttl-Seconds": "60"}
        token = requests.put(cloud.url + "/meta-data/latest/api/token", headers=ttl, timeout=5).text
        given = requests.get(key_url, headers={"X-Metadata-Token": token}, timeout=5).json()["credential"]
        assert moment(given["expires_at"]) > time.time()
        path = "/v1.0/{project}/queues"
        own = {"access_key": given["access"], "secret": given["secret"]}
        assert send(sign_huawei("GET", path, token=given["securitytoken"], **own)).status_code == 200
        assert control.expire_keys("huawei") == 1
        answer = send(sign_huawei("GET", path, token=given["securitytoken"], **own))
        assert "has expired" in answer.json()["error_msg"]
        control.revoke_logins("huawei")
        answer = requests.get(key_url, headers={"X-Metadata-Token": token}, timeout=5)
        assert (answer.status_code, answer.text) == (401, "Please configure Cloud Service Agency first")

    def test_mixed_pairs_are_counted(self, control: Control, sign_huawei: Sign, send: Send) -> None:
        one, other = (control.issue_credentials("huawei") for _ in range(2))
        mixed = sign_huawei(
            "GET",
            "/v1.0/{project}/queues",
            access_key=one["access_key"],
            secret=one["secret"],
            token=other["security_token"],
        )
        assert send(mixed).status_code == 401
        assert control.stats(0)["mixed_pairs"] == 1


def test_disabled_keys(control: Control, sign_alibaba: Sign, sign_huawei: Sign, send: Send) -> None:
    control.disable_key(accounts.ALIBABA_ACCESS_KEY)
    control.disable_key(accounts.HUAWEI_ACCESS_KEY)
    assert send(sign_alibaba("ListUserTenants")).json()["Code"] == "InvalidAccessKeyId.Inactive"
    assert send(sign_huawei("GET", "/v1.0/{project}/queues")).json()["error_code"] == "APIGW.0301"
    assert refused(control) == {"InvalidAccessKeyId.Inactive": 1, "APIGW.0301": 1}
