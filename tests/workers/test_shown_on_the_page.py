# SPDX-License-Identifier: Apache-2.0
"""What a real Airflow shows of a task: names of mapped instances, SQL, XComs, the last words of a log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_cloudjobs.demo.local_airflow import LocalAirflow
from airflow_cloudjobs.localcloud import LocalCloud
from airflow_cloudjobs.next_step import NEXT

DAG_FILE = """
from datetime import datetime
from airflow.sdk import DAG
from airflow_cloudjobs.alibaba.dms import DmsDataTrackExportOperator, DmsFileUploadOperator
from airflow_cloudjobs.alibaba.ice import IceUrlUploadOperator
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator, DliSqlJobSensor

LONG = "/* by a tool */ WITH a AS (SELECT '{{ run_id }} 查询') " + "SELECT * FROM a -- " + "x" * 5000

for native in (False, True):
    with DAG(
        "native" if native else "plain",
        start_date=datetime(2026, 1, 1),
        schedule=None,
        max_active_tasks=6,
        render_template_as_native_obj=native,
    ):
        upload = DmsFileUploadOperator.partial(task_id="upload", file_source="big-file", poll_interval=1)
        upload.expand_kwargs(
            [{"file_name": name, "upload_url": "https://files.test/" + name} for name in ("a.sql", "{{ 'b' }}.sql")]
        )
        DmsDataTrackExportOperator.partial(task_id="export", rollback_sql_type="REVERSE", poll_interval=1).expand(
            order_id=[17]
        )
        films = IceUrlUploadOperator.partial(task_id="films", poll_interval=1)
        films.expand(upload_urls=[["https://h/x/one.mp4?Signature=s3cr3t", "https://h/it's.mp4"]])
        query = DliSqlJobOperator.partial(task_id="query", deferrable=True, poll_interval=1).expand(
            sql=["SELECT '{{ run_id }}'"]
        )
        DliSqlJobSensor.partial(task_id="wait").expand(
            job_id=query.output.map(lambda result: result["job_key"])
        )
        DliSqlJobOperator.partial(
            task_id="named", map_index_template="of {{ task.database }}", poll_interval=1
        ).expand(sql=["SELECT 3"], database=["sales"])
        DliSqlJobOperator(task_id="long", sql=LONG, deferrable=True, poll_interval=1)
        DliSqlJobOperator(task_id="ended", sql="SELECT 5", deferrable=True, end_from_trigger=True, poll_interval=1)
        DliSqlJobOperator(task_id="shown", sql="SELECT '{{ run_id }}'", show_sql=True, poll_interval=1)
        DliSqlJobOperator(task_id="wrong", sql="SELECT 'h1dden' AS a, '{{ nobody.knows }}'", poll_interval=1)

with DAG("red", start_date=datetime(2026, 1, 1), schedule=None):
    DliSqlJobOperator(task_id="operator", sql="select 1 -- localcloud=fail", poll_interval=1)
    DliSqlJobOperator(task_id="deferred", sql="select 1 -- localcloud=fail", poll_interval=1, deferrable=True)
    DliSqlJobSensor(task_id="sensor", job_id="failing", deferrable=True)
"""

DAGS = ("plain", "native")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[tuple[str, int], dict[str, Any]]]]:
    """The task instances of each DAG, by task and map index, as the page's API gives them, with XComs and log."""
    dags: Path = tmp_path_factory.mktemp("dags")
    (dags / "shown.py").write_text(DAG_FILE)
    with LocalCloud(job_seconds=3) as cloud:
        connections = {
            "huaweicloud_default": cloud.huawei_connection(),
            "alibabacloud_default": cloud.alibaba_connection(),
        }
        cloud.control.create_job("dli.sql_job", "failing", end="fail")
        with LocalAirflow(dags, connections=connections) as airflow:
            airflow.wait_for_dags((*DAGS, "red"), 120)
            runs = {dag: airflow.trigger(dag) for dag in (*DAGS, "red")}
            shown: dict[str, dict[tuple[str, int], dict[str, Any]]] = {}
            for dag, run in runs.items():
                airflow.wait_for_run(dag, run, 300)
                shown[dag] = {}
                for ti in airflow.task_instances(dag, run):
                    name, index = ti["task_id"], ti["map_index"]
                    ti["xcoms"] = {
                        key: found
                        for key in ("job_key", "return_value", "console_url", "cloudjobs_owner")
                        if (found := airflow.xcom(dag, run, name, key, index)) is not None
                    }
                    ti["log"] = airflow.log(dag, run, name, map_index=index)
                    ti["events"] = _events(airflow.home, dag, name)
                    shown[dag][name, index] = ti
            yield shown


def _events(home: Path, dag: str, task: str) -> list[dict[str, Any]]:
    """The log of a task that is not mapped, as it is stored."""
    files = (home / "logs" / f"dag_id={dag}").glob(f"*/task_id={task}/attempt=1.log")
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.mark.parametrize("dag", DAGS)
def test_all_have_ended(dag: str, ran: dict[str, Any]) -> None:
    states = {name: ti["state"] for (name, _), ti in ran[dag].items()}
    print(f"\n{dag}:", {f"{name} {index}": ti["rendered_map_index"] for (name, index), ti in ran[dag].items()})
    assert states.pop("wrong") == "failed"
    assert set(states.values()) == {"success"}


@pytest.mark.parametrize("dag", DAGS)
def test_mapped_instances_have_names(dag: str, ran: dict[str, Any]) -> None:
    tis = ran[dag]
    names = {key: ti["rendered_map_index"] for key, ti in tis.items() if key[1] >= 0}
    key = tis["query", 0]["xcoms"]["job_key"]
    assert names == {
        ("upload", 0): "a.sql",
        ("upload", 1): "b.sql",
        ("export", 0): "17",
        ("films", 0): "one.mp4, it's.mp4",
        ("query", 0): key,
        ("wait", 0): key,
        ("named", 0): "of sales",
    }


@pytest.mark.parametrize("dag", DAGS)
def test_sql_reads_as_a_digest(dag: str, ran: dict[str, Any]) -> None:
    tis = ran[dag]
    run = tis["long", -1]["dag_run_id"]
    long = "/* by a tool */ WITH a AS (SELECT '" + run + " 查询') SELECT * FROM a -- " + "x" * 5000
    for name, index, sql in (("query", 0, f"SELECT '{run}'"), ("long", -1, long)):
        sha = hashlib.sha256(sql.encode()).hexdigest()[:8]
        word = "WITH" if name == "long" else "SELECT"
        assert tis[name, index]["rendered_fields"]["sql"] == f"{word} … ({len(sql):,} characters, sha256 {sha})"
        assert f"SELECT '{run}" not in tis[name, index]["log"]
    assert tis["shown", -1]["rendered_fields"]["sql"] == f"SELECT '{run}'"


@pytest.mark.parametrize("dag", DAGS)
def test_a_template_that_fails_shows_no_sql(dag: str, ran: dict[str, Any]) -> None:
    wrong = ran[dag]["wrong", -1]
    assert "nobody" in wrong["log"]
    assert "h1dden" not in f"{wrong['log']}{wrong['rendered_fields']}"


@pytest.mark.parametrize("dag", DAGS)
@pytest.mark.parametrize("task", ["long", "ended"])
def test_no_other_xcom_is_left(task: str, dag: str, ran: dict[str, Any]) -> None:
    assert set(ran[dag][task, -1]["xcoms"]) == {"job_key", "return_value", "console_url"}


@pytest.mark.parametrize(
    ("task", "words"), [("operator", "clear this task"), ("deferred", "clear this task"), ("sensor", "downstream")]
)
def test_the_last_words_of_a_log(task: str, words: str, ran: dict[str, Any]) -> None:
    """After the exception Airflow writes only where its traceback was, and the ends of its groups."""
    assert ran["red"][task, -1]["state"] == "failed"
    events = ran["red"][task, -1]["events"]
    [place] = [number for number, event in enumerate(events) if "error_detail" in event]
    [error] = events[place]["error_detail"]
    last = error["exc_value"].splitlines()[-1]
    assert last.startswith(NEXT)
    assert words in last
    what, step, where = events[place - 3 : place]
    assert {what["level"], step["level"], where["level"]} == {"error"}
    assert what["event"].startswith("FAILED: ")
    assert " ".join(step["event"].split()) == last
    assert where["event"].startswith("dli.sql_job ")
    assert {event["event"] for event in events[place + 1 :]} <= {"::group::Post Execute", "::endgroup::"}
