# SPDX-License-Identifier: Apache-2.0
"""Calls that many waits cost: ICE jobs asked for ten at a time, DLI jobs listed, one job that many tasks wait for.

Counted by the server over whole intervals, on 1,000 waits with as many triggers.
"""

from __future__ import annotations

import asyncio
import sys

import measure
from measure import Report
from server import Cloud
from waiting import Crowd, connect, waits


async def calls_each_interval(cloud: Cloud, api: str, tasks: int, jobs: int, interval: float, intervals: int) -> float:
    """Calls of an interval.

    :param jobs: how many different ones the waits are for.
    """
    async with Crowd(waits(api, interval, jobs), tasks):
        await asyncio.sleep(2 * interval)
        await asyncio.to_thread(cloud.tell)
        await asyncio.sleep(intervals * interval)
        counts = await asyncio.to_thread(cloud.counts)
    return float(sum(counts["calls"].values())) / intervals


async def measured(cloud: Cloud, report: Report, tasks: int, interval: float, intervals: int) -> None:
    """Batches, then sharing."""
    calls = await calls_each_interval(cloud, "ice.url_upload", tasks, tasks, interval, intervals)
    report.row(api="ice.url_upload", waits=tasks, jobs=tasks, calls_an_interval=calls, calls_a_job=calls / tasks)
    report.budget("ICE: calls per job and interval", calls / tasks, at_most=0.12)
    for theirs in (0, tasks, 20 * tasks):
        await asyncio.to_thread(cloud.tell, ours=tasks, theirs=theirs)
        calls = await calls_each_interval(cloud, "dli.sql_job", tasks, tasks, interval, intervals)
        what = f"dli.sql_job, {theirs} others in progress"
        report.row(api=what, waits=tasks, jobs=tasks, calls_an_interval=calls, calls_a_job=calls / tasks)
        if theirs == 0:
            report.budget("DLI: calls per job and interval", calls / tasks, at_most=0.12)
    jobs = tasks // 50
    calls = await calls_each_interval(cloud, "dms.file_upload", tasks, jobs, interval, intervals)
    report.row(api="dms.file_upload", waits=tasks, jobs=jobs, calls_an_interval=calls, calls_a_job=calls / jobs)
    # Pauses are up to a fifth shorter than the interval, and the earliest of those who wait for a job sets its next.
    report.budget("one job, 50 tasks: calls per job and interval", calls / jobs, at_most=1.3)


def main() -> int:
    """Run it."""
    told = measure.options(__doc__, waits=(1000, "waits"), interval=(3.0, "seconds"), intervals=(4, "how many"))
    tasks, intervals = (200, 2) if told.quick else (told.waits, told.intervals)
    report = Report("calls per job", f"calls of {tasks} waits, interval {told.interval:g} s")
    with Cloud() as cloud:
        connect(cloud)
        asyncio.run(measured(cloud, report, tasks, told.interval, intervals))
    return report.finish(told)


if __name__ == "__main__":
    sys.exit(main())
