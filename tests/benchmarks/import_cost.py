# SPDX-License-Identifier: Apache-2.0
"""What a DAG file pays for importing an operator or sensor of ours, over what Airflow has loaded anyway.

Each module in new interpreters, by turns with the yardstick ``import aiohttp``; medians. All of them are compiled
beforehand, as an installation is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from statistics import median
from typing import Any

import measure
from measure import Report

LOADED = "from airflow.sdk import DAG, BaseHook, BaseOperator, BaseSensorOperator, Connection, task"
MODULES = (
    "airflow_cloudjobs.alibaba.dms",
    "airflow_cloudjobs.alibaba.ice",
    "airflow_cloudjobs.huawei.dli",
    "airflow_cloudjobs.huawei.drs",
)
YARDSTICK = "aiohttp"
HEAVY = ("aiohttp", "requests", "Tea", "darabonba", "alibabacloud", "huaweicloudsdk")

PROGRAM = f"""
import json, sys, time
{LOADED}
before = set(sys.modules)
began, cpu = time.perf_counter(), time.process_time()
__import__(sys.argv[1])
seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
print(json.dumps([seconds, cpu, sorted(set(sys.modules) - before)]))
"""


def imported(module: str, compiled: str) -> tuple[float, float, list[str]]:
    """Wall and CPU seconds, and the modules that came with it.

    :param compiled: a folder for bytecode.
    """
    env = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-P", "-c", PROGRAM, module]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    figures: tuple[float, float, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> int:
    """Run it."""
    told = measure.options(__doc__, rounds=(9, "interpreters for each module"))
    report = Report("import cost", f"of a product module after `{LOADED}`")
    seen: dict[str, list[Any]] = {module: [] for module in (*MODULES, YARDSTICK)}
    with tempfile.TemporaryDirectory(prefix="cloudjobs-bench-") as compiled:
        for module in seen:
            imported(module, compiled)
        for _ in range(2 if told.quick else told.rounds):
            for module, figures in seen.items():
                figures.append(imported(module, compiled))
    cpu = {module: median(spent for _, spent, _ in figures) for module, figures in seen.items()}
    for module, figures in seen.items():
        new = figures[-1][2]
        report.row(
            module=module,
            ms=1000 * median(wall for wall, _, _ in figures),
            cpu_ms=1000 * cpu[module],
            modules=len(new),
            x_aiohttp=cpu[module] / cpu[YARDSTICK],
        )
        if module == YARDSTICK:
            continue
        heavy = [name for name in new if name.split(".")[0].startswith(HEAVY)]
        report.budget(f"{module}: new modules", len(new), at_most=60)
        report.budget(f"{module}: modules of SDKs and HTTP libraries {heavy or ''}".strip(), len(heavy), at_most=0)
        report.budget(f"{module}: CPU against `import {YARDSTICK}`", cpu[module] / cpu[YARDSTICK], at_most=0.5)
    return report.finish(told)


if __name__ == "__main__":
    sys.exit(main())
