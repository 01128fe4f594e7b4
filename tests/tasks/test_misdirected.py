# SPDX-License-Identifier: Apache-2.0
"""A connection whose host is wrong, and a cloud that is away: the first ends a wait, the second does not."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.clients import PROJECT
from support.jobapis import DLI, DMS_UPLOAD, MODES
from taskbench import FAILED, RETRY, SUCCESS, Ran, run

from airflow_cloudjobs.exceptions import JobOutcomeUnknown, JobTimedOut, SubmitFailed
from airflow_cloudjobs.jobs import wait
from airflow_cloudjobs.localcloud import Control, LocalCloud

FAST = 0.05
GRACE = 2.0
SENSORS = [mode for mode, (kind, _) in MODES.items() if kind == "sensor"]
Connect = Callable[[str], None]

#: What no waiting mends: the host as the connection names it, what is told, what makes the host.
MISTAKES = {
    "no such host": ("http://nowhere.invalid", "no such host"),
    "TLS to a plain port": ("https://{cloud}", "TLS failed"),
}


@pytest.fixture
def connect(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Changes the host of the connection to Huawei Cloud; with a project its login needs none."""

    def change(address: str) -> None:
        made = {**cloud.huawei_connection(), "host": address.format(cloud=f"{cloud.host}:{cloud.port}"), "port": None}
        made["extra"] = {**made["extra"], "project_id": PROJECT}
        monkeypatch.setenv("AIRFLOW_CONN_HUAWEICLOUD_DEFAULT", json.dumps(made))

    return change


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes are seconds here."""
    monkeypatch.setattr(wait, "MISDIRECTED_GRACE", GRACE)


def sensed(mode: str, **more: Any) -> Ran:
    arguments = {"timeout": 60, "poke_interval": FAST, **MODES[mode][1], **more}
    return run(lambda: DLI.sensor(task_id="t", job_id="k", **arguments))


@pytest.mark.parametrize("mode", SENSORS)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_a_wait_that_never_had_an_answer(mistake: str, mode: str, connect: Connect) -> None:
    address, code = MISTAKES[mistake]
    connect(address)
    begun = time.monotonic()
    ran = sensed(mode)
    assert (type(ran.error), ran.state) == (JobOutcomeUnknown, FAILED)
    assert GRACE <= time.monotonic() - begun < 50
    told = (
        code,
        "the cloud cannot be asked",
        "'host' of connection 'huaweicloud_default'",
        "(`cloudjobs check huaweicloud_default`)",
    )
    assert [words for words in told if words not in str(ran.error)] == []
    assert "will ask again for" in ran.log


@pytest.mark.parametrize("mode", SENSORS)
def test_a_port_that_is_closed_may_open_again(mode: str, connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    connect(f"http://127.0.0.1:{port}")
    ran = sensed(mode, timeout=2 * GRACE)
    assert (type(ran.error), ran.state) == (JobTimedOut, FAILED)
    assert "refuses the connection" in str(ran.error)


@pytest.mark.parametrize("mode", SENSORS)
def test_in_the_middle_of_a_wait_it_is_an_outage(
    mode: str, control: Control, monkeypatch: pytest.MonkeyPatch, cloud: LocalCloud
) -> None:
    """The name is gone for longer than a wait without an answer would bear it; then the job ends well."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_HUAWEICLOUD_DEFAULT",
        json.dumps({**cloud.huawei_connection(), "host": "localhost", "port": cloud.port}),
    )
    control.create_job(DLI.api, "k", seconds=2)
    look_up, gone, missed = socket.getaddrinfo, threading.Event(), list[float]()

    def resolve(host: Any, *args: Any, **options: Any) -> Any:
        if gone.is_set() and host in ("localhost", b"localhost"):
            missed.append(time.monotonic())
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    def accident() -> None:
        while not control.stats()["operations"].get(DLI.poll, {}).get("ok"):
            time.sleep(0.02)
        gone.set()
        control.fault("reset", DLI.poll, count=1)  # a kept connection needs no name
        until = time.monotonic() + 50
        while time.monotonic() < until and not (missed and missed[-1] - missed[0] > GRACE):
            time.sleep(0.05)
        gone.clear()

    helper = threading.Thread(target=accident)
    helper.start()
    ran = sensed(mode)
    helper.join()
    assert (ran.state, ran.error) == (SUCCESS, None), ran.log
    assert missed[-1] - missed[0] > GRACE


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_submit_ends_soon(mistake: str, mode: str, connect: Connect) -> None:
    address, code = MISTAKES[mistake]
    connect(address)
    begun = time.monotonic()
    ran = run(lambda: DLI.operator(task_id="t", **DLI.new, poll_interval=FAST, **MODES[mode][1]))
    assert (type(ran.error), ran.state) == (SubmitFailed, RETRY)
    assert time.monotonic() - begun < 40
    told = (code, "'host' of connection 'huaweicloud_default'", "(`cloudjobs check huaweicloud_default`)")
    assert [words for words in told if words not in str(ran.error)] == []


def test_a_submit_ends_with_the_time_of_its_task(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    connect(f"http://127.0.0.1:{port}")
    begun = time.monotonic()
    ran = run(lambda: DLI.operator(task_id="t", **DLI.new, poll_interval=FAST, wait_timeout=3))
    assert (type(ran.error), ran.state) == (SubmitFailed, RETRY)
    assert time.monotonic() - begun < 20, "it had a minute without wait_timeout"
    assert "refuses the connection" in str(ran.error)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"region": "cn-hangzhou"}, "argument 'region' is 'cn-hangzhou', a region of Alibaba Cloud"),
        ({"region": "cn-north-4_mine"}, "argument 'region' is 'cn-north-4_mine', which names a project"),
        ({"region": "CN North"}, "argument 'region' is 'CN North'; region ids look like"),
        ({"endpoint": "http://h/v1.0"}, "argument 'endpoint' has a path (/v1.0); give only the host"),
        ({"endpoint": "user@h"}, "argument 'endpoint' must be a host"),
    ],
)
def test_a_tasks_own_place_is_an_argument(place: dict[str, str], told: str) -> None:
    """Told when the DAG is parsed where it is known then, and before anything is sent where a template makes it."""
    with pytest.raises(ValueError, match="DliSqlJobSensor 't'") as caught:
        DLI.sensor(task_id="t", job_id="k", **place)
    assert told in str(caught.value)
    [(name, value)] = place.items()
    ran = run(lambda: DLI.sensor(task_id="t", job_id="k", **{name: "{{ place }}"}), place=value)
    assert ran.state == FAILED
    for words in (told, "Next: correct that argument"):
        assert words in str(ran.error)
    assert "connection" not in str(ran.error).replace("of the connection", "")


def test_what_is_misdirected_is_told_of_the_argument(cloud: LocalCloud) -> None:
    ran = run(lambda: DMS_UPLOAD.sensor(task_id="t", job_key="k", endpoint="nowhere.invalid", timeout=0.5))
    assert "correct the argument 'endpoint'" in str(ran.error)
