# SPDX-License-Identifier: Apache-2.0
"""``test_connection`` and calls of both hooks, with good and with bad connections, against the local clouds."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_cloudjobs.alibaba.hook import AlibabaCloudHook
from airflow_cloudjobs.compat import AirflowNotFoundException
from airflow_cloudjobs.connection.settings import InvalidConnection
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.localcloud import LocalCloud, accounts

HOOKS: dict[str, Any] = {"alibaba": AlibabaCloudHook, "huawei": HuaweiCloudHook, "token": HuaweiCloudHook}
LIMIT = 10.0
"""Seconds; somebody waits for the answer in front of a page."""

Connect = Callable[[dict[str, Any]], str]


@pytest.fixture(params=HOOKS)
def which(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def connection(cloud: LocalCloud, which: str, **extra: Any) -> dict[str, Any]:
    if which == "alibaba":
        return cloud.alibaba_connection(**extra)
    return cloud.huawei_connection("token" if which == "token" else "aksk", **extra)


def outcome_of(which: str, conn_id: str) -> tuple[bool, str]:
    begun = time.monotonic()
    good, told = HOOKS[which](conn_id).test_connection()
    assert time.monotonic() - begun < LIMIT
    return good, told


class TestTestConnection:
    def test_a_good_one(self, cloud: LocalCloud, connect: Connect, which: str) -> None:
        good, told = outcome_of(which, connect(connection(cloud, which)))
        assert good, told
        for service in ("DMS", "ICE") if which == "alibaba" else ("DLI", "DRS"):
            assert f"{service}: works" in told

    def test_it_starts_and_ends_no_job(self, cloud: LocalCloud, connect: Connect, which: str) -> None:
        outcome_of(which, connect(connection(cloud, which)))
        stats = cloud.control.stats()
        assert stats["submits"] == stats["cancels"] == {}
        assert cloud.control.jobs() == []

    def test_a_wrong_secret(self, cloud: LocalCloud, connect: Connect, which: str) -> None:
        bad = connection(cloud, which) | {"password": "wr0ng-s3cret"}
        good, told = outcome_of(which, connect(bad))
        assert not good
        assert "password" in told
        assert "wr0ng-s3cret" not in told

    def test_a_wrong_password_is_tried_once(self, cloud: LocalCloud, connect: Connect) -> None:
        outcome_of("token", connect(connection(cloud, "token") | {"password": "wrong"}))
        calls = cloud.control.stats()["operations"]["KeystoneCreateUserTokenByPassword"]["calls"]
        assert calls == 1

    def test_a_login_that_fails_is_told_once(self, cloud: LocalCloud, connect: Connect) -> None:
        _, told = outcome_of("token", connect(connection(cloud, "token") | {"password": "wr0ng-s3cret"}))
        assert told.startswith("DLI, DRS: ")
        assert told.count("The username or password is wrong") == 1

    def test_a_clock_that_is_off(self, cloud: LocalCloud, connect: Connect, which: str) -> None:
        cloud.control.skew_clock(1200)
        good, told = outcome_of(which, connect(connection(cloud, which)))
        assert good, told
        if which != "token":  # a token needs no clock
            assert "clock" in told
            assert "1200 s" in told or "1199 s" in told or "1201 s" in told

    def test_one_service_that_refuses(self, cloud: LocalCloud, connect: Connect, which: str) -> None:
        service = "ice" if which == "alibaba" else "drs"
        cloud.control.fault("http", service, status=403, message="not yours")
        good, told = outcome_of(which, connect(connection(cloud, which)))
        assert good
        assert f"{service.upper()}: " in told
        assert "not yours" in told

    def test_nobody_there(self, connect: Connect, which: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        good, told = outcome_of(which, connect(connection(LocalCloud(port=port), which)))
        assert not good
        assert f"127.0.0.1:{port}" in told
        assert "host" in told

    def test_somebody_who_says_nothing(self, cloud: LocalCloud, connect: Connect) -> None:
        cloud.control.fault("hang", delay=30)
        good, told = outcome_of("token", connect(connection(cloud, "token")))
        assert not good
        assert "no answer" in told

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"login": ""}, "login"),
            ({"password": ""}, "password"),
            ({"host": "h/path"}, "host"),
            ({"extra": {"auth": "magic"}}, "auth"),
            ({"conn_type": "other"}, "conn_type"),
        ],
    )
    def test_one_that_cannot_work(
        self, cloud: LocalCloud, connect: Connect, which: str, change: dict[str, Any], word: str
    ) -> None:
        if word == "conn_type":
            change = {"conn_type": "huawei_cloudjobs" if which == "alibaba" else "alibaba_cloudjobs"}
        good, told = outcome_of(which, connect(connection(cloud, which) | change))
        assert not good
        assert repr(word) in told
        assert cloud.control.stats()["operations"] == {}

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_certificates_that_are_not_there(
        self, cloud: LocalCloud, connect: Connect, which: str, tmp_path: Path, content: str | None
    ) -> None:
        bundle = tmp_path / "ca.pem"
        if content is not None:
            bundle.write_text(content)
        bad = connection(cloud, which, ca_bundle=str(bundle)) | {"schema": "https"}
        good, told = outcome_of(which, connect(bad))
        assert not good
        assert "ca" in told.lower() or "certificate" in told.lower()
        assert str(bundle) in told

    def test_one_that_does_not_exist(self, which: str) -> None:
        good, told = outcome_of(which, "no_such_connection")
        assert not good
        assert "no_such_connection" in told


READS = {
    "alibaba": ApiRequest("dms-enterprise", "ListUserTenants", idempotent=True),
    "huawei": ApiRequest("dli", "ListQueues", "GET", "/v1.0/{project_id}/queues", idempotent=True),
}

PEERS: dict[str, dict[str, Any]] = {
    "alibaba": {
        "conn_type": "oss",
        "schema": "a-bucket",
        "extra": {
            "auth_type": "AK",
            "access_key_id": accounts.ALIBABA_ACCESS_KEY,
            "access_key_secret": accounts.ALIBABA_SECRET,
            "region": "cn-shanghai",
        },
    },
    "huawei": {
        "conn_type": "huaweicloud",
        "login": accounts.HUAWEI_ACCESS_KEY,
        "password": accounts.HUAWEI_SECRET,
        "extra": {"region": "cn-north-4", "project_id": accounts.project_id("cn-north-4"), "obs_bucket": "a-bucket"},
    },
}


@pytest.mark.parametrize("name", PEERS)
def test_a_connection_of_the_peers_provider_as_it_is(cloud: LocalCloud, connect: Connect, name: str) -> None:
    """Calls of both kinds are signed and accepted; the endpoint is the task's, since no field of theirs has one."""
    hook = HOOKS[name](connect(PEERS[name]), endpoint=cloud.url)
    assert isinstance(hook.call(READS[name]), dict)
    assert isinstance(asyncio.run(hook.acall(READS[name])), dict)
    assert cloud.control.stats()["operations"][READS[name].operation]["ok"] == 2


@pytest.mark.parametrize("name", READS)
class TestCalls:
    """Any operation of the cloud, blocking and on a loop."""

    def test_both_ways_give_the_same(self, cloud: LocalCloud, connect: Connect, name: str) -> None:
        hook = HOOKS[name](connect(connection(cloud, name)))

        def shown(answer: dict[str, Any]) -> dict[str, Any]:
            return {key: value for key, value in answer.items() if key.lower() not in ("requestid", "request_id")}

        assert shown(hook.call(READS[name])) == shown(asyncio.run(hook.acall(READS[name])))

    def test_trouble_that_passes_is_met_by_asking_again(self, cloud: LocalCloud, connect: Connect, name: str) -> None:
        cloud.control.fault("http", name, status=503, count=2)
        hook = HOOKS[name](connect(connection(cloud, name)))
        hook.call(READS[name])
        assert cloud.control.stats()["faults_struck"] == {"http": 2}

    def test_patience_ends(self, cloud: LocalCloud, connect: Connect, name: str) -> None:
        cloud.control.fault("http", name, status=503)
        with pytest.raises(CloudApiError) as caught:
            HOOKS[name](connect(connection(cloud, name))).call(READS[name], patience=0.0)
        assert caught.value.kind is ErrorKind.TRANSIENT

    def test_what_may_have_been_done_is_not_done_again(self, cloud: LocalCloud, connect: Connect, name: str) -> None:
        submit = (
            ApiRequest("dms-enterprise", "CreateUploadFileJob", query={"FileName": "a.txt", "FileSource": "big-file"})
            if name == "alibaba"
            else ApiRequest("dli", "CreateSqlJob", path="/v1.0/{project_id}/jobs/submit-job", body={"sql": "select 1"})
        )
        cloud.control.fault("reset", "submit")
        with pytest.raises(CloudApiError) as caught:
            HOOKS[name](connect(connection(cloud, name))).call(submit)
        assert caught.value.ambiguous
        assert cloud.control.stats()["operations"][submit.operation]["calls"] == 1

    def test_the_documents_of_a_missing_connection(self, name: str) -> None:
        with pytest.raises(AirflowNotFoundException, match="no_such_connection"):
            HOOKS[name]("no_such_connection").call(READS[name])

    def test_a_loop_tells_that_a_connection_cannot_be_read(self, name: str) -> None:
        with pytest.raises(CloudApiError, match="no_such_connection"):
            asyncio.run(HOOKS[name]("no_such_connection").acall(READS[name]))


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (TimeoutError(), ErrorKind.TRANSIENT),
        (RuntimeError("the database is restarting"), ErrorKind.TRANSIENT),
        (AirflowNotFoundException("no such connection"), ErrorKind.UNKNOWN),
        (InvalidConnection("c", "auth", "is 'x'"), ErrorKind.INVALID),
    ],
)
def test_a_connection_that_cannot_be_read_just_now_ends_no_wait(
    trouble: Exception, kind: ErrorKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(conn_id: str, hook: object) -> None:
        raise trouble

    monkeypatch.setattr("airflow_cloudjobs.connection.source.get_async_connection", unreadable)
    request = ApiRequest("dms-enterprise", "ListUserTenants", idempotent=True)
    with pytest.raises(CloudApiError) as raised:
        asyncio.run(AlibabaCloudHook("c").acall(request))
    assert raised.value.kind is kind
