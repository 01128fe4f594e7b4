# SPDX-License-Identifier: Apache-2.0
"""A program: polls a lot, cancels a lot, and tells what is left. Run with ``-X dev``; warnings are errors.

Reads ``{"keys": ICE jobs, "single": DMS jobs, "polls": n, "cancelled": n}`` and prints counts, both as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import sys
import threading
import time
import warnings
from typing import Any

import aiohttp  # noqa: F401 - what libraries warn about when they are imported is not our matter

from airflow_cloudjobs.alibaba.hook import AlibabaCloudHook
from airflow_cloudjobs.apis import spec_of
from airflow_cloudjobs.jobs.spec import Observation
from airflow_cloudjobs.jobs.wait import Wait, WaitPlan

warnings.simplefilter("error", ResourceWarning)
warnings.simplefilter("error", RuntimeWarning)


class CountedWait(Wait):
    """A wait that counts what it is told."""

    heard = 0

    def take(self, answers: Any, now: float) -> Any:
        """Count the observations."""
        CountedWait.heard += sum(isinstance(answer, Observation) for answer in answers.values())
        return super().take(answers, now)


def _watch(api: str, keys: list[str]) -> asyncio.Task[None]:
    now = time.time()
    wait = CountedWait(spec_of(api), keys, WaitPlan(now - 600, 0.05), random=random.random, resumed=now)
    return asyncio.create_task(AlibabaCloudHook().wait_async(wait, {}, lambda note: None))


def _fds() -> int:
    return len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))


async def _crowd(told: dict[str, Any]) -> dict[str, Any]:
    draw = random.Random(1)
    gone, most_fds, most_threads = 0, 0, 0
    tasks: list[asyncio.Task[None]] = []
    while CountedWait.heard < told["polls"] or gone < told["cancelled"]:
        while len(tasks) < 100:
            if draw.random() < 0.1:
                tasks.append(_watch("dms.file_upload", [draw.choice(told["single"])]))
            else:
                tasks.append(_watch("ice.url_upload", draw.sample(told["keys"], draw.randint(1, 10))))
        await asyncio.sleep(draw.random() * 0.02)
        for _ in range(draw.randint(0, 24)):
            task = tasks.pop(draw.randrange(len(tasks)))
            task.cancel()
            gone += 1
        most_fds, most_threads = max(most_fds, _fds()), max(most_threads, threading.active_count())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # A connection's last bytes are sent after its session is closed.
    await asyncio.sleep(0.3)
    gc.collect()
    return {
        "polls": CountedWait.heard,
        "cancelled": gone + len(tasks),
        "fds_most": most_fds,
        "threads_most": most_threads,
        "tasks_after": len(asyncio.all_tasks()),
        "fds_after": _fds(),
    }


async def _main() -> None:
    told = json.load(sys.stdin)
    # What is made once for the process (threads, the selector) is there before the count begins.
    await asyncio.to_thread(time.time)
    first = _watch("dms.file_upload", told["single"])
    await asyncio.sleep(0.5)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await asyncio.sleep(0.3)
    before = {"fds_before": _fds(), "threads_before": threading.active_count()}
    print(json.dumps({**await _crowd(told), **before}), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
    gc.collect()
