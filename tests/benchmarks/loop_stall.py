# SPDX-License-Identifier: Apache-2.0
"""How long the event loop is late with 1,000 waits whose answers take 300 ms, against as many idle sleepers.

A probe sleeps 10 ms again and again and notes by how much it is woken late. What other programs on the machine do is
in both figures, so the waits are judged by what they add.
"""

from __future__ import annotations

import asyncio
import sys
import time
from statistics import median, quantiles

import measure
from measure import Cpu, Report
from server import Cloud
from waiting import Crowd, Go, connect, idle, waits

STEP = 0.01
PATHS = ("idle sleepers", "dms.file_upload", "dli.sql_job", "ice.url_upload")


async def lateness(work: Go, size: int, warm: float, seconds: float) -> tuple[list[float], float]:
    """How late the probe was, in ms (sorted), and the CPU share."""
    late: list[float] = []
    async with Crowd(work, size):
        await asyncio.sleep(warm)
        used, until = Cpu(), time.perf_counter() + seconds
        while (began := time.perf_counter()) < until:
            await asyncio.sleep(STEP)
            late.append(1000 * (time.perf_counter() - began - STEP))
        share = used.share
    return sorted(late), share


async def measured(report: Report, size: int, interval: float, rounds: int, seconds: float) -> None:
    """All paths in every round."""
    seen: dict[str, list[tuple[float, float, float]]] = {path: [] for path in PATHS}
    for _ in range(rounds):
        for path in PATHS:
            work = idle(interval) if path == "idle sleepers" else waits(path, interval)
            late, share = await lateness(work, size, interval + 1.0, seconds)
            seen[path].append((quantiles(late, n=100)[98], late[-1], share))
    for path, figures in seen.items():
        p99, worst, share = (median(column) for column in zip(*figures, strict=True))
        report.row(path=path, waits=size, late_p99_ms=p99, late_max_ms=worst, cpu_of_a_core=share)
    base = report.rows[0]
    for row in report.rows[1:]:
        for figure, name, limit in (("late_p99_ms", "p99", 5), ("late_max_ms", "max", 50)):
            added = max(0.0, row[figure] - base[figure]) / limit
            report.budget(
                f"{row['path']}: {name} over that of idle sleepers, as a part of {limit} ms", added, at_most=1
            )


def main() -> int:
    """Run it."""
    told = measure.options(__doc__, waits=(1000, "waits"), interval=(5.0, "seconds"), rounds=(3, "rounds"))
    rounds, seconds = (1, 3.0) if told.quick else (told.rounds, 2 * told.interval)
    report = Report("loop stall", f"{told.waits} waits, interval {told.interval:g} s, answers after 300 ms")
    with Cloud(latency=0.3) as cloud:
        connect(cloud)
        asyncio.run(measured(report, told.waits, told.interval, rounds, seconds))
    return report.finish(told)


if __name__ == "__main__":
    sys.exit(main())
