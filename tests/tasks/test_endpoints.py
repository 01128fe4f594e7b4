# SPDX-License-Identifier: Apache-2.0
"""Which host a task calls: it says so, a task may name another, and a wrong one is told with what changes it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from support.jobapis import APIS, DLI, DMS_UPLOAD, MODES, JobApi
from taskbench import FAILED, SUCCESS, first_event, rendered, run

from airflow_cloudjobs.connection.settings import ConnectionFields, InvalidConnection
from airflow_cloudjobs.exceptions import JobOutcomeUnknown, TaskRefused
from airflow_cloudjobs.huawei.settings import huawei_settings
from airflow_cloudjobs.localcloud import Control, LocalCloud

FAST = 0.05
#: A name that no resolver knows (RFC 6761).
NOWHERE = "nowhere.invalid"


def waiting(api: JobApi, mode: str, **arguments: Any) -> Any:
    """Makes a task that waits for the job ``k``."""
    kind, how = MODES[mode]
    make = api.operator if kind == "operator" else api.sensor
    fast = {"poll_interval": FAST} if kind == "operator" else {"poke_interval": FAST}
    return lambda: make(task_id="t", **api.waiting("k"), **fast, **how, **arguments)


@pytest.fixture
def elsewhere(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connections name a host that is not there; only a login knows its way."""
    for conn_id, login, made in (
        ("ALIBABACLOUD_DEFAULT", "sts", cloud.alibaba_connection()),
        ("HUAWEICLOUD_DEFAULT", "iam", cloud.huawei_connection()),
    ):
        made = {**made, "host": NOWHERE, "port": None, "schema": "http"}
        made["extra"] = {**made["extra"], "endpoints": {login: cloud.url}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", json.dumps(made))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("api", [api for api in APIS if api.adopts], ids=str)
@pytest.mark.usefixtures("elsewhere")
def test_a_tasks_own_endpoint(api: JobApi, mode: str, cloud: LocalCloud) -> None:
    cloud.control.create_job(api.api, "k")
    ran = run(waiting(api, mode, endpoint=cloud.url))
    assert (ran.state, ran.error) == (SUCCESS, None)


@pytest.fixture
def stranger() -> Iterator[LocalCloud]:
    """A server that no connection names."""
    with LocalCloud() as other:
        yield other


@pytest.mark.parametrize("mode", MODES)
def test_a_stranger_gets_no_token(
    mode: str, cloud: LocalCloud, stranger: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_HUAWEICLOUD_DEFAULT", json.dumps(cloud.huawei_connection("token")))
    cloud.control.create_job(DLI.api, "k")
    ran = run(waiting(DLI, mode, endpoint=stranger.url))
    assert (ran.state, type(ran.error)) == (FAILED, TaskRefused)
    told = (stranger.url, "'endpoint'", "'endpoints'", "'host'", "'huaweicloud_default'", "*.myhuaweicloud.com")
    assert [word for word in told if word not in str(ran.error)] == []
    assert stranger.control.stats()["requests"] == []
    assert cloud.control.stats()["requests"] == [], "no token is got for it either"


def test_a_triggers_row_decides_no_more_than_a_task(
    cloud: LocalCloud, stranger: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_HUAWEICLOUD_DEFAULT", json.dumps(cloud.huawei_connection("token")))
    cloud.control.create_job(DLI.api, "k", "forever")
    with pytest.raises(TaskDeferred) as deferred:
        rendered(waiting(DLI, "deferrable sensor"), {}).execute({})
    path, kwargs = deferred.value.trigger.serialize()
    event = asyncio.run(first_event(path, {**kwargs, "endpoint": stranger.url}))
    with pytest.raises(JobOutcomeUnknown, match="where the login's token must not go"):
        waiting(DLI, "deferrable sensor")().execute_complete({}, event)
    assert stranger.control.stats()["requests"] == []


@pytest.mark.parametrize("auth", ["aksk", "token"])
def test_where_a_token_may_go(auth: str) -> None:
    extra = {"region": "cn-north-4", "auth": auth, "domain": "d", "endpoints": {"iam": "iam.example.com:8443"}}
    made = ConnectionFields("c", "", "l", "p", host="gateway.example.com", extra=json.dumps(extra))
    settings = huawei_settings(made, None)
    named = ["dli.cn-north-4.myhuaweicloud.com", "dli-vpc.eu-west-101.myhuaweicloud.eu", "gateway.example.com"]
    for address in [*named, "https://gateway.example.com:443", "https://iam.example.com:8443"]:
        assert settings.at(address).endpoint("dli").endswith(address.removeprefix("https://"))
    foreign = ["dli.example.com", "iam.example.com", "http://dli.cn-north-4.myhuaweicloud.com", "127.0.0.1"]
    for address in [*foreign, "evilmyhuaweicloud.com", "myhuaweicloud.com.example.com", "http://gateway.example.com"]:
        if auth == "token":
            with pytest.raises(InvalidConnection, match="'endpoint'"):
                settings.at(address)
        else:
            assert settings.at(address).endpoint("dli").endswith(address), "a signature is good for no other host"


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "reschedule"])
def test_the_host_is_logged_once(mode: str, cloud: LocalCloud, control: Control) -> None:
    control.create_job(DLI.api, "k")
    ran = run(waiting(DLI, mode))
    assert ran.log.count(f"Calling {cloud.url}") == 1, ran.log


@pytest.mark.parametrize("mode", MODES)
def test_an_api_that_is_not_there(mode: str, cloud: LocalCloud, control: Control) -> None:
    """The gateway of Huawei Cloud answers so for a host of another region or service."""
    control.create_job(DLI.api, "k")
    control.fault("http", DLI.poll, status=404, code="APIGW.0101", message="The API does not exist")
    ran = run(waiting(DLI, mode))
    assert ran.state == FAILED
    host = f"{cloud.host}:{cloud.port}"
    told = ("APIGW.0101", host, "'region'", "'endpoints'", "'host'", "'huaweicloud_default'")
    assert [word for word in told if word not in str(ran.error)] == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.usefixtures("elsewhere")
def test_a_host_that_no_resolver_knows(mode: str) -> None:
    limit = {"wait_timeout": 0.3} if MODES[mode][0] == "operator" else {"timeout": 0.3}
    ran = run(waiting(DMS_UPLOAD, mode, **limit))
    told = (NOWHERE, "no such host", "'host' of connection 'alibabacloud_default'")
    assert [word for word in told if word not in str(ran.error)] == []
