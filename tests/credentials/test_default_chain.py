# SPDX-License-Identifier: Apache-2.0
"""``auth`` ``default``: what the vendors' SDKs find in the environment and the home directory, read at use."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from credential_modes import MODES, PROBES, environment, write_token
from huaweicloudsdkcore.auth.credentials import BasicCredentials

from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.localcloud import Control, LocalCloud, accounts
from airflow_cloudjobs.transport.sync import SyncCaller

ALIBABA = next(mode for mode in MODES if mode.name == "alibaba default")
HUAWEI = next(mode for mode in MODES if mode.name == "huawei default")

CLOSED = "http://127.0.0.1:9"
"""Where nobody listens."""


def key_used(mode: object, cloud: LocalCloud, tmp_path: Path) -> str:
    """Make a call and tell the access key that signed it."""
    client = mode.client(mode.connection(cloud, tmp_path / "none"))
    with SyncCaller(client) as caller:
        caller.call(PROBES[mode.cloud])
    return client.credential.key


class TestAlibaba:
    def test_environment(self, cloud: LocalCloud, control: Control, tmp_path: Path) -> None:
        key = {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": accounts.ALIBABA_ACCESS_KEY,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": accounts.ALIBABA_SECRET,
        }
        with environment(key):
            assert key_used(ALIBABA, cloud, tmp_path) == accounts.ALIBABA_ACCESS_KEY
        issued = control.issue_credentials("alibaba")
        other = {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": issued["access_key"],
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": issued["secret"],
            "ALIBABA_CLOUD_SECURITY_TOKEN": issued["security_token"],
        }
        with environment(other):
            assert key_used(ALIBABA, cloud, tmp_path) == issued["access_key"]

    def test_cli_profile(self, cloud: LocalCloud, tmp_path: Path) -> None:
        profile = {
            "name": "work",
            "mode": "AK",
            "access_key_id": accounts.ALIBABA_ACCESS_KEY,
            "access_key_secret": accounts.ALIBABA_SECRET,
        }
        (tmp_path / ".aliyun").mkdir()
        (tmp_path / ".aliyun" / "config.json").write_text(json.dumps({"current": "work", "profiles": [profile]}))
        assert key_used(ALIBABA, cloud, tmp_path) == accounts.ALIBABA_ACCESS_KEY

    def test_credentials_file(self, cloud: LocalCloud, tmp_path: Path) -> None:
        file = tmp_path / "credentials.ini"
        file.write_text(
            "[default]\ntype = access_key\n"
            f"access_key_id = {accounts.ALIBABA_ACCESS_KEY}\naccess_key_secret = {accounts.ALIBABA_SECRET}\n"
        )
        with environment({"ALIBABA_CLOUD_CREDENTIALS_FILE": str(file)}):
            assert key_used(ALIBABA, cloud, tmp_path) == accounts.ALIBABA_ACCESS_KEY

    def test_nothing(self, cloud: LocalCloud, tmp_path: Path) -> None:
        with pytest.raises(CloudApiError, match="nothing is configured") as caught:
            key_used(ALIBABA, cloud, tmp_path)
        assert caught.value.kind is ErrorKind.DENIED
        assert "auth 'default'" in str(caught.value)

    def test_refusal_tells_no_secret(self, cloud: LocalCloud, tmp_path: Path) -> None:
        """An address that answers half a credential: the SDK's message holds the answer, ours does not."""
        uri = f"{cloud.url}/_localcloud/credentials"
        with (
            environment({"ALIBABA_CLOUD_CREDENTIALS_URI": uri}),
            pytest.raises(CloudApiError, match="credentials URI: error") as caught,
        ):
            key_used(ALIBABA, cloud, tmp_path)
        assert "result" not in str(caught.value)

    @pytest.mark.parametrize("place", ["CLI profile", "credentials file"])
    def test_a_host_that_is_away(self, place: str, cloud: LocalCloud, tmp_path: Path) -> None:
        """Whoever has such a file asks for it, so that no answer is an outage; the request's signature is not shown."""
        secret = {"access_key_id": accounts.ALIBABA_ACCESS_KEY, "access_key_secret": accounts.ALIBABA_SECRET}
        role = {**secret, "ram_role_arn": accounts.ALIBABA_ROLE_ARN, "ram_session_name": "tests"}
        (tmp_path / ".aliyun").mkdir()
        (tmp_path / ".alibabacloud").mkdir()
        if place == "CLI profile":
            profile = {"name": "work", "mode": "RamRoleArn", **role}
            (tmp_path / ".aliyun" / "config.json").write_text(json.dumps({"current": "work", "profiles": [profile]}))
        else:
            lines = {**secret, "type": "ram_role_arn", "role_arn": role["ram_role_arn"], "role_session_name": "tests"}
            text = "\n".join(f"{name} = {value}" for name, value in lines.items())
            (tmp_path / ".alibabacloud" / "credentials.ini").write_text(f"[default]\n{text}\n")
        with environment({"https_proxy": CLOSED}), pytest.raises(CloudApiError, match=place) as caught:
            key_used(ALIBABA, cloud, tmp_path)
        assert caught.value.kind is ErrorKind.TRANSIENT
        assert "Connection refused" in str(caught.value), "the cause stands at the end of a long text"
        assert "Signature" not in str(caught.value)

    def test_a_file_that_cannot_work(self, cloud: LocalCloud, tmp_path: Path) -> None:
        (tmp_path / ".aliyun").mkdir()
        (tmp_path / ".aliyun" / "config.json").write_text(json.dumps({"current": "work", "profiles": []}))
        with pytest.raises(CloudApiError, match="CLI profile") as caught:
            key_used(ALIBABA, cloud, tmp_path)
        assert caught.value.kind is ErrorKind.DENIED


class TestHuawei:
    @pytest.mark.parametrize("silent", [False, True])
    def test_a_host_that_is_away(self, silent: bool, cloud: LocalCloud, tmp_path: Path) -> None:
        """The profile file asks for it."""
        token = tmp_path / "token"
        write_token(cloud, token)
        file = tmp_path / "credentials"
        file.write_text(f"[basic]\nidp_id = {accounts.HUAWEI_IDP_ID}\nid_token_file = {token}\n")
        connection = HUAWEI.connection(cloud, tmp_path / "none")
        with (
            socket.create_server(("127.0.0.1", 0)) as listening,
            environment({"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(file)}),
        ):
            iam = f"http://127.0.0.1:{listening.getsockname()[1]}" if silent else CLOSED
            extra = {**connection["extra"], "endpoints": {"iam": iam}, "read_timeout": 0.3}
            client = HUAWEI.client({**connection, "extra": extra})
            with SyncCaller(client) as caller, pytest.raises(CloudApiError, match="profile file") as caught:
                caller.call(PROBES["huawei"])
        assert caught.value.kind is ErrorKind.TRANSIENT

    def test_environment(self, cloud: LocalCloud, control: Control, tmp_path: Path) -> None:
        issued = control.issue_credentials("huawei")
        found = {
            "HUAWEICLOUD_SDK_AK": issued["access_key"],
            "HUAWEICLOUD_SDK_SK": issued["secret"],
            "HUAWEICLOUD_SDK_SECURITY_TOKEN": issued["security_token"],
        }
        with environment(found):
            assert key_used(HUAWEI, cloud, tmp_path) == issued["access_key"]

    def test_profile_file(self, cloud: LocalCloud, tmp_path: Path) -> None:
        file = tmp_path / "credentials"
        file.write_text(f"[basic]\nak = {accounts.HUAWEI_ACCESS_KEY}\nsk = {accounts.HUAWEI_SECRET}\n")
        with environment({"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(file)}):
            assert key_used(HUAWEI, cloud, tmp_path) == accounts.HUAWEI_ACCESS_KEY

    def test_project_of_the_environment(self, cloud: LocalCloud, control: Control, tmp_path: Path) -> None:
        found = {
            "HUAWEICLOUD_SDK_AK": accounts.HUAWEI_ACCESS_KEY,
            "HUAWEICLOUD_SDK_SK": accounts.HUAWEI_SECRET,
            "HUAWEICLOUD_SDK_PROJECT_ID": accounts.project_id("cn-north-1"),
        }
        with environment(found):
            client = HUAWEI.client(HUAWEI.connection(cloud, tmp_path / "none"))
            with SyncCaller(client) as caller:
                caller.call(PROBES["huawei"])
        assert client.credential is not None
        assert client.credential.project_id == accounts.project_id("cn-north-1")
        assert "KeystoneListProjects" not in control.stats(0)["operations"]

    def test_an_sdk_that_is_too_old(self, cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for base in BasicCredentials.__mro__:
            if "_expired_at" in vars(base):
                monkeypatch.delattr(base, "_expired_at")
        with pytest.raises(CloudApiError, match=r"needs huaweicloudsdkcore 3\.1\.212 or newer: pip install --upgrade"):
            key_used(HUAWEI, cloud, tmp_path)

    def test_times_of_the_sdk(self, cloud: LocalCloud, tmp_path: Path) -> None:
        """The SDK reads UTC as local time; a zone with summer time must not move the end of a credential."""
        file = tmp_path / "token"
        write_token(cloud, file)
        found = {
            "HUAWEICLOUD_SDK_IDP_ID": accounts.HUAWEI_IDP_ID,
            "HUAWEICLOUD_SDK_ID_TOKEN_FILE": str(file),
            "TZ": "America/New_York",
        }
        with environment(found):
            client = HUAWEI.client(HUAWEI.connection(cloud, file))
            with SyncCaller(client) as caller:
                caller.call(PROBES["huawei"])
        assert client.credential is not None
        assert client.credential.expires is not None
        assert client.credential.expires - client.credential.obtained == pytest.approx(3600, abs=10)
