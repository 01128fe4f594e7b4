# SPDX-License-Identifier: Apache-2.0
"""A real Airflow, asked through :class:`LocalAirflow`."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from airflow_cloudjobs.demo.local_airflow import COMPONENTS, ComponentDied, LocalAirflow, NotInTime
from airflow_cloudjobs.demo.rest import AirflowProblem, RestError

BROKEN = "from airflow.sdk import DAG\nimport a_module_that_is_not_there\n"


def test_a_run_is_triggered_and_asked_about(airflow: LocalAirflow) -> None:
    run_id = airflow.trigger("succeeds", {"answer": 42})

    assert airflow.wait_for_run("succeeds", run_id)["state"] == "success"
    assert airflow.xcom("succeeds", run_id, "succeed") == {
        "conf": {"answer": 42},
        "host": "example.test",
        "extra": {"region": "cn-shanghai"},
    }
    assert airflow.xcom("succeeds", run_id, "succeed", "job_key") == "key-1"
    assert airflow.xcom("succeeds", run_id, "succeed", "no_such_key") is None
    [instance] = airflow.task_instances("succeeds", run_id)
    assert (instance["task_id"], instance["state"], instance["try_number"]) == ("succeed", "success", 1)
    assert airflow.extra_links("succeeds", run_id, "succeed") == {}


def test_a_failure_is_in_the_log_and_can_be_cleared(airflow: LocalAirflow) -> None:
    run_id = airflow.trigger("fails")
    assert airflow.wait_for_run("fails", run_id)["state"] == "failed"
    log = airflow.log("fails", run_id, "fail", 1)
    assert "RuntimeError: Tabelle nicht gefunden: größe" in log
    assert "ends.py" in log

    cleared = airflow.clear("fails", run_id, ["fail"])
    assert [instance["task_id"] for instance in cleared] == ["fail"]
    assert airflow.wait_for_task("fails", run_id, "fail", {"failed"})["try_number"] == 2


def test_a_mapped_task_has_an_xcom_for_each_index(airflow: LocalAirflow) -> None:
    run_id = airflow.trigger("mapped")
    airflow.wait_for_run("mapped", run_id)

    indices = sorted(instance["map_index"] for instance in airflow.task_instances("mapped", run_id))
    assert indices == [0, 1, 2]
    assert [airflow.xcom("mapped", run_id, "square", map_index=index) for index in indices] == [1, 4, 9]
    assert "Returned value was: 9" in airflow.log("mapped", run_id, "square", 1, map_index=2)


def test_a_task_waits_in_the_triggerer(airflow: LocalAirflow) -> None:
    run_id = airflow.trigger("deferred")
    airflow.wait_for_task("deferred", run_id, "wait", {"deferred"})
    assert airflow.wait_for_run("deferred", run_id)["state"] == "success"
    assert "back from the triggerer" in airflow.log("deferred", run_id, "wait", 1)


def test_a_waiting_task_is_marked(airflow: LocalAirflow) -> None:
    run_id = airflow.trigger("deferred_for_hours")
    airflow.wait_for_task("deferred_for_hours", run_id, "wait", {"deferred"})
    with pytest.raises(NotInTime, match="task wait of deferred_for_hours is deferred, not"):
        airflow.wait_for_task("deferred_for_hours", run_id, "wait", {"success"}, timeout=1)

    airflow.set_state("deferred_for_hours", run_id, "wait", "failed")
    assert airflow.wait_for_run("deferred_for_hours", run_id)["state"] == "failed"


def test_extra_links_are_read(airflow: LocalAirflow) -> None:
    run_id = airflow.trigger("linked")
    airflow.wait_for_run("linked", run_id)
    [link] = airflow.extra_links("linked", run_id, "trigger").values()
    assert link
    assert "/dags/mapped/runs/" in link


def test_a_database_that_is_busy_for_long_is_waited_for(airflow: LocalAirflow) -> None:
    with closing(sqlite3.connect(airflow.home / "airflow.db", timeout=60)) as database, ThreadPoolExecutor() as pool:
        database.execute("BEGIN IMMEDIATE")
        run_id = pool.submit(airflow.trigger, "succeeds")
        time.sleep(8)
        assert not run_id.done()
        database.rollback()
        assert airflow.wait_for_run("succeeds", run_id.result())["state"] == "success"


def test_a_schedule_makes_no_run_of_its_own(airflow: LocalAirflow) -> None:
    assert "scheduled" in airflow.wait_for_dags()
    assert [run for run in airflow.runs("scheduled") if run["run_type"] == "scheduled"] == []


def test_what_is_not_there_is_refused(airflow: LocalAirflow) -> None:
    with pytest.raises(RestError, match="no_such_dag") as caught:
        airflow.trigger("no_such_dag")
    assert caught.value.status == 404


def test_a_file_that_does_not_import_is_told_with_its_traceback(airflow: LocalAirflow) -> None:
    broken = airflow.dags_folder / "broken.py"
    broken.write_text(BROKEN)
    try:
        with pytest.raises(AirflowProblem, match=r"(?s)broken\.py:.*a_module_that_is_not_there"):
            airflow.wait_for_dags()
        assert "succeeds" in airflow.wait_for_dags(["succeeds"]), "another file's failure does not matter"
    finally:
        broken.unlink()


def test_a_component_that_dies_is_noticed_and_one_that_is_killed_is_not(airflow: LocalAirflow) -> None:
    assert set(airflow.processes) == {"db-migrate", *COMPONENTS}
    triggerer = airflow.processes["triggerer"]
    os.kill(triggerer.pid, signal.SIGKILL)
    triggerer.process.wait(10)
    # Its last words may be its runner's, which has noticed that it is gone.
    with pytest.raises(
        ComponentDied,
        match=r"(?s)triggerer has ended with code -9.*log:.*(Starting the triggerer|triggerer_job_runner)",
    ):
        airflow.check()

    airflow.restart("triggerer")
    airflow.check()
    airflow.kill("triggerer")
    airflow.processes["triggerer"].process.wait(10)
    airflow.check()

    airflow.restart("triggerer")
    assert airflow.idle() == ["triggerer"], "the heartbeats of the one before are not its own"
    airflow.wait_until_healthy()
    assert not airflow.idle()
    assert airflow.processes["triggerer"].alive


def test_nothing_is_written_beside_the_dags(airflow: LocalAirflow) -> None:
    airflow.wait_for_dags()
    assert [path.name for path in airflow.dags_folder.rglob("*")] == ["ends.py"]


def test_the_api_server_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'api-server' must be among them"):
        LocalAirflow(tmp_path, components=["scheduler"])
