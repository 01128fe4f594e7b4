# SPDX-License-Identifier: Apache-2.0
"""One connection used in every way there is: blocking as on a worker, on an event loop as on a triggerer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_cloudjobs.alibaba.hook import AlibabaCloudHook
from airflow_cloudjobs.apis import spec_of
from airflow_cloudjobs.hook import CloudHook
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.outcome import JobResult
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.jobs.wait import Wait, WaitPlan

CONN_ID = "wired"
APIS = {"alibaba": "dms.file_upload", "huawei": "dli.sql_job"}
CLOUDS = tuple(APIS)

LIMIT = 15.0
"""Seconds in which everything here ends, however busy the machine is."""

Outcome = dict[str, Any] | CloudApiError


def hook_of(cloud: str, conn_id: str = CONN_ID) -> CloudHook:
    """The hook of the connection under test."""
    return AlibabaCloudHook(conn_id) if cloud == "alibaba" else HuaweiCloudHook(conn_id)


@dataclass(frozen=True)
class Way:
    """A way of using a connection.

    :param name: what it is called.
    :param call: makes one call.
    :param wait: waits for the end of a job.
    """

    name: str
    call: Callable[[CloudHook, ApiRequest], dict[str, Any]]
    wait: Callable[[CloudHook, Wait], None]

    def asks(self, cloud: str, conn_id: str = CONN_ID) -> Outcome:
        """What comes of one read-only call, tried once."""
        hook = hook_of(cloud, conn_id)
        request = next(iter(hook.probes().values()))
        try:
            return self.call(hook, request)
        except CloudApiError as error:
            return error

    def watches(self, cloud: str, key: str, seconds: float = 20.0) -> JobResult:
        """How the wait for a job ends."""
        now = time.time()
        plan = WaitPlan(started=now, interval=0.2, deadline=now + seconds)
        wait = Wait(spec_of(APIS[cloud]), [key], plan, random=random.random)
        self.wait(hook_of(cloud), wait)
        [end] = wait.results
        return end


def _watch(hook: CloudHook, wait: Wait) -> None:
    hook.wait(wait, {}, lambda note: None)


async def _acall(hook: CloudHook, request: ApiRequest) -> dict[str, Any]:
    # A test must end although the driver forgets its timeouts.
    async with asyncio.timeout(LIMIT):
        return await hook.acall(request)


def _awatch(hook: CloudHook, wait: Wait) -> None:
    asyncio.run(hook.wait_async(wait, {}, lambda note: None))


WAYS = {
    "blocking": Way("blocking", lambda hook, request: hook.call(request, patience=0.0), _watch),
    "asyncio": Way("asyncio", lambda hook, request: asyncio.run(_acall(hook, request)), _awatch),
}
