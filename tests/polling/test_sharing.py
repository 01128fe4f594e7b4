# SPDX-License-Identifier: Apache-2.0
"""All waits of a process together, over HTTP: what is shared, what never mixes, what is left when all have gone."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from polling_driving import cancelled, ending, new_wait, run, silent
from polling_limited import LimitedCloud
from polling_virtual import run_virtually, virtual_clock, virtual_loop

from airflow_cloudjobs.apis import hook_class_of, spec_of
from airflow_cloudjobs.compat import get_async_connection
from airflow_cloudjobs.connection import source
from airflow_cloudjobs.hook import CloudHook
from airflow_cloudjobs.jobs.outcome import Outcome
from airflow_cloudjobs.jobs.wait import Wait
from airflow_cloudjobs.localcloud import Control, LocalCloud
from airflow_cloudjobs.polling import clients
from airflow_cloudjobs.polling.clients import IN_FLIGHT

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def running_cloud() -> Iterator[LocalCloud]:
    with LocalCloud(job_seconds=3600) as cloud:
        yield cloud


@pytest.fixture
def control(running_cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Control:
    running_cloud.control.reset()
    _connect(monkeypatch, "alibabacloud_default", running_cloud.alibaba_connection())
    _connect(monkeypatch, "alibaba_second", running_cloud.alibaba_connection())
    _connect(monkeypatch, "huaweicloud_default", running_cloud.huawei_connection())
    return running_cloud.control


Connect = Callable[[dict[str, Any]], None]


@pytest.fixture
def connect_virtually(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Makes a connection Alibaba Cloud's default one, for waits on the clock of a virtual loop."""
    monkeypatch.setattr(clients, "Clock", virtual_clock)
    return lambda connection: _connect(monkeypatch, "alibabacloud_default", connection)


def _connect(monkeypatch: pytest.MonkeyPatch, conn_id: str, connection: dict[str, Any]) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))


def _hook(api: str, conn_id: str | None = None, region: str | None = None) -> CloudHook:
    hook_class = hook_class_of(spec_of(api).cloud)
    return hook_class(conn_id or hook_class.default_conn_name, region, None)


def _watch(
    wait: Wait, *, conn_id: str | None = None, region: str | None = None, scope: dict[str, Any] | None = None
) -> asyncio.Task[None]:
    """A trigger's wait, with a hook of its own as triggers have it."""
    hook = _hook(wait.spec.api, conn_id, region)
    return asyncio.create_task(hook.wait_async(wait, scope or {}, silent))


def _polls(control: Control, operation: str) -> list[tuple[str, ...]]:
    requests = control.stats(tail=10_000)["requests"]
    return [tuple(request["keys"]) for request in requests if request["operation"] == operation]


def test_a_thousand_media_uploads_cost_a_tenth_of_a_call_each_interval(connect_virtually: Connect) -> None:
    async def work() -> None:
        interval = 2.0
        async with LimitedCloud() as cloud:
            connect_virtually(cloud.alibaba_connection())
            waits = [new_wait(f"job-{n}", interval=interval, api="ice.url_upload") for n in range(1000)]
            tasks = [_watch(wait) for wait in waits]
            await asyncio.sleep(1.5 * interval)
            cloud.taken.clear()
            cloud.keys.clear()
            began = virtual_loop().time()
            await asyncio.sleep(2 * interval)
            intervals = (virtual_loop().time() - began) / interval
            calls, asked = len(cloud.taken), len(cloud.keys)
            await cancelled(*tasks)
            assert not [wait for wait in waits if wait.over]
            assert calls / 1000 / intervals <= 0.12
            assert asked == 1000, "and nobody is forgotten"

    run_virtually(work())


def test_waits_of_a_job_from_many_tasks_are_one_poll(control: Control) -> None:
    key = control.create_job("dms.file_upload", end="forever")["key"]

    async def work() -> None:
        waits = [new_wait(key, interval=0.2) for _ in range(50)]
        tasks = [_watch(wait) for wait in waits]
        await asyncio.sleep(1.0)
        polls = len(await asyncio.to_thread(_polls, control, "GetUserUploadFileJob"))
        assert polls <= 12
        await asyncio.to_thread(control.set_status, "dms.file_upload", key, "SUCCESS")
        await asyncio.gather(*tasks)
        assert {ending(wait) for wait in waits} == {Outcome.SUCCEEDED}

    run(work())


def test_different_connections_and_regions_never_share_a_call(control: Control) -> None:
    places: list[tuple[str, str | None]] = [
        ("alibabacloud_default", None),
        ("alibabacloud_default", "cn-beijing"),
        ("alibaba_second", None),
    ]
    keys = {place: [control.create_job("ice.url_upload", end="forever")["key"] for _ in range(8)] for place in places}

    async def work() -> None:
        tasks = [
            _watch(new_wait(key, interval=0.15, api="ice.url_upload"), conn_id=place[0], region=place[1])
            for place in places
            for key in keys[place]
        ]
        calls: list[list[str]] = []
        while not any(len(call) > 1 for call in calls):  # ends by the limit of the run
            await asyncio.sleep(0.1)
            calls = await asyncio.to_thread(_polls, control, "GetUrlUploadInfos")
        await cancelled(*tasks)
        for call in calls:
            assert sum(bool(set(call) & set(mine)) for mine in keys.values()) == 1

    run(work())


def test_different_scopes_never_share_a_call(control: Control) -> None:
    """One key under two tickets is asked for twice, with the ticket of each."""
    fields = {"OrderId": 11}
    key = control.create_job("dms.data_track_export", end="forever", fields=fields)["key"]

    async def work() -> None:
        mine, foreign = (new_wait(key, interval=0.1, api="dms.data_track_export") for _ in range(2))
        tasks = [_watch(mine, scope={"order_id": "11"}), _watch(foreign, scope={"order_id": "12"})]
        await asyncio.sleep(1.0)
        await asyncio.to_thread(control.set_status, "dms.data_track_export", key, "DOWNLOAD_SUCCESS")
        done, _ = await asyncio.wait(tasks, timeout=5)
        assert tasks[0] in done
        assert ending(mine) is Outcome.SUCCEEDED
        assert foreign.results == [] or ending(foreign) is Outcome.ERROR
        await cancelled(*tasks)

    run(work())


def test_an_api_whose_calls_hang_does_not_hold_up_another_on_the_same_connection(control: Control) -> None:
    stuck = [control.create_job("dms.file_upload", end="forever")["key"] for _ in range(60)]
    well = control.create_job("ice.url_upload", seconds=0.5)["key"]
    control.fault("hang", "dms.file_upload", delay=15.0)

    async def work() -> None:
        tasks = [_watch(new_wait(key, interval=0.05)) for key in stuck]
        await asyncio.sleep(0.5)
        wait = new_wait(well, interval=0.1, api="ice.url_upload")
        await asyncio.wait_for(_watch(wait), 8)
        assert ending(wait) is Outcome.SUCCEEDED
        await cancelled(*tasks)

    run(work())
    control.reset()


def test_a_connection_that_takes_long_to_be_read_again_holds_up_no_poll(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = control.create_job("dms.file_upload", end="forever")["key"]
    reads: list[float] = []

    async def slow(*asked: Any) -> Any:
        reads.append(time.monotonic())
        if len(reads) > 1:
            await asyncio.sleep(600)
        return await get_async_connection(*asked)

    monkeypatch.setattr(source, "get_async_connection", slow)
    monkeypatch.setattr(clients, "CONNECTION_LIFE", 0.2)

    async def work() -> None:
        task = _watch(new_wait(key, interval=0.05))
        await asyncio.sleep(1.5)
        await cancelled(task)
        await no_task_of("SharedClient._read_again")

    run(work())
    assert len(reads) == 2
    assert control.stats()["operations"]["GetUserUploadFileJob"]["calls"] >= 10


async def no_task_of(name: str) -> None:
    """Fail unless what was cancelled is soon gone: how many turns of the loop that takes is aiohttp's affair."""
    async with asyncio.timeout(5):
        while any(name in repr(task) for task in asyncio.all_tasks()):
            await asyncio.sleep(0.01)


def test_everything_is_closed_when_the_last_wait_leaves_and_opened_again_for_the_next(control: Control) -> None:
    key = control.create_job("dms.file_upload", end="forever")["key"]

    async def work() -> None:
        for _ in range(3):
            tasks = [_watch(new_wait(key, interval=0.05)) for _ in range(3)]
            await asyncio.sleep(0.3)
            await cancelled(*tasks)
            await no_task_of("Poller")
            stats = await asyncio.to_thread(control.stats)
            assert stats["connections"]["open"] <= 1, "the one of the question itself"

    run(work())


def test_a_restart_with_500_waits_against_20_requests_a_second(connect_virtually: Connect) -> None:
    """No wait fails, and the refusals stop within three intervals."""
    interval = 2.5

    async def work() -> None:
        async with LimitedCloud(rate=20, burst=20) as cloud:
            connect_virtually(cloud.alibaba_connection())
            waits = [new_wait(f"job-{number}", interval=interval) for number in range(500)]
            tasks = [_watch(wait) for wait in waits]
            began = virtual_loop().time()
            await asyncio.sleep(4.5 * interval)
            late = [moment for moment in cloud.refused if moment - began > 3 * interval]
            taken = [moment for moment in cloud.taken if moment - began > 2 * interval]
            assert not [wait for wait in waits if wait.over]
            assert cloud.refused, "the quota was felt"
            assert len(late) <= 3, "refusals have stopped but for a probe"
            assert len(taken) >= 0.5 * 20 * 2.5 * interval, "and the quota is used"
            await cancelled(*tasks)

    run_virtually(work(), limit=60)


def test_a_restart_of_waits_with_scopes_of_their_own_is_held_to_the_same_pace(
    connect_virtually: Connect,
) -> None:
    """Each ticket's export is a scope; all of them count against one quota."""
    interval = 1.5

    async def work() -> None:
        async with LimitedCloud(rate=20, burst=20) as cloud:
            connect_virtually(cloud.alibaba_connection())
            waits = [new_wait(f"key-{n}", interval=interval, api="dms.data_track_export") for n in range(200)]
            tasks = [_watch(wait, scope={"order_id": str(n)}) for n, wait in enumerate(waits)]
            began = virtual_loop().time()
            await asyncio.sleep(3.5 * interval)
            late = [moment for moment in cloud.refused if moment - began > 2 * interval]
            assert not [wait for wait in waits if wait.over]
            assert len(cloud.refused) <= 150
            assert len(late) <= 5
            await cancelled(*tasks)

    run_virtually(work(), limit=60)


def test_ten_thousand_polls_and_a_thousand_cancelled_waits_leave_nothing(running_cloud: LocalCloud) -> None:
    """In a process of its own, in Python's development mode, with warnings about what was left as errors."""
    running_cloud.control.reset()
    keys = [running_cloud.control.create_job("ice.url_upload", end="forever")["key"] for _ in range(200)]
    single = [running_cloud.control.create_job("dms.file_upload", end="forever")["key"] for _ in range(5)]
    connection = running_cloud.alibaba_connection()
    told = {"keys": keys, "single": single, "polls": 10_000, "cancelled": 1_000}
    done = subprocess.run(
        [sys.executable, "-X", "dev", str(HERE / "polling_leaks.py")],
        input=json.dumps(told),
        env={**os.environ, "AIRFLOW_CONN_ALIBABACLOUD_DEFAULT": json.dumps(connection)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("Unclosed", "never awaited", "ResourceWarning", "never retrieved", "destroyed but", "Traceback"):
        assert word not in done.stdout + done.stderr, done.stdout + done.stderr
    seen = json.loads(next(line for line in done.stdout.splitlines() if line.startswith('{"polls"')))
    assert seen["polls"] >= 10_000
    assert seen["cancelled"] >= 1_000
    assert seen["fds_after"] <= seen["fds_before"]
    assert seen["fds_most"] <= seen["fds_before"] + 2 * IN_FLIGHT, "a socket for each call in flight, and no more"
    assert seen["threads_most"] <= seen["threads_before"] + (os.cpu_count() or 1) + 4, "asyncio's own pool at most"
    assert seen["tasks_after"] == 1
