# SPDX-License-Identifier: Apache-2.0
"""Which host a task calls: it says so, a task may name another, and a wrong one is told with what changes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.jobapis import APIS, DLI, DMS_UPLOAD, MODES, JobApi
from taskbench import FAILED, SUCCESS, run

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
    told = (NOWHERE, "'region'", "'endpoints'", "'host'")
    assert [word for word in told if word not in str(ran.error)] == []
