# SPDX-License-Identifier: Apache-2.0
"""Real processes are killed, stopped and cut off while tasks wait; every task has to come out right all the same."""

from __future__ import annotations

import signal
import time

import pytest
from fault_cases import APIS, DATA, DLI, FOUND, NOT_FOUND, REPEATED
from fault_world import QUICK, Case

AIRFLOW = QUICK

#: Seconds for which something is away or disturbed. That is what those cases are about, so it is slept.
AWAY = 10.0
DISTURBED = 5.0

TROUBLE = (
    {"kind": "http", "status": 503},
    {"kind": "throttle"},
    {"kind": "reset"},
    {"kind": "html"},
    {"kind": "truncated"},
)


def test_workers_are_killed_around_the_submit(case: Case) -> None:
    world = case.world
    stored = world.launch_all("worker killed, key stored", "blocking")
    cleared = world.launch_all("cleared, worker killed", "blocking")
    world.wait_announced(stored + cleared)
    first = len(FOUND + REPEATED + NOT_FOUND + DATA)
    world.control.fault("slow", "submit", after_commit=True, delay=60.0, count=first)
    found = world.launch_all("worker killed, key not stored", "deferrable", FOUND + REPEATED)
    lost = world.launch_all("worker killed, key not stored", "deferrable", NOT_FOUND)
    unnamed = world.launch_all("cleared, worker killed while it submitted", "deferrable")
    for row in world.each_submitted(found + lost + unnamed):
        world.kill_worker(row)
        if row in unnamed:
            world.airflow.clear(row.dag_id, row.run_id, ["job"])
    for row in stored + cleared:
        world.kill_worker(row)
    for row in cleared:
        world.airflow.clear(row.dag_id, row.run_id, ["job"])
    world.wait_for(stored, "running", tries=2)
    world.wait_for(found + unnamed, "deferred", tries=2)
    world.wait_submitted(cleared, 2 * len(cleared))
    world.finish(stored + found)
    world.finish(cleared + unnamed, newest=True)
    case.ends(stored + cleared + found + lost + unnamed)


def test_a_worker_is_frozen_until_another_has_taken_over(case: Case) -> None:
    world = case.world
    rows = world.launch_all("worker frozen and replaced", "blocking")
    world.wait_announced(rows)
    frozen = [process for row in rows for process in world.worker(row)]
    for process in frozen:
        process.suspend()
    world.wait_for(rows, "running", tries=2)
    world.wait_polled(rows)
    for process in frozen:
        process.resume()
    world.wait_gone(frozen)
    world.wait_polled(rows)
    world.finish(rows)
    case.ends(rows)


def test_the_triggerer_is_killed_three_times(case: Case) -> None:
    world = case.world
    rows = world.launch_all("triggerer killed 3 times", "deferrable")
    rows += world.launch_all("triggerer killed 3 times", "sensor")
    world.wait_for(rows, "deferred")
    for _ in range(3):
        world.wait_polled(rows)
        name = world.triggerer(rows[0])
        world.airflow.kill(name)
        world.restart(name)
    world.wait_polled(rows)
    world.finish(rows)
    case.ends(rows)


def test_triggers_move_to_another_triggerer(case: Case) -> None:
    world = case.world
    rows = world.launch_all("trigger moved", "deferrable", [DLI, *[api for api in APIS if api != DLI]])
    world.wait_for(rows, "deferred")
    world.wait_polled(rows)
    name = world.triggerer(rows[0])
    with world.second_triggerer():
        world.airflow.kill(name, signal.SIGSTOP)
        try:
            world.until(lambda: name not in world.waiting(rows), 90.0, lambda: "triggers did not move")
            world.wait_polled(rows)
        finally:
            world.airflow.kill(name, signal.SIGCONT)
        world.wait_said(rows[0], "invoking on_kill")
        world.wait_said(rows[0], "Not cancelling")
        world.wait_polled(rows)
        world.finish(rows)
        case.ends(rows)


def test_the_scheduler_is_killed(case: Case) -> None:
    world = case.world
    rows = world.launch_all("scheduler killed", "deferrable")
    world.wait_for(rows, "deferred")
    blocking = world.launch_all("scheduler killed", "blocking")
    world.wait_announced(blocking)
    orphans = world.kill_schedulers()
    world.restart(*world.named("scheduler"))
    # The new one takes the tasks from the orphans of the old one, and starts them anew; those on Celery's worker go on.
    world.wait_gone(orphans)
    world.kill(orphans)
    world.wait_for(blocking, "running", tries=world.executor.tries_after_schedulers)
    world.wait_polled(rows + blocking)
    world.finish(rows + blocking)
    case.ends(rows + blocking)


def test_the_api_server_is_down(case: Case) -> None:
    world = case.world
    rows = world.launch_all("API server down", "deferrable")
    rows += world.launch_all("API server down", "blocking")
    world.wait_polled(rows)
    world.airflow.kill("api-server")
    time.sleep(AWAY / 2)
    world.finish(rows)
    time.sleep(AWAY / 2)
    world.restart("api-server")
    case.ends(rows)


def test_the_database_is_restarted(case: Case) -> None:
    world = case.world
    rows = world.launch_all("database crashed", "deferrable")
    # A scheduler that has lost its database waits for the tasks on its workers before it ends and is started anew.
    # What has not been deferred by then would be tried again only after them.
    world.wait_for(rows, "deferred")
    rows += world.launch_all("database crashed", "blocking")
    world.wait_polled(rows)
    world.postgres.stop(signal.SIGQUIT)
    time.sleep(AWAY / 2)
    world.postgres.start()
    with world.supervised():
        world.wait_polled(rows)
        world.finish(rows)
        case.ends(rows)


@pytest.mark.cloud_alone
def test_polls_are_troubled(case: Case) -> None:
    world = case.world
    rows = world.launch_all("503, 429, reset, HTML, truncated", "deferrable")
    rows += world.launch_all("503, 429, reset, HTML, truncated", "blocking")
    rows += world.launch_all("503, 429, reset, HTML, truncated", "sensor")
    world.wait_polled(rows)
    for trouble in TROUBLE:
        world.control.clear_faults()
        world.control.fault(target="poll", **trouble)
        time.sleep(DISTURBED)
        assert world.control.stats(0)["faults_struck"].get(trouble["kind"], 0) > 0
    world.finish(rows)
    world.control.clear_faults()
    case.ends(rows)


@pytest.mark.cloud_alone
def test_a_token_expires(case: Case) -> None:
    world = case.world
    rows = world.launch_all("token expired", "deferrable", conn="token")
    rows += world.launch_all("token expired", "blocking", conn="token")
    rows += world.launch_all("token expired", "sensor", conn="token")
    world.wait_polled(rows)
    for _ in range(2):
        world.expire_tokens()
        world.wait_polled(rows, 2)
    world.finish(rows)
    case.ends(rows)


@pytest.mark.cloud_alone
def test_the_clock_of_the_cloud_is_20_minutes_off(case: Case) -> None:
    world = case.world
    world.control.skew_clock(-1200.0)
    rows = world.launch_all("clock 20 min off", "deferrable", seconds=4.0)
    rows += world.launch_all("clock 20 min off", "blocking", seconds=4.0)
    case.ends(rows)


def test_users_end_deferred_tasks(case: Case) -> None:
    world = case.world
    failed = [
        row for way in ("deferrable", "adopting", "sensor") for row in world.launch_all("marked failed, deferred", way)
    ]
    passed = world.launch_all("marked success, deferred", "deferrable")
    cleared = world.launch_all("cleared, deferred", "deferrable")
    rows = failed + passed + cleared
    world.wait_for(rows, "deferred")
    world.wait_polled(rows)
    # A cancel takes its time: some seconds until the cloud will have it.
    world.control.fault("http", "cancel", status=503, count=6)
    for row in failed:
        world.airflow.set_state(row.dag_id, row.run_id, "job", "failed")
    for row in passed:
        world.airflow.set_state(row.dag_id, row.run_id, "job", "success")
    for row in cleared:
        world.airflow.clear(row.dag_id, row.run_id, ["job"])
    world.wait_cancelled([row for row in failed + passed if row.expected.cancels])
    world.wait_for(cleared, "deferred", tries=2)
    world.wait_polled(cleared)
    world.finish(cleared, newest=True)
    case.ends(rows)


def test_users_end_blocking_tasks(case: Case) -> None:
    world = case.world
    rows = world.launch_all("marked failed, blocking", "blocking")
    cleared = world.launch_all("cleared, blocking", "blocking")
    world.wait_polled(rows + cleared)
    world.control.fault("http", "cancel", status=503, count=1)
    for row in rows:
        world.airflow.set_state(row.dag_id, row.run_id, "job", "failed")
    for row in cleared:
        world.airflow.clear(row.dag_id, row.run_id, ["job"])
    world.wait_cancelled([row for row in rows if row.expected.cancels])
    # The number of tries of a task that was cleared while it ran stays the same.
    world.wait_for(cleared, "running", tries=2)
    world.wait_submitted(cleared, 2 * len(cleared))
    world.control.fault("slow", "submit", after_commit=True, delay=3.0)
    early = world.launch("marked failed while it submits", DLI, "blocking")
    world.wait_submitted([early])
    world.airflow.set_state(early.dag_id, early.run_id, "job", "failed")
    world.wait_cancelled([early])
    world.finish(cleared, newest=True)
    case.ends([*rows, *cleared, early])


@pytest.mark.cloud_alone
def test_time_runs_out(case: Case) -> None:
    world = case.world
    ways = ("deferrable-limited", "blocking-limited", "adopting-limited", "sensor-limited")
    rows = [row for way in ways for row in world.launch_all("out of time", way)]
    case.ends(rows)


@pytest.mark.cloud_alone
def test_failed_jobs_are_submitted_anew(case: Case) -> None:
    world = case.world
    rows = world.launch_all("job fails, 2 retries", "deferrable", end="fail", seconds=2.0)
    case.ends(rows)


@pytest.mark.cloud_alone
def test_a_cleared_success_is_submitted_anew(case: Case) -> None:
    world = case.world
    rows = world.launch_all("cleared after success", "deferrable", seconds=2.0)
    world.wait_for(rows, "success")
    for row in rows:
        world.airflow.wait_for_run(row.dag_id, row.run_id)
        world.airflow.clear(row.dag_id, row.run_id, ["job"])
    world.wait_for(rows, "success", tries=2)
    case.ends(rows)


@pytest.mark.executor("local")  # Celery's own cases and the random kills have all of it
def test_200_mapped_tasks_through_all_of_it(case: Case) -> None:
    world = case.world
    row = world.launch("mapped, all at once", DLI, "mapped", seconds=10.0, jobs=200)
    world.wait_submitted([row], 40)
    world.until(lambda: world.kill_workers(row) > 0, 60.0, lambda: "no worker could be killed")
    world.wait_submitted([row], 60)
    name = world.triggerer(row)
    world.airflow.kill(name)
    world.restart(name)
    for trouble in TROUBLE:
        world.control.clear_faults()
        world.control.fault(target="poll", **trouble)
        time.sleep(DISTURBED / 2)
    world.control.clear_faults()
    world.airflow.kill("api-server")
    time.sleep(AWAY / 4)
    world.restart("api-server")
    case.ends([row], timeout=900.0)
