# SPDX-License-Identifier: Apache-2.0
"""1,000, 3,000 and 10,000 waits on one loop: what a wait holds in memory, and how CPU grows with their number.

Memory is what the interpreter has allocated (tracemalloc), over that of as many tasks that only sleep. CPU is
measured in a process of its own for each number, without tracemalloc, at polls a second that grow with the number.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import tracemalloc

import measure
from measure import Cpu, Report
from server import Cloud
from waiting import Crowd, Go, connect, idle, waits

API = "dms.file_upload"


async def held(size: int, interval: float, seconds: float) -> dict[str, float]:
    """Bytes of a wait over those of a sleeping task, after each has polled."""
    await _bytes(waits(API, interval), 20, interval + 1.0)  # what is made once is there now
    bare = await _bytes(idle(interval), size, 1.0)
    return {"bytes": (await _bytes(waits(API, interval), size, seconds) - bare) / size}


async def _bytes(work: Go, size: int, seconds: float) -> int:
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    async with Crowd(work, size):
        await asyncio.sleep(seconds)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before


async def used(size: int, interval: float, seconds: float) -> dict[str, float]:
    """CPU of a core over that of sleepers, and polls made of those asked."""
    async with Crowd(idle(interval), size):
        await asyncio.sleep(2.0)
        cpu = Cpu()
        await asyncio.sleep(seconds)
        bare = cpu.share
    async with Crowd(waits(API, interval), size):
        await asyncio.sleep(interval + 3.0)
        cpu = Cpu()
        await asyncio.sleep(seconds)
        return {"share": cpu.share, "idle": bare}


def _in_a_process(what: str, size: int, interval: float, seconds: float) -> dict[str, float]:
    asked = json.dumps([what, size, interval, seconds])
    done = subprocess.run([sys.executable, __file__, "--child", asked], stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _child(asked: str) -> None:
    what, size, interval, seconds = json.loads(asked)
    if what == "memory":
        tracemalloc.start()
        figures = asyncio.run(held(size, interval, seconds))
    else:
        figures = asyncio.run(used(size, interval, seconds))
    print(json.dumps(figures))


def main() -> int:
    """Run it."""
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2])
        return 0
    told = measure.options(__doc__, interval=(30.0, "seconds"), seconds=(20.0, "seconds of CPU measurement"))
    sizes = (300, 1000) if told.quick else (1000, 3000, 10_000)
    interval, seconds = (6.0, 6.0) if told.quick else (told.interval, told.seconds)
    report = Report("many waits", f"{API}, interval {interval:g} s")
    with Cloud() as cloud:
        connect(cloud)
        for size in sizes:
            memory = _in_a_process("memory", size, interval, interval + 3.0)
            cpu = _in_a_process("cpu", size, interval, seconds)
            report.row(
                waits=size,
                kib_a_wait=memory["bytes"] / 1024,
                cpu_of_a_core=cpu["share"],
                idle_cpu_of_a_core=cpu["idle"],
                cpu_a_thousand_waits=1000 * (cpu["share"] - cpu["idle"]) / size,
            )
    report.budget(f"KiB of ours a wait, {sizes[-1]} waits", report.rows[-1]["kib_a_wait"], at_most=8)
    each = [row["cpu_a_thousand_waits"] for row in report.rows]
    report.budget(f"CPU a wait at {sizes[-1]} waits against {sizes[0]}", each[-1] / each[0], at_most=1.3)
    return report.finish(told)


if __name__ == "__main__":
    sys.exit(main())
