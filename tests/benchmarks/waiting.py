# SPDX-License-Identifier: Apache-2.0
"""Waits as a triggerer has them: one task a trigger, on one event loop."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import measure  # noqa: F401 - before Airflow
from server import Cloud

from airflow_cloudjobs.apis import hook_class_of, spec_of
from airflow_cloudjobs.trigger import CloudJobTrigger

LONG_AGO = 24 * 3600.0
"""Seconds that a wait has gone on, so that its pauses are the interval."""


def connect(cloud: Cloud) -> None:
    """Make the server both clouds' default connection."""
    for vendor in ("alibaba", "huawei"):
        conn_id = hook_class_of(vendor).default_conn_name
        os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(cloud.connection(vendor))


Go = Callable[[int], Coroutine[Any, Any, None]]
"""What the task of a number does, for ever."""


def waits(api: str, interval: float, jobs: int | None = None) -> Go:
    """This project's triggers, each waiting for a job that never ends.

    :param interval: seconds between two polls of a job, at most.
    :param jobs: how many different ones; None gives each task its own.
    """
    conn_id = hook_class_of(spec_of(api).cloud).default_conn_name

    async def wait(number: int) -> None:
        plan = {"started": time.time() - LONG_AGO, "interval": interval}
        key = f"job-{number % jobs if jobs else number}"
        trigger = CloudJobTrigger(api=api, keys=[key], conn_id=conn_id, plan=plan)
        async for event in trigger.run():
            raise RuntimeError(f"a wait that should go on has ended: {event}")

    return wait


def idle(interval: float) -> Go:
    """Tasks that sleep as long as a wait's pause, again and again."""

    async def sleep(number: int) -> None:
        while True:
            await asyncio.sleep(interval)

    return sleep


class Crowd:
    """Tasks that go on until the crowd is sent home, as an async context manager.

    :param work: what the task of a number does.
    :param size: how many tasks.
    """

    def __init__(self, work: Go, size: int) -> None:
        self._work = work
        self._size = size

    async def __aenter__(self) -> Sequence[asyncio.Task[None]]:
        self._tasks = [asyncio.create_task(self._work(number)) for number in range(self._size)]
        return self._tasks

    async def __aexit__(self, *error: object) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
