# SPDX-License-Identifier: Apache-2.0
"""Connections that cannot work: an error that names the field and the mode, before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from credential_modes import CONN_ID, MODES, PROBES, Mode, environment, fields_of

from airflow_cloudjobs.alibaba.settings import OidcRole, alibaba_settings
from airflow_cloudjobs.connection.fields import TABLES, table_of
from airflow_cloudjobs.connection.settings import CloudSettings, InvalidConnection
from airflow_cloudjobs.huawei.settings import IdToken, huawei_settings
from airflow_cloudjobs.localcloud import Control, LocalCloud

ARN = "acs:ram::1:role/airflow"
ALIBABA = {"conn_type": "alibaba_cloudjobs", "login": "key", "password": "secret"}
HUAWEI = {"conn_type": "huawei_cloudjobs", "login": "key", "password": "secret"}


def read(connection: dict[str, Any], region: str | None = None) -> CloudSettings:
    fields = fields_of(connection)
    return (huawei_settings if "huawei" in connection["conn_type"] else alibaba_settings)(fields, region)


def alibaba(**extra: Any) -> dict[str, Any]:
    return {**ALIBABA, "extra": {"region": "cn-shanghai", **extra}}


def huawei(**extra: Any) -> dict[str, Any]:
    return {**HUAWEI, "extra": {"region": "cn-north-4", **extra}}


def without(connection: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in connection.items() if name not in names}


@pytest.mark.parametrize(
    ("connection", "field", "told"),
    [
        (alibaba(auth="magic"), "auth", "'ecs_ram_role'"),
        (huawei(auth="magic"), "auth", "'ecs_agency'"),
        (alibaba(auth="sts"), "security_token", "auth 'sts' needs"),
        (without(alibaba(), "login"), "login", "auth 'ak'"),
        (without(alibaba(auth="ram_role_arn", role_arn=ARN), "password"), "password", "auth 'ram_role_arn'"),
        (alibaba(auth="ram_role_arn"), "role_arn", "auth 'ram_role_arn' needs"),
        (alibaba(auth="oidc_role_arn"), "role_arn", "ALIBABA_CLOUD_ROLE_ARN"),
        (alibaba(auth="oidc_role_arn", role_arn=ARN), "oidc_provider_arn", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"),
        (
            alibaba(auth="oidc_role_arn", role_arn=ARN, oidc_provider_arn="p"),
            "oidc_token_file",
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
        ),
        (alibaba(auth="credentials_uri"), "credentials_uri", "auth 'credentials_uri' needs"),
        (alibaba(auth="credentials_uri", credentials_uri="file:///x"), "credentials_uri", "http://"),
        (without(huawei(), "password"), "password", "auth 'aksk' needs"),
        (without(huawei(auth="token", domain="d"), "login"), "login", "auth 'token' needs"),
        (huawei(auth="token"), "domain", "auth 'token' needs"),
        (huawei(auth="oidc", id_token_file="/x"), "idp_id", "HUAWEICLOUD_SDK_IDP_ID"),
        (huawei(auth="oidc", idp_id="x"), "id_token_file", "HUAWEICLOUD_SDK_ID_TOKEN_FILE"),
        # Both layouts at once.
        (alibaba(access_key_id="other"), "login", "differ"),
        (alibaba(access_key_secret="other"), "password", "differ"),
        (alibaba(auth_type="AK", auth="ecs_ram_role"), "auth_type", "give only 'auth'"),
        (alibaba(auth_type="RAM"), "auth_type", "allowed is 'AK'"),
        # Fields of a mode that was not chosen.
        (alibaba(role_arn=ARN), "auth", "'ram_role_arn' or 'oidc_role_arn'"),
        (alibaba(ecs_role_name="r"), "auth", "'ecs_ram_role'"),
        (huawei(idp_id="i"), "auth", "'oidc'"),
        (huawei(domain="d"), "auth", "'token'"),
        # Addresses.
        (alibaba(endpoints={"sts": "https://sts.example.com/path"}), "endpoints.sts", "path"),
        (alibaba(endpoints={"metadata": "ftp://x"}), "endpoints.metadata", "http(s)"),
        (alibaba(endpoints={"dms.x": "https://x"}), "endpoints", "metadata"),
        (huawei(endpoints={"iam": "https://iam.example.com/v3"}), "endpoints.iam", "path"),
        ({**alibaba(), "host": "https://dms.example.com/x"}, "host", "path"),
        ({**huawei(), "host": "h", "schema": "ftp"}, "schema", "allowed are"),
    ],
)
def test_field_and_mode_are_named(connection: dict[str, Any], field: str, told: str) -> None:
    with pytest.raises(InvalidConnection) as caught:
        read(connection)
    assert caught.value.field == field
    assert told in str(caught.value)
    assert CONN_ID in str(caught.value)
    assert "secret" not in str(caught.value).replace("AccessKey secret", "").replace("access_key_secret", "")


class TestFiles:
    """Files are looked at when they are first needed, since reading settings does no I/O."""

    @pytest.fixture(params=["absent", "empty", "binary", "a directory"])
    def bad_file(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        file = tmp_path / "file"
        if request.param == "empty":
            file.write_text(" \n")
        elif request.param == "binary":
            file.write_bytes(b"\xff\xfe\x00")
        elif request.param == "a directory":
            file.mkdir()
        return file

    @pytest.mark.parametrize("mode", [m for m in MODES if "oidc" in m.auth], ids=lambda mode: mode.cloud)
    def test_token_file(
        self, cloud: LocalCloud, control: Control, mode: Mode, bad_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(mode.connection(cloud, bad_file)))
        with pytest.raises(InvalidConnection, match=str(bad_file)) as caught:
            mode.hook().call(PROBES[mode.cloud])
        assert caught.value.field == ("oidc_token_file" if mode.cloud == "alibaba" else "id_token_file")
        assert f"auth '{mode.auth}'" in str(caught.value)
        good, told = mode.hook().test_connection()
        assert not good
        assert str(bad_file) in told
        assert control.stats(0)["operations"] == {}

    @pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
    def test_ca_bundle(self, cloud: LocalCloud, control: Control, tmp_path: Path, mode: Mode) -> None:
        token = tmp_path / "token"
        token.write_text("token")
        with environment(mode.environment(cloud, token)):
            for file in (tmp_path / "absent.pem", token):
                with pytest.raises(InvalidConnection, match=str(file)) as caught:
                    mode.client(mode.connection(cloud, token, ca_bundle=str(file)))
                assert caught.value.field == "ca_bundle"
        assert control.stats(0)["operations"] == {}


class TestEnvironment:
    """What a pod's webhook sets completes the connection, and is read when it is used."""

    def test_alibaba(self) -> None:
        found = {
            "ALIBABA_CLOUD_ROLE_ARN": ARN,
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "provider",
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/var/run/token",
            "ALIBABA_CLOUD_ROLE_SESSION_NAME": "pod",
        }
        with environment(found):
            settings = alibaba_settings(fields_of(alibaba(auth="oidc_role_arn")), None)
        assert settings.source == OidcRole(ARN, "pod", "provider", "/var/run/token")
        with environment(found):
            settings = alibaba_settings(fields_of(alibaba(auth="oidc_role_arn", role_arn=ARN + "2")), None)
        assert isinstance(settings.source, OidcRole)
        assert settings.source.arn == ARN + "2"

    def test_huawei(self) -> None:
        with environment({"HUAWEICLOUD_SDK_IDP_ID": "idp", "HUAWEICLOUD_SDK_ID_TOKEN_FILE": "/token"}):
            settings = huawei_settings(fields_of(huawei(auth="oidc")), None)
        assert settings.source == IdToken("idp", "/token")


class TestEndpoints:
    @pytest.mark.parametrize(
        ("region", "host"),
        [
            ("cn-shanghai", "ice.cn-shanghai.aliyuncs.com"),
            ("cn-beijing", "ice.cn-beijing.aliyuncs.com"),
            ("us-west-1", "ice.us-west-1.aliyuncs.com"),
            ("cn-shanghai-finance-1", "ice.aliyuncs.com"),
            ("cn-hangzhou-finance", "ice.aliyuncs.com"),
            ("cn-north-2-gov-1", "ice.aliyuncs.com"),
            ("eu-central-1", "ice.aliyuncs.com"),
            ("cn-newest-9", "ice.cn-newest-9.aliyuncs.com"),
        ],
    )
    def test_ice(self, region: str, host: str) -> None:
        assert read(alibaba(), region).endpoint("ice") == f"https://{host}"

    def test_alibaba_centres(self) -> None:
        settings = read(alibaba())
        assert settings.endpoint("dms-enterprise") == "https://dms-enterprise.aliyuncs.com"
        assert settings.endpoint("sts") == "https://sts.aliyuncs.com"
        assert settings.endpoint("metadata") == "http://100.100.100.200"

    @pytest.mark.parametrize(
        ("region", "domain"),
        [("cn-north-4", "com"), ("eu-west-0", "com"), ("eu-west-101", "eu"), ("cn-newest-9", "com")],
    )
    def test_huawei(self, region: str, domain: str) -> None:
        settings = read(huawei(), region)
        for service in ("dli", "drs", "iam"):
            assert settings.endpoint(service) == f"https://{service}.{region}.myhuaweicloud.{domain}"
        assert settings.endpoint("metadata") == "http://169.254.169.254"

    def test_own_hosts(self) -> None:
        vpc = {
            "dms-enterprise": "dms-enterprise-vpc.cn-shanghai.aliyuncs.com",
            "ice": "https://ice-vpc.cn-shanghai.aliyuncs.com:8443/",
            "metadata": "127.0.0.1:1338",
        }
        settings = read({**alibaba(endpoints=vpc), "host": "gate.example.com", "port": 8080, "schema": "http"})
        assert settings.endpoint("dms-enterprise") == "https://dms-enterprise-vpc.cn-shanghai.aliyuncs.com"
        assert settings.endpoint("ice") == "https://ice-vpc.cn-shanghai.aliyuncs.com:8443"
        assert settings.endpoint("sts") == "http://gate.example.com:8080"
        assert settings.endpoint("metadata") == "http://127.0.0.1:1338"
        # A host for the cloud's services says nothing about the instance's own.
        assert read({**alibaba(), "host": "gate.example.com"}).endpoint("metadata") == "http://100.100.100.200"


def test_every_mode_is_tested() -> None:
    tested = {(mode.cloud, mode.auth) for mode in MODES}
    assert tested == {(cloud, name) for cloud in TABLES for name in table_of(cloud).modes}
