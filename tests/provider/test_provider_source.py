# SPDX-License-Identifier: Apache-2.0
"""A connection that changes while it is used, read by blocking code and on an event loop by one rule."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_cloudjobs.alibaba.hook import AlibabaCloudHook
from airflow_cloudjobs.connection import source
from airflow_cloudjobs.connection.settings import InvalidConnection
from airflow_cloudjobs.connection.source import ConnectionSource, ReadConnection
from airflow_cloudjobs.hook import CloudHook
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.localcloud import LocalCloud
from airflow_cloudjobs.polling.clients import shared_client

Connect = Callable[[dict[str, Any]], str]

READ = ApiRequest("dms-enterprise", "ListUserTenants", idempotent=True)


def _in_both_worlds(read_from: ConnectionSource, before: ReadConnection | None = None) -> list[ReadConnection]:
    return [read_from.read(before), asyncio.run(read_from.read_async(before))]


def test_what_has_not_changed_is_what_was_read_before(cloud: LocalCloud, connect: Connect) -> None:
    read_from = ConnectionSource(AlibabaCloudHook, connect(cloud.alibaba_connection()))
    before = read_from.read()
    assert all(read is before for read in _in_both_worlds(read_from, before))
    connect(cloud.alibaba_connection() | {"password": "another"})
    for read in _in_both_worlds(read_from, before):
        assert read.fields.password == "another"


def test_the_tasks_region_and_endpoint_win(cloud: LocalCloud, connect: Connect) -> None:
    conn_id = connect(cloud.alibaba_connection())
    for read in _in_both_worlds(ConnectionSource(AlibabaCloudHook, conn_id, "cn-beijing", "dms.example.com")):
        assert read.settings.region == "cn-beijing"
        assert read.settings.endpoint("dms-enterprise") == "https://dms.example.com"


@pytest.mark.parametrize(
    "other",
    [
        ConnectionSource(HuaweiCloudHook, "c"),
        ConnectionSource(AlibabaCloudHook, "d"),
        ConnectionSource(AlibabaCloudHook, "c", "cn-beijing"),
        ConnectionSource(AlibabaCloudHook, "c", None, "dms.example.com"),
    ],
)
def test_only_those_who_use_a_connection_alike_share_a_client(other: ConnectionSource) -> None:
    async def work() -> None:
        mine, alike = (ConnectionSource(AlibabaCloudHook, "c") for _ in range(2))
        async with shared_client(mine) as first, shared_client(alike) as second, shared_client(other) as third:
            assert first is second
            assert first is not third

    asyncio.run(work())


def test_a_connection_without_a_check_of_certificates_is_warned_of_once(
    cloud: LocalCloud, connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(source, "_warned", set())
    read_from = ConnectionSource(AlibabaCloudHook, connect(cloud.alibaba_connection(verify=False)))
    with caplog.at_level(logging.WARNING):
        _in_both_worlds(read_from)
    assert [record for record in caplog.records if "'verify' off" in record.getMessage()] == caplog.records[:1]


@pytest.mark.parametrize("hook", [AlibabaCloudHook, HuaweiCloudHook])
def test_a_scheme_that_is_none_is_told(hook: type[CloudHook], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MINE", f"{hook.conn_type}://AK:SK@/?region=cn-north-4")
    with pytest.raises(InvalidConnection, match=rf"'mine': field 'conn_type' .*{hook.conn_type.replace('_', '-')}://"):
        ConnectionSource(hook, "mine").read()


def test_a_field_that_nobody_reads_is_warned_of_once(
    cloud: LocalCloud, connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(source, "_warned", set())
    read_from = ConnectionSource(AlibabaCloudHook, connect(cloud.alibaba_connection(regoin="cn-beijing")))
    with caplog.at_level(logging.WARNING):
        _in_both_worlds(read_from)
    (told,) = [record.getMessage() for record in caplog.records]
    assert "'regoin'" in told
    assert "'region'" in told


def _call(hook: CloudHook) -> None:
    hook.call(READ, patience=0.0)


async def _acall(hook: CloudHook, between: Callable[[], None]) -> None:
    async with shared_client(ConnectionSource(type(hook), "tested")):  # which keeps it open between the calls
        await hook.acall(READ)
        await asyncio.to_thread(between)
        await hook.acall(READ)


@pytest.mark.parametrize("world", ["blocking", "asyncio"])
@pytest.mark.parametrize("now", ["whole", "unreadable", "without its file"])
def test_a_refused_key_has_the_connection_read_again(
    now: str,
    world: str,
    cloud: LocalCloud,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """Where that gives nothing that could work, what was read before stays, so the refusal is what is told."""
    old, new = cloud.control.issue_credentials("alibaba"), cloud.control.issue_credentials("alibaba")

    def keep(key: dict[str, Any], **extra: Any) -> None:
        whole = cloud.alibaba_connection(auth="sts", security_token=key["security_token"], **extra)
        connect(whole | {"login": key["access_key"], "password": key["secret"]})

    def rotate() -> None:
        cloud.control.disable_key(old["access_key"])
        if now == "whole":
            keep(new)
        elif now == "unreadable":
            keep(new, read_timeout="soon")
        else:
            keep(new, ca_bundle=str(tmp_path / "absent.pem"))

    keep(old)
    hook = AlibabaCloudHook("tested")

    def use() -> None:
        if world == "asyncio":
            asyncio.run(_acall(hook, rotate))
        else:
            _call(hook)
            rotate()
            _call(hook)

    with caplog.at_level(logging.WARNING):
        if now == "whole":
            use()
        else:
            with pytest.raises(CloudApiError) as caught:
                use()
            assert caught.value.kind is ErrorKind.DENIED
    kept = [record.getMessage() for record in caplog.records if "could not be read again" in record.getMessage()]
    assert len(kept) == (now != "whole")
    assert all("'tested'" in text and ("read_timeout" in text or "ca_bundle" in text) for text in kept)


def test_a_connection_that_never_worked_says_so(cloud: LocalCloud, connect: Connect, tmp_path: Path) -> None:
    hook = AlibabaCloudHook(connect(cloud.alibaba_connection(ca_bundle=str(tmp_path / "absent.pem"))))
    with pytest.raises(InvalidConnection, match="ca_bundle"):
        hook.call(READ)
    with pytest.raises(CloudApiError, match="ca_bundle") as caught:
        asyncio.run(hook.acall(READ))
    assert caught.value.kind is ErrorKind.INVALID
