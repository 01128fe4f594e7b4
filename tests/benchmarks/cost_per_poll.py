# SPDX-License-Identifier: Apache-2.0
"""CPU of one poll over TLS: ours, the floor, the vendors' clients and a peer's hook, 1 and 50 at a time.

Every path polls in each round, in an order that changes; ratios are taken within a round. "Back to back" polls as
fast as it can, which no wait does; "paced" rests between two polls of a job, as waits do, which costs more: caches are
cold, and every answer wakes the loop on its own unless polls are made to go out together. The budgets are for waits as
they are: paced. The vendors' clients cannot keep any pace; they are compared where everybody is at his cheapest.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import measure
from measure import Cpu, Report, ratio
from paths import (
    Poll,
    again_and_again,
    alibaba_async,
    alibaba_threads,
    floor,
    huawei_async,
    huawei_provider,
    huawei_threads,
    tolerated,
    trust,
)
from server import Cloud
from waiting import Crowd, Go, connect, waits

DMS, DLI = "dms.file_upload", "dli.sql_job"
BACK_TO_BACK = 0.0001
"""Pause of paths that hardly rest, in seconds."""


async def cost(cloud: Cloud, go: Go, size: int, warm: float, seconds: float) -> tuple[float, float]:
    """CPU seconds of a poll, and new connections of one.

    :param warm: seconds before the measurement, in which connections are made.
    """
    async with Crowd(go, size):
        await asyncio.sleep(warm)
        await asyncio.to_thread(cloud.tell)
        used = Cpu()
        await asyncio.sleep(seconds)
        spent = used.seconds
        counts = await asyncio.to_thread(cloud.counts)
    polls = sum(counts["calls"].values())
    # One connection is that of the question for the counts.
    return spent / max(1, polls), max(0, counts["connections"] - 1) / max(1, polls)


async def measured(cloud: Cloud, report: Report, rounds: int, seconds: float, paced_interval: float) -> None:
    """All rounds."""
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(floor(cloud))
        fast: dict[str, Go] = {
            "floor: unsigned GET, shared aiohttp": again_and_again(plain, BACK_TO_BACK),
            f"ours {DMS}": waits(DMS, BACK_TO_BACK),
            f"ours {DLI}": waits(DLI, BACK_TO_BACK),
        }
        others: dict[str, Poll] = {
            "Alibaba SDK, blocking, in threads": alibaba_threads(cloud),
            "Huawei SDK, blocking, in threads": huawei_threads(cloud),
            "Huawei SDK async (a thread pool)": huawei_async(cloud),
            "Alibaba SDK async": alibaba_async(cloud),
        }
        peer = await stack.enter_async_context(huawei_provider(cloud))
        if isinstance(peer, str):
            report.note(f"left out: {peer}")
        else:
            others["huawei provider 1.7.0, hook of its trigger"] = peer
        failed: Counter[str] = Counter()
        for name, poll in others.items():
            fast[name] = again_and_again(tolerated(poll, failed, name), BACK_TO_BACK)
        report.note("the alibaba provider 3.5.2 has neither a trigger nor a hook for these APIs")
        slow: dict[str, Go] = {
            "floor: unsigned GET, shared aiohttp": again_and_again(plain, paced_interval),
            f"ours {DMS}": waits(DMS, paced_interval),
            f"ours {DLI}": waits(DLI, paced_interval),
        }
        plans = [("back to back", 1, fast), ("back to back", 50, fast), ("paced", 50, slow)]
        costs: dict[tuple[str, int, str], list[float]] = defaultdict(list)
        connections: dict[tuple[str, int, str], list[float]] = defaultdict(list)
        for _ in range(rounds):
            for how, size, paths in plans:
                warm = 2 * paced_interval if how == "paced" else 1.0
                for name in random.sample(list(paths), len(paths)):
                    spent, opened = await cost(cloud, paths[name], size, warm, seconds)
                    costs[how, size, name].append(spent)
                    connections[how, size, name].append(opened)
    for name, count in failed.items():
        report.note(f"{name}: {count} polls failed")
    for how, size, paths in plans:
        base = costs[how, size, "floor: unsigned GET, shared aiohttp"]
        for name in paths:
            mine = costs[how, size, name]
            report.row(
                path=name,
                how=f"{how}, {size}",
                cpu_ms_a_poll=1000 * median(mine),
                x_floor=ratio(mine, base),
                connections_a_poll=median(connections[how, size, name]),
            )
    for api in (DMS, DLI):
        value = ratio(costs["paced", 50, f"ours {api}"], costs["paced", 50, "floor: unsigned GET, shared aiohttp"])
        report.budget(f"{api}, 50 waits: CPU of a poll against the floor", value, at_most=1.5)
    value = ratio(costs["back to back", 50, "Alibaba SDK async"], costs["back to back", 50, f"ours {DMS}"])
    report.budget("Alibaba SDK async against ours, 50 at a time", value, at_least=100)


def main() -> int:
    """Run it."""
    told = measure.options(__doc__, rounds=(5, "rounds"), seconds=(1.5, "seconds of each path in a round"))
    rounds, seconds = (2, 0.5) if told.quick else (told.rounds, told.seconds)
    report = Report("cost per poll", "CPU (user and system) of the polling process, TLS, server in another process")
    with Cloud() as cloud, tempfile.TemporaryDirectory(prefix="cloudjobs-bench-") as folder:
        connect(cloud)
        trust(cloud, Path(folder))
        asyncio.run(measured(cloud, report, rounds, seconds, 0.2))
    return report.finish(told)


if __name__ == "__main__":
    sys.exit(main())
