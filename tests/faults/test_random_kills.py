# SPDX-License-Identifier: Apache-2.0
"""Workers and triggerers are killed at random moments, while mapped tasks of all APIs submit and wait.

Each job must be submitted once and end with a green task that names it. Where a kill has struck between a request and
its answer, and the API has no way to look a job up, the task must have said so and submitted nothing more.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from fault_cases import DRS, EVERY, NOT_FOUND
from fault_table import Row
from fault_world import CANCELS, QUICK, SUBMITS, Case, World, jobs_taken
from support.seen import jobs_of, taken

#: Few workers, so that a killed one is replaced within a moment, and what strikes next can be chosen.
AIRFLOW = {**QUICK, "CORE__PARALLELISM": "10"}

#: Tasks a wave, of each API and way to wait.
MAPPED = {"mapped-deferrable": 8, "mapped-blocking": 4}

#: Kills of a worker for one of the triggerer.
WORKERS = 12

ENDED = ("success", "failed")
UNKNOWN = "the job may or may not run"


def test_workers_and_triggerers_are_killed_at_random(
    case: Case, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    world, wanted, seed = case.world, pytestconfig.getoption("kills"), pytestconfig.getoption("seed")
    draw = random.Random(seed)
    with capsys.disabled():
        print(f"\n{wanted} kills, --seed {seed}")
    rows: list[Row] = []
    killed: Counter[str] = Counter()

    def enough() -> bool:
        wave = rows[-len(MAPPED) * len(EVERY) :]
        if all(task["state"] in ENDED for task in world.instances(wave)):
            begin_wave(world, rows)
        killed[strike(world, wave, draw)] += 1
        del killed["nobody"]
        return killed.total() >= wanted

    world.until(enough, 120.0 + 10.0 * wanted, lambda: f"killed no more than {dict(killed)}", 0.4)
    world.wait_for(rows, *ENDED, timeout=1200.0)
    found = Counter(verdict for row in rows for verdict in verdicts(world, row))
    cancels = sum(one["operation"] in CANCELS.values() for one in world.control.stats(tail=100_000)["requests"])
    with capsys.disabled():
        print(f"killed: {dict(killed)}; tasks: {dict(found)}; cancels: {cancels}")
    assert set(found) <= {"green, submitted once", "asks a person, submitted once or not at all"}
    assert not cancels


def begin_wave(world: World, rows: list[Row]) -> None:
    """Start tasks of all APIs, with jobs that last 1 to 20 s, and add them to the rows."""
    for way, count in MAPPED.items():
        for api in EVERY:
            row = world.launch("random kills", api, way, seconds=None, jobs=count)
            rows.append(row)
            for number, word in enumerate(words(row)):
                world.control.plan(api, "success", seconds=1 + number % 20, match=word, count=None)
                if api == DRS:
                    world.control.create_job("drs.job", word)
    world.until(lambda: world.running(rows), 90.0, lambda: "no task runs")


def words(row: Row) -> list[str]:
    """What only the jobs of each mapped task have in their input, or as their key."""
    return [f"{row.word}-{number:03}" for number in range(row.tasks)]


def strike(world: World, rows: Sequence[Row], draw: random.Random) -> str:
    """Kill a worker that runs a task, or the triggerer, after a moment."""
    time.sleep(draw.uniform(0.0, 0.5))
    if draw.randrange(WORKERS + 1) == 0:
        name = draw.choice(world.named("triggerer"))
        world.airflow.kill(name)
        world.airflow.restart(name)
        return "triggerer"
    running = world.running(rows)
    return "worker" if running and world.kill_task(draw.choice(running)) else "nobody"


def verdicts(world: World, row: Row) -> Iterator[str]:
    """What came of each mapped task of a row."""
    jobs = world.control.jobs(row.api)
    requests = world.control.stats(tail=100_000)["requests"]
    tasks = sorted(world.tasks(row), key=lambda task: int(task["map_index"]))
    for task, word in zip(tasks, words(row), strict=True):
        own = jobs_of(jobs, word, word)
        ended = {job["key"] for job in own if job["succeeded"]}
        posts = taken(requests, SUBMITS[row.api], [job["key"] for job in own])
        yield verdict(world, row, task, ended, jobs_taken(row.api, posts))


def verdict(world: World, row: Row, task: Mapping[str, Any], ended: set[str], submits: int) -> str:
    """What came of one.

    :param ended: its jobs that have succeeded.
    :param submits: how many the cloud has taken.
    """
    index = task["map_index"]
    if task["state"] == "success":
        named = world.airflow.xcom(row.dag_id, row.run_id, "job", "job_key", index)
        if submits == 1 and named in ended:
            return "green, submitted once"
        return f"{row.dag_id} {index}: green, {submits} submits, names {named!r} of {sorted(ended)}"
    log = world.airflow.log(row.dag_id, row.run_id, "job", task["try_number"], index)
    if UNKNOWN in log and submits <= 1 and row.api in NOT_FOUND:
        return "asks a person, submitted once or not at all"
    return f"{row.dag_id} {index}: {task['state']} at try {task['try_number']}, {submits} submits: {log[-2000:]}"
