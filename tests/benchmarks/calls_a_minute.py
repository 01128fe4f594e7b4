# SPDX-License-Identifier: Apache-2.0
"""API calls a minute that waits cost an account, by API, number of waits and longest pause; on a clock that jumps.

Every wait has gone on for a day, so that its pauses are as long as they get, and none of the jobs ends. The list of
running jobs, where the API has one, holds these jobs alone.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import measure
from measure import Report

from airflow_cloudjobs.apis import spec_of
from airflow_cloudjobs.huawei.dli import PAGE
from airflow_cloudjobs.jobs.spec import JobSpec, Observation
from airflow_cloudjobs.jobs.wait import Wait, WaitPlan
from airflow_cloudjobs.polling.clients import IN_FLIGHT
from airflow_cloudjobs.polling.limiter import Limiter
from airflow_cloudjobs.polling.poller import Poller

sys.path.append(str(Path(__file__).parents[1] / "polling"))

from polling_virtual import VirtualLoop, virtual_clock

LONG_AGO = 24 * 3600.0
INTERVALS = (10.0, 30.0, 60.0, 300.0)

#: An API of each kind (a call for a job, for ten, for a page of all) -> the budget: calls of looks.
KINDS = {"dms.file_upload": 1.05, "ice.url_upload": 0.12, "dli.sql_job": 0.05}


async def calls_a_minute(spec: JobSpec, waits: int, interval: float, minutes: int) -> float:
    """Calls for jobs that go on, a minute.

    :param waits: how many, each for a job of its own.
    :param interval: the longest pause between two looks, in seconds.
    :param minutes: how long is counted, after the waits have found their pace.
    """
    clock, calls = virtual_clock(), 0
    keys = [f"job-{number}" for number in range(waits)]
    running = Observation(sorted(spec.states.in_progress)[0], {})

    async def fetch(asked: Sequence[str]) -> Mapping[str, Observation]:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.1)
        return dict.fromkeys(asked, running)

    async def fetch_page(page: int) -> tuple[Mapping[str, Observation], bool]:
        listed = keys[(page - 1) * PAGE : page * PAGE]
        return await fetch(listed), page * PAGE < waits

    poller = Poller(
        fetch,
        batch=spec.batch,
        fetch_page=fetch_page if spec.listing else None,
        limiter=Limiter(IN_FLIGHT, clock),
        clock=clock,
    )
    draws, now = random.Random(7), clock.time()
    plan = WaitPlan(now - LONG_AGO, interval)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(poller.wait(Wait(spec, [key], plan, random=draws.random, resumed=now), lambda line: None))
            for key in keys
        ]
        await asyncio.sleep(2 * interval)
        before = calls
        await asyncio.sleep(60.0 * minutes)
        counted = calls - before
        for task in tasks:
            task.cancel()
    return counted / minutes


def main() -> int:
    """Run it."""
    told = measure.options(__doc__, minutes=(10, "minutes that are counted"))
    report = Report("calls a minute", "API calls a minute of waits for jobs that go on")
    for api, most in KINDS.items():
        for waits in (100, 1000):
            counts = {}
            for interval in INTERVALS:
                with asyncio.Runner(loop_factory=VirtualLoop) as runner:
                    counted = runner.run(
                        calls_a_minute(spec_of(api), waits, interval, 2 if told.quick else told.minutes)
                    )
                counts[f"every_{interval:g}_s"] = counted
            report.row(api=api, waits=waits, **counts)
            # A pause is shortened by up to a fifth at random.
            alone = 60.0 * waits / (0.9 * 10.0)
            report.budget(f"{api}, {waits} waits: of a call for each look", counts["every_10_s"] / alone, at_most=most)
    return report.finish(told)


if __name__ == "__main__":
    sys.exit(main())
