# SPDX-License-Identifier: Apache-2.0
"""Sessions: one for all users of a transport on a loop, closed with the last of them, nothing left open."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
from support.clients import alibaba
from transport_driving import dms_poll

from airflow_cloudjobs.localcloud import LocalCloud
from airflow_cloudjobs.transport.aio import AsyncCaller, session_for
from airflow_cloudjobs.transport.config import TransportConfig
from airflow_cloudjobs.transport.shared import Shared
from airflow_cloudjobs.transport.sync import SyncCaller


class TestShared:
    """The counting, with plain values."""

    def test_users_of_a_key_share_and_the_last_one_closes(self) -> None:
        made: list[str] = []
        closed: list[str] = []

        async def close(value: str) -> None:
            closed.append(value)

        async def make() -> str:
            await asyncio.sleep(0)
            made.append("x")
            return f"value {len(made)}"

        async def main() -> None:
            shared: Shared[str, str] = Shared(close)

            async def use(seconds: float) -> str:
                async with shared.use("k", make) as value:
                    await asyncio.sleep(seconds)
                    assert closed == []
                    return value

            assert set(await asyncio.gather(*(use(n / 1000) for n in range(20)))) == {"value 1"}
            assert closed == ["value 1"]
            async with shared.use("k", make) as again:
                assert again == "value 2"
            assert closed == ["value 1", "value 2"]

        asyncio.run(main())

    def test_who_gives_up_while_it_is_made_does_not_stop_it_for_others(self) -> None:
        closed: list[str] = []
        making, go = asyncio.Event(), asyncio.Event()

        async def close(value: str) -> None:
            closed.append(value)

        async def make() -> str:
            making.set()
            await go.wait()
            return "value"

        async def main() -> None:
            shared: Shared[str, str] = Shared(close)

            async def use() -> str:
                async with shared.use("k", make) as value:
                    return value

            impatient, patient = asyncio.ensure_future(use()), asyncio.ensure_future(use())
            await making.wait()
            impatient.cancel()
            await asyncio.sleep(0)
            go.set()
            assert await patient == "value"
            with pytest.raises(asyncio.CancelledError):
                await impatient
            assert closed == ["value"]

        asyncio.run(main())

    def test_if_all_give_up_while_it_is_made_it_is_closed_all_the_same(self) -> None:
        closed: asyncio.Queue[str] = asyncio.Queue()
        making, go = asyncio.Event(), asyncio.Event()

        async def close(value: str) -> None:
            closed.put_nowait(value)

        async def make() -> str:
            making.set()
            await go.wait()
            return "value"

        async def main() -> None:
            shared: Shared[str, str] = Shared(close)

            async def use() -> None:
                async with shared.use("k", make):
                    await asyncio.sleep(10)

            users = [asyncio.ensure_future(use()) for _ in range(3)]
            await making.wait()
            for user in users:
                user.cancel()
            await asyncio.sleep(0)
            go.set()
            await asyncio.gather(*users, return_exceptions=True)
            assert await asyncio.wait_for(closed.get(), 10) == "value"
            assert closed.empty()

        asyncio.run(main())

    def test_a_failure_to_make_it_is_told_to_all_and_tried_again_by_the_next(self) -> None:
        attempts: list[int] = []

        async def close(value: str) -> None:
            raise AssertionError("nothing was made")

        async def make() -> str:
            attempts.append(1)
            await asyncio.sleep(0.01)
            raise OSError("no such file")

        async def main() -> None:
            shared: Shared[str, str] = Shared(close)

            async def use() -> None:
                async with shared.use("k", make):
                    pass

            told = await asyncio.gather(*(use() for _ in range(3)), return_exceptions=True)
            assert [str(each) for each in told] == ["no such file"] * 3
            assert len(attempts) == 1
            with pytest.raises(OSError, match="no such file"):
                await use()
            assert len(attempts) == 2

        asyncio.run(main())


def test_one_session_for_each_wire() -> None:
    async def main() -> None:
        one, other = TransportConfig(), TransportConfig(read_timeout=5)
        async with session_for(one) as a, session_for(replace(one)) as b, session_for(other) as c:
            assert a is b
            assert a is not c
        assert a.closed
        assert c.closed
        async with session_for(one) as again:
            assert again is not a

    asyncio.run(main())


def test_loops_do_not_share() -> None:
    async def main() -> object:
        async with session_for(TransportConfig()) as session:
            return session

    assert asyncio.run(main()) is not asyncio.run(main())


def test_a_hundred_waits_use_few_connections(cloud: LocalCloud) -> None:
    key = cloud.control.create_job("dms.file_upload", end="forever")["key"]
    client = alibaba(cloud)

    async def poll() -> None:
        async with session_for(client.transport) as session:
            caller = AsyncCaller(client, session)
            for _ in range(5):
                await caller.call(dms_poll(key))

    async def main() -> None:
        async with session_for(client.transport):  # somebody waits all the time
            for _ in range(20):
                await asyncio.gather(*(poll() for _ in range(5)))

    asyncio.run(main())
    stats = cloud.control.stats()
    assert stats["operations"]["GetUserUploadFileJob"]["ok"] == 500
    assert stats["connections"]["total"] <= 10


def test_the_blocking_driver_keeps_one_connection(cloud: LocalCloud) -> None:
    key = cloud.control.create_job("dms.file_upload", end="forever")["key"]
    with SyncCaller(alibaba(cloud)) as caller:
        for _ in range(20):
            caller.call(dms_poll(key))
    assert cloud.control.stats()["connections"]["total"] == 1


LEAKS = """
    import asyncio, gc, json, os, random, sys, time

    from airflow_cloudjobs.alibaba.hook import AlibabaCloudHook
    from airflow_cloudjobs.apis import spec_of
    from airflow_cloudjobs.jobs.request import ApiRequest
    from airflow_cloudjobs.jobs.wait import Wait, WaitPlan

    spec = spec_of("dms.file_upload")
    keys = json.loads(sys.argv[1])
    request = ApiRequest("dms-enterprise", "GetUserUploadFileJob", query={"JobKey": keys[0]}, idempotent=True)

    def a_wait(key):
        return Wait(spec, [key], WaitPlan(time.time(), 0.05), random=random.random)

    async def main():
        hook = AlibabaCloudHook("c")
        waits = [asyncio.ensure_future(AlibabaCloudHook("c").wait_async(a_wait(key), {}, print)) for key in keys]
        polls = 0
        while polls < 300:
            await asyncio.gather(*(hook.acall(request) for _ in range(20)))
            polls += 20
        for number, wait in enumerate(waits):
            wait.cancel()
            if number % 10 == 0:
                await asyncio.sleep(0.01)
        outcomes = await asyncio.gather(*waits, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes), outcomes
        left = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        if left:
            await asyncio.wait(left, timeout=10)
        left = [t for t in left if not t.done()]
        assert left == [], left

    asyncio.run(main())
    hook = AlibabaCloudHook("c")
    hook.call(request)
    del hook
    gc.collect()
    print("done")
"""


def test_nothing_is_left_open_by_polls_and_cancelled_waits(cloud: LocalCloud) -> None:
    """In a process of its own, where a leak is an error that is written to its standard error."""
    keys = [cloud.control.create_job("dms.file_upload", end="forever")["key"] for _ in range(50)]
    script = textwrap.dedent(LEAKS)
    run = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", script, json.dumps(keys)],
        env={
            **os.environ,
            "AIRFLOW_CONN_C": json.dumps(cloud.alibaba_connection()),
            "_AIRFLOW_PROCESS_CONTEXT": "client",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.rstrip().endswith("done")
    for word in ("Unclosed", "ResourceWarning", "never awaited", "destroyed but it is pending", "never retrieved"):
        assert word not in run.stderr, run.stderr
    assert cloud.control.stats()["connections"]["open"] == 0
