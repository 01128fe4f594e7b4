# SPDX-License-Identifier: Apache-2.0
"""How many workers a wait takes: two as a rule, one where it begins or ends on the triggerer, none where both.

Also that nothing is lost by it: the result, the key and the console's address read the same; and which metrics the
workers and the triggerer send, to a StatsD that listens here.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, XComArg

from airflow_cloudjobs.demo.local_airflow import LocalAirflow
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator, DliSqlJobSensor
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.localcloud import LocalCloud

DAG_FILE = """
from datetime import datetime
from airflow.sdk import DAG, task
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator, DliSqlJobSensor

with DAG("workers", start_date=datetime(2026, 1, 1), schedule=None, params={{"job": "{good}"}}):
    DliSqlJobSensor(task_id="finished", job_id="{done}", deferrable=True)
    DliSqlJobSensor(task_id="as_a_rule", job_id="{good}", deferrable=True)
    DliSqlJobSensor(task_id="begun", job_id="{{{{{{{{ params.job }}}}}}}}", deferrable=True, start_from_trigger=True)
    DliSqlJobSensor(task_id="ended", job_id="{good}", deferrable=True, end_from_trigger=True)
    DliSqlJobSensor(
        task_id="both", job_id="{good}", deferrable=True, start_from_trigger=True, end_from_trigger=True
    )
    DliSqlJobSensor(
        task_id="failed", job_id="{bad}", deferrable=True, start_from_trigger=True, end_from_trigger=True
    )
    query = DliSqlJobOperator(
        task_id="query", sql="select 1 from orders", poll_interval=1, deferrable=True, end_from_trigger=True
    )

    @task
    def read(job):
        assert job["outcome"] == "succeeded", job
        assert job["result"]["result_count"] == 4, job

    read(query.output)
"""

WORKERS = {"finished": 1, "as_a_rule": 2, "begun": 1, "ended": 1, "both": 0, "failed": 1, "query": 1}


@pytest.fixture(scope="module")
def metrics() -> Iterator[tuple[int, list[str]]]:
    """A StatsD: its port, and what it is told."""
    told: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def listen() -> None:
            while (packet := server.recv(65536)) != b"end":
                told.extend(packet.decode().splitlines())

        listener = threading.Thread(target=listen)
        listener.start()
        port = server.getsockname()[1]
        yield port, told
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"end", ("127.0.0.1", port))
        listener.join()


@pytest.fixture(scope="module")
def ran(
    tmp_path_factory: pytest.TempPathFactory, metrics: tuple[int, list[str]]
) -> Iterator[dict[str, dict[str, Any]]]:
    dags: Path = tmp_path_factory.mktemp("dags")
    with LocalCloud(job_seconds=8) as cloud:
        make = cloud.control.create_job
        keys = {
            "done": make("dli.sql_job", steps=[("FINISHED", 0)])["key"],
            "good": make("dli.sql_job", end="forever")["key"],
            "bad": make("dli.sql_job", end="forever")["key"],
        }
        (dags / "workers.py").write_text(DAG_FILE.format(**keys).replace("{{{{", "{{").replace("}}}}", "}}"))
        connections = {"huaweicloud_default": cloud.huawei_connection()}
        env = {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(metrics[0]),
            "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",  # or there would be no tags
        }
        with LocalAirflow(dags, connections=connections, env=env) as airflow:
            airflow.wait_for_dags(["workers"], 120)
            run = airflow.trigger("workers")
            for task in ("as_a_rule", "begun", "ended", "both", "failed"):
                airflow.wait_for_task("workers", run, task, {"deferred"}, 120)
            until = time.monotonic() + 120
            while _most_waits(metrics[1]) < 5 and time.monotonic() < until:
                time.sleep(0.2)  # the triggerer sends its counts now and then
            cloud.control.set_status("dli.sql_job", keys["good"], "FINISHED")
            cloud.control.set_status("dli.sql_job", keys["bad"], "FAILED", reason="no such table")
            airflow.wait_for_run("workers", run, 180)
            tasks = {}
            for ti in airflow.task_instances("workers", run):
                name = ti["task_id"]
                tasks[name] = {
                    "state": ti["state"],
                    "log": airflow.log("workers", run, name),
                    "links": airflow.extra_links("workers", run, name),
                    **{k: airflow.xcom("workers", run, name, k) for k in ("return_value", "job_key", "console_url")},
                }
            yield tasks


def _most_waits(told: list[str]) -> int:
    """The most waits that the triggerer has told of."""
    return max((int(found) for found in re.findall(r"cloudjobs\.waits,\S+:(\d+)\|g", "\n".join(told))), default=0)


def _workers(log: str) -> int:
    """How often a worker process ran the task: each says once how long parsing the DAG took it."""
    return len(re.findall(r"Worker startup parse complete", log))


def test_so_many_workers_and_no_more(ran: dict[str, dict[str, Any]]) -> None:
    counted = {name: _workers(ran[name]["log"]) for name in WORKERS}
    print("\nworkers by task:", counted)
    assert counted == WORKERS


def test_each_ends_as_its_job(ran: dict[str, dict[str, Any]]) -> None:
    states = {name: task["state"] for name, task in ran.items()}
    assert states == dict.fromkeys((*WORKERS, "read"), "success") | {"failed": "failed"}
    assert "no such table" in ran["failed"]["log"]
    assert ran["failed"]["return_value"]["outcome"] == "failed"


def test_nothing_is_lost(ran: dict[str, dict[str, Any]]) -> None:
    rule = ran["as_a_rule"]
    for name in ("begun", "ended", "both"):
        task = ran[name]
        assert task["return_value"] | {"request_id": ""} == rule["return_value"] | {"request_id": ""}
        assert task["job_key"] == rule["job_key"]
        assert task["console_url"] == rule["console_url"]
        assert task["links"] == rule["links"]
        assert task["links"]["Cloud console"].startswith("https://console.huaweicloud.com/dli/")


def test_metrics(ran: dict[str, dict[str, Any]], metrics: tuple[int, list[str]]) -> None:
    ours = [line.removeprefix("airflow.") for line in metrics[1] if "cloudjobs." in line]
    host = socket.gethostname()
    api = "api=dli.sql_job"
    for name, tags, kind in (
        ("calls", api, "c"),
        ("polls", api, "c"),
        ("job_seconds", f"{api},ending=succeeded", "ms"),
        ("job_seconds", f"{api},ending=failed", "ms"),
        ("waits", f"{api},hostname={host}", "g"),
    ):
        found = [line for line in ours if re.fullmatch(rf"cloudjobs\.{name},{tags}:[0-9.]+\|{kind}", line)]
        assert found, f"no cloudjobs.{name} with {tags} among {sorted(set(ours))}"
    # Five sensors are deferred at once; after the last one the triggerer waits for nothing.
    assert _most_waits(ours) >= 5, ours
    assert [line for line in ours if line.startswith("cloudjobs.waits")][-1].endswith(":0|g"), ours


class TestRefusedWhenTheDagIsParsed:
    def test_a_key_that_only_a_worker_can_get(self) -> None:
        with DAG("d", start_date=datetime(2026, 1, 1), schedule=None):
            submit = DliSqlJobOperator(task_id="submit", sql="select 1")
            pulled = "{{ ti.xcom_pull(task_ids='submit', key='job_key') }}"
            for name, key in (("output", XComArg(submit, "job_key")), ("pulled", pulled)):
                with pytest.raises(InvalidArgument, match="start_from_trigger"):
                    DliSqlJobSensor(task_id=name, job_id=key, deferrable=True, start_from_trigger=True)

    @pytest.mark.parametrize("argument", ["start_from_trigger", "end_from_trigger"])
    def test_without_deferring(self, argument: str) -> None:
        with pytest.raises(InvalidArgument, match=argument):
            DliSqlJobSensor(task_id="s", job_id="k", deferrable=False, **{argument: True})

    def test_outlets(self) -> None:
        with pytest.raises(InvalidArgument, match="outlets"):
            DliSqlJobSensor(task_id="s", job_id="k", deferrable=True, end_from_trigger=True, outlets=[Asset("orders")])
