# SPDX-License-Identifier: Apache-2.0
"""2,000 deferred tasks in Airflow's own triggerer process: CPU, polls made, event loop; against idle triggers, and the
floor.

Three Airflows one after the other, each with DAGs whose tasks begin on the triggerer: sensors of ours, ones whose
triggers only sleep, and ones whose triggers make an unsigned GET on a session that they share; all wake equally often.
The triggerer's processes are watched from outside.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import measure
import psutil
from measure import Report
from server import Cloud

from airflow_cloudjobs.demo.local_airflow import LocalAirflow

KINDS = ("idle", "floor", "ours")
GROWN = 11.0
"""Intervals after which pauses, a tenth of the time waited, have grown to the interval."""

EACH = 100
"""Tasks of a DAG: the scheduler begins all of one in one transaction."""

PLAIN_DAGS = """
from airflow.sdk import DAG, BaseOperator
from airflow.triggers.base import StartTriggerArgs

class Plain(BaseOperator):
    start_from_trigger = True
    start_trigger_args = StartTriggerArgs(
        trigger_cls="plain.Plain",
        trigger_kwargs={{"interval": {interval}, "url": {url!r}, "ca_file": {ca_file!r}}},
        next_method="execute",
    )

for dag in range({dags}):
    with DAG(f"waits_{{dag}}", schedule=None, max_active_tasks={each}):
        for number in range({each}):
            Plain(task_id=f"wait_{{number}}")
"""

OUR_DAGS = """
from airflow.sdk import DAG
from airflow_cloudjobs.alibaba.dms import DmsFileUploadSensor

for dag in range({dags}):
    with DAG(f"waits_{{dag}}", schedule=None, max_active_tasks={each}):
        for number in range({each}):
            DmsFileUploadSensor(
                task_id=f"wait_{{number}}",
                job_key=f"job-{{dag}}-{{number}}",
                poke_interval={interval},
                timeout=86400,
                deferrable=True,
                start_from_trigger=True,
            )
"""

PLAIN = """
import asyncio, json, random, ssl
import aiohttp
from airflow.triggers.base import BaseTrigger, TriggerEvent

session = None

class Plain(BaseTrigger):
    def __init__(self, interval, url, ca_file):
        super().__init__()
        self.interval, self.url, self.ca_file = interval, url, ca_file

    def serialize(self):
        return "plain.Plain", {"interval": self.interval, "url": self.url, "ca_file": self.ca_file}

    async def run(self):
        global session
        if session is None:
            context = ssl.create_default_context(cafile=self.ca_file)
            session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200, ssl=context))
        while self.interval:
            if self.url:
                async with session.get(self.url) as answer:
                    json.loads(await answer.read())
            await asyncio.sleep(self.interval * (1.0 - 0.2 * random.random()))
        yield TriggerEvent(None)
"""

BLOCKED = re.compile(r"async thread was blocked for ([0-9.]+) seconds")


def watched(kind: str, tasks: int, interval: float, seconds: float, cloud: Cloud) -> dict[str, Any]:
    """One Airflow: its triggerer with this many deferred tasks of a kind."""
    env = {
        "AIRFLOW__TRIGGERER__CAPACITY": str(2 * tasks),
        # No task needs a worker, and each slot here may become a process.
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    }
    dags = tasks // EACH
    with (
        tempfile.TemporaryDirectory(prefix="cloudjobs-bench-dags-") as folder,
        tempfile.TemporaryDirectory(prefix="cloudjobs-bench-path-") as path,
    ):
        Path(path, "plain.py").write_text(PLAIN)
        env["PYTHONPATH"] = os.pathsep.join([path, *filter(None, sys.path)])
        url = f"{cloud.url}/plain" if kind == "floor" else ""
        text = OUR_DAGS if kind == "ours" else PLAIN_DAGS
        text = text.format(dags=dags, each=EACH, interval=interval, url=url, ca_file=cloud.ca_file)
        Path(folder, "waits.py").write_text(text)
        connections = {"alibabacloud_default": cloud.connection("alibaba")}
        with LocalAirflow(folder, connections=connections, env=env) as airflow:
            names = [f"waits_{dag}" for dag in range(dags)]
            airflow.wait_for_dags(names, timeout=180)
            for name in names:
                airflow.trigger(name)
            began = time.monotonic()
            while (deferred := _deferred(airflow)) < tasks:
                airflow.check()
                if time.monotonic() - began > 240:
                    raise RuntimeError(f"only {deferred} of {tasks} tasks are deferred after four minutes")
                time.sleep(2)
            component = airflow.processes["triggerer"]
            _wait_until_begun(component.pid)
            starting = time.monotonic() - began
            time.sleep(GROWN * interval)
            log_before = len(component.log_path.read_text(errors="replace"))
            cloud.tell()
            spent, wall = _cpu(component.pid), time.perf_counter()
            time.sleep(seconds)
            wall = time.perf_counter() - wall
            spent = {role: used - spent.get(role, 0.0) for role, used in _cpu(component.pid).items()}
            calls = sum(cloud.counts()["calls"].values())
            log = component.log_path.read_text(errors="replace")[log_before:]
    return {
        "starting": starting,
        "calls": calls,
        "cpu": sum(spent.values()) / wall,
        "runner": spent["runner"] / wall,
        "seconds": wall,
        "blocked": [float(late) for late in BLOCKED.findall(log)],
    }


def _wait_until_begun(pid: int, limit: float = 900.0) -> None:
    """Until the supervisor has little to do: what triggers ask of it as they begin keeps it busy for minutes."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        before = _cpu(pid)["supervisor"]
        time.sleep(10)
        if _cpu(pid)["supervisor"] - before < 0.1 * 10:
            return
    raise RuntimeError(f"the triggerer's supervisor is still busy after {limit:g} s")


def _deferred(airflow: LocalAirflow) -> int:
    answer = airflow._call("GET", "/dags/~/dagRuns/~/taskInstances", params={"state": "deferred", "limit": 1})
    return int(answer["total_entries"])


def _cpu(pid: int) -> dict[str, float]:
    """CPU seconds of the triggerer's supervisor and of the process in which its triggers run."""
    used = {"supervisor": 0.0, "runner": 0.0}
    supervisor = psutil.Process(pid)
    for process in (supervisor, *supervisor.children(recursive=True)):
        times = process.cpu_times()
        used["supervisor" if process.pid == pid else "runner"] += times.user + times.system
    return used


def main() -> int:
    """Run it."""
    told = measure.options(
        __doc__,
        tasks=(2000, "deferred tasks, in hundreds"),
        interval=(5.0, "seconds between two polls of a job"),
        seconds=(40.0, "of measurement"),
    )
    tasks = 100 if told.quick else max(EACH, told.tasks // EACH * EACH)
    interval, seconds = (2.0, 10.0) if told.quick else (told.interval, told.seconds)
    report = Report("triggerer", f"{tasks} deferred tasks in Airflow's triggerer, interval {interval:g} s")
    with Cloud() as cloud:
        seen = {kind: watched(kind, tasks, interval, seconds, cloud) for kind in KINDS}
    for kind, figures in seen.items():
        # A pause is shortened by up to a fifth at random; the mean is nine tenths of the interval.
        asked = tasks / (0.9 * interval) * figures["seconds"]
        report.row(
            triggers=kind,
            tasks=tasks,
            beginning_took_s=figures["starting"],
            polls_a_second=figures["calls"] / figures["seconds"],
            cpu_of_a_core=figures["cpu"],
            runner_cpu=figures["runner"],
            loop_blocked=len(figures["blocked"]),
            blocked_max_s=max(figures["blocked"], default=0.0),
            runner_ms_a_poll=1000 * figures["runner"] * figures["seconds"] / figures["calls"]
            if figures["calls"]
            else 0.0,
        )
        if kind == "ours":
            report.budget("polls made of those due", figures["calls"] / asked, at_least=0.95)
    report.budget(
        "CPU of the runner against the floor's", seen["ours"]["runner"] / seen["floor"]["runner"], at_most=1.5
    )
    for kind in ("floor", "ours"):
        times = measure.shown(seen[kind]["runner"] / seen["idle"]["runner"])
        report.note(f"CPU of the runner against that with idle triggers, {kind}: {times}")
    report.note("'loop blocked' counts the triggerer's own warnings (its loop was late by more than 0.2 s)")
    return report.finish(told)


if __name__ == "__main__":
    sys.exit(main())
