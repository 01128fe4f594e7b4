# SPDX-License-Identifier: Apache-2.0
"""What only CeleryExecutor has: a worker of many tasks, messages that are lost or come twice, two of everything."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from collections.abc import Sequence

import pytest
from fault_cases import DLI, DMS_EXPORT, ICE, MRS, REPEATED
from fault_table import Row
from fault_world import QUICK, Case, World

pytestmark = pytest.mark.executor("celery")

AIRFLOW = {
    **QUICK,
    # Few at a time, so that each is through within seconds on a busy machine too.
    "CORE__PARALLELISM": "10",
    # A message is delivered again that is not acknowledged in so many seconds, which is done at a task's end.
    "CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "20",
    # Seconds between two looks for such, and every look counts (of ten by default one).
    "CELERY_BROKER_TRANSPORT_OPTIONS__UNACKED_RESTORE_INTERVAL": "5",
    "CELERY_BROKER_TRANSPORT_OPTIONS__UNACKED_RESTORE_THROTTLE": "1",
    # A task whose message is lost is queued anew after so many; on a busy machine others are too.
    "SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "20",
    "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    # While a triggerer takes up many triggers its heartbeat is late; the default of what is late, and few at a time.
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "30",
    "TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": "20",
}

AWAY = 10.0
"""Seconds for which redis is away."""

WAITS, RUNS = 25, 20
"""Sensors of a run, and runs."""

WATCHED = 15.0
"""Seconds in which the polls of each job are counted."""


def test_the_celery_worker_is_killed_while_its_tasks_submit(case: Case) -> None:
    world = case.world
    waiting = world.launch_all("Celery worker killed, key stored", "blocking")
    world.wait_announced(waiting)
    world.control.fault("slow", "submit", after_commit=True, delay=60.0, count=5)
    found = world.launch_all("Celery worker killed, key not stored", "deferrable", (ICE, DLI, *REPEATED))
    lost = world.launch_all("Celery worker killed, key not stored", "deferrable", (DMS_EXPORT, MRS))
    world.wait_submitted(found + lost)
    world.kill_celery_worker()
    world.restart("celery worker")
    world.wait_for(waiting, "running", tries=2)
    world.wait_for(found, "deferred", tries=2)
    world.wait_polled(waiting + found)
    world.finish(waiting + found)
    case.ends(waiting + found + lost)


def test_a_message_is_delivered_again_while_its_task_runs(case: Case) -> None:
    world = case.world
    before = came_twice(world)
    rows = world.launch_all("message delivered twice", "blocking")
    world.wait_announced(rows)
    world.until(
        lambda: len(came_twice(world) - before) >= len(rows), 180.0, lambda: f"{came_twice(world) - before} came twice"
    )
    world.wait_polled(rows)
    world.finish(rows)
    case.ends(rows)


def test_redis_is_restarted_and_has_lost_all_messages(case: Case) -> None:
    world = case.world
    assert world.executor.redis is not None
    waiting = world.launch_all("redis restarted", "deferrable", [DLI])
    waiting += world.launch_all("redis restarted", "sensor")
    blocking = world.launch_all("redis restarted", "blocking")
    world.wait_for(waiting, "deferred")
    world.wait_polled(blocking)
    world.airflow.kill("celery worker", signal.SIGSTOP)  # so that messages stay in redis
    queued = world.launch_all("redis restarted", "deferrable", [DMS_EXPORT, MRS])
    world.wait_for(queued, "queued")
    world.executor.redis.stop(signal.SIGKILL)
    world.airflow.kill("celery worker", signal.SIGCONT)
    refused = world.launch("redis restarted", DLI, "mapped-deferrable", jobs=2)
    time.sleep(AWAY)
    world.executor.redis.start()
    rows = [*waiting, *blocking, *queued, refused]
    world.wait_submitted([*blocking, *queued, waiting[0]])
    world.wait_submitted([refused], refused.tasks)
    world.wait_polled(rows)
    world.finish(rows)
    case.ends(rows)


def test_one_of_two_schedulers_is_killed_while_tasks_defer(case: Case) -> None:
    world = case.world
    row = world.launch("one of two schedulers killed", DLI, "mapped", seconds=10.0, jobs=case.many(40))
    world.wait_submitted([row], case.many(10), timeout=300.0)
    world.airflow.kill("scheduler")
    case.ends([row], timeout=600.0)
    mismatches = world.mismatches(row)
    assert not mismatches, f"Airflow has failed {len(mismatches)} tasks: {mismatches[0]}"


def test_one_of_two_triggerers_is_killed_with_500_waits(case: Case) -> None:
    world = case.world
    rows = [world.launch("one of two triggerers killed", DLI, "waits", jobs=WAITS) for _ in range(case.many(RUNS))]
    shares = world.until(lambda: shared(world, rows), 300.0, lambda: f"not all wait: {world.waiting(rows)}")
    # How evenly is Airflow's affair: a triggerer takes what there is when its loop comes round.
    assert len(shares) == 2, f"one triggerer has all: {dict(shares)}"
    print(f"shared as {dict(shares)}")
    lost = world.triggerer(*rows)
    world.airflow.kill(lost)
    world.until(lambda: lost not in (shared(world, rows) or [lost]), 180.0, lambda: f"{lost} has {world.waiting(rows)}")
    # What was taken over begins with short pauses; after ten polls they are as long as all others.
    world.wait_polled(rows, 10 * WAITS, timeout=180.0)
    before, began = polls(world, rows), time.monotonic()
    time.sleep(WATCHED)
    after, seconds = polls(world, rows), time.monotonic() - began
    # A wait pauses for 3 s, hardly less; one that two triggerers had would be polled twice as often.
    twice = [key for key in before if after[key] - before[key] > 1.5 * (seconds / 3 + 1)]
    assert not twice, f"polled by two: {len(twice)} jobs"
    world.finish(rows)
    case.ends(rows, timeout=300.0)


def came_twice(world: World) -> set[str]:
    """The messages that Celery's worker was given again while their tasks ran."""
    log = world.airflow.processes["celery worker"].log_path.read_text(errors="replace")
    return set(re.findall(r"\[([0-9a-f-]+)\] Task already running elsewhere", log))


def shared(world: World, rows: Sequence[Row]) -> Counter[str]:
    """How many tasks each triggerer has, once all are assigned; nothing before."""
    found = world.waiting(rows)
    return found if found.total() == sum(row.tasks for row in rows) else Counter()


def polls(world: World, rows: Sequence[Row]) -> dict[str, int]:
    """How often each job has been asked for."""
    return {job["key"]: job["polls"] for row in rows for job in world.jobs(row)}
