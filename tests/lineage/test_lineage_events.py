# SPDX-License-Identifier: Apache-2.0
"""What OpenLineage is told of tasks that run on a real Airflow, as its own listener tells it: event by event.

What is expected of the task ``query`` stands in ``expected/query.json``: for each of its events, in their order, the
datasets and those facets that are ours.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_cloudjobs.demo.local_airflow import LocalAirflow
from airflow_cloudjobs.localcloud import LocalCloud
from airflow_cloudjobs.localcloud.accounts import DEFAULT_HUAWEI_REGION, project_id

HERE = Path(__file__).parent
EXPECTED = {path.stem: path for path in sorted((HERE / "expected").glob("*.json"))}
FACETS = ("externalQuery", "sql", "extractionError", "errorMessage", "unknownSourceAttribute")
SECRETS = ("c4nary", "S1gnature")
SIGNED = "https://somebody:S1gnature@files.test/in/b?OSSAccessKeyId=LTAI5tX&Expires=1900000000&Signature=S1gnature"

PROJECT = project_id(DEFAULT_HUAWEI_REGION)

REFUSED = """
from datetime import datetime
from airflow.sdk import DAG
from airflow_cloudjobs.huawei.dli import DliSqlJobSensor

with DAG("refused", start_date=datetime(2026, 1, 1), schedule=None):
    DliSqlJobSensor(task_id="wait", job_id="j", deferrable=True, end_from_trigger=True)
"""


@dataclass
class Seen:
    """What came of the run.

    :param events: all of them, by their times.
    :param words: what differs from run to run, by what stands for it in the expected events.
    :param keys: the jobs of each task.
    :param problems: what Airflow says of the DAG that it does not take.
    """

    events: list[dict[str, Any]]
    words: dict[str, str]
    keys: dict[str, list[str]] = field(default_factory=dict)
    problems: str = ""

    def told_of(self, task: str) -> list[dict[str, Any]]:
        """The events of a task, in the form of those that are expected."""
        return [self._told(task, event) for event in self.events if event["job"]["name"] == f"lineage.{task}"]

    def _told(self, task: str, event: dict[str, Any]) -> dict[str, Any]:
        facets = event["run"]["facets"] | event["job"]["facets"]
        told = {
            "event": event["eventType"],
            "inputs": [f"{each['namespace']} {each['name']}" for each in event["inputs"]],
            "outputs": [f"{each['namespace']} {each['name']}" for each in event["outputs"]],
            **{name: _of_interest(facets[name]) for name in FACETS if name in facets},
        }
        text = json.dumps(told, ensure_ascii=False)
        for number, key in enumerate(self.keys[task]):
            text = text.replace(key, f"{{key {number}}}")
        for name, word in self.words.items():
            text = text.replace(word, f"{{{name}}}")
        found: dict[str, Any] = json.loads(re.sub(r"(ice://\S+) [0-9a-f]{32}", r"\1 {media}", text))
        return found


def _of_interest(facet: dict[str, Any]) -> dict[str, Any]:
    """A facet without what OpenLineage adds to each, and of an error its first line."""
    told = {name: value for name, value in facet.items() if not name.startswith("_") and name != "stackTrace"}
    if "message" in told:
        told["message"] = told["message"].splitlines()[0]
    return told


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    home = tmp_path_factory.mktemp("lineage")
    dags, events = home / "dags", home / "events"
    shutil.copytree(HERE / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    events.mkdir()
    (home / "template.json").write_text("{}")
    with LocalCloud(job_seconds=2) as cloud:
        make = cloud.control.create_job
        make("drs.job", "drs-1")
        made = {
            "good": make("dli.sql_job", end="success")["key"],
            "bad": make("dli.sql_job", steps=[("FAILED", 0)])["key"],
            "long": make("dli.sql_job", end="forever")["key"],
            "film": make("ice.url_upload", end="success", fields={"UploadURL": "https://films.test/c.mp4"})["key"],
        }
        variables = {**made, "signed": SIGNED, "secret": "S1gnature_queue", "template": str(home / "template.json")}
        env = {f"AIRFLOW_VAR_{name.upper()}": value for name, value in variables.items()}
        transport = {"type": "file", "log_file_path": str(events / "event")}
        env["AIRFLOW__OPENLINEAGE__TRANSPORT"] = json.dumps(transport)
        connections = {
            "huaweicloud_default": cloud.huawei_connection(project_id=PROJECT),
            "alibabacloud_default": cloud.alibaba_connection(),
        }
        with LocalAirflow(dags, connections=connections, env=env) as airflow:
            airflow.wait_for_dags(["lineage"], 120)
            run = airflow.trigger("lineage")
            (dags / "refused.py").write_text(REFUSED)
            for task in ("wait", "wait_begun"):
                airflow.wait_for_task("lineage", run, task, {"deferred"}, 120)
            cloud.control.set_status("dli.sql_job", made["long"], "FINISHED")
            airflow.wait_for_run("lineage", run, 180)
            words = {
                "cloud": cloud.url,
                "template": variables["template"],
                "project": project_id(DEFAULT_HUAWEI_REGION),
            }
            found = Seen([], words)
            for row in airflow.task_instances("lineage", run):
                keys = airflow.xcom("lineage", run, row["task_id"], "job_key", map_index=row["map_index"])
                found.keys[row["task_id"]] = keys if isinstance(keys, list) else [keys]
            until = time.monotonic() + 60
            while not (found.problems or time.monotonic() > until):
                found.problems = "\n".join(each["stack_trace"] for each in airflow.import_errors())
                time.sleep(0.2)
        found.events = [json.loads(path.read_text()) for path in events.iterdir()]
        found.events.sort(key=lambda event: event["eventTime"])
        yield found


@pytest.mark.parametrize("task", EXPECTED)
def test_events(task: str, seen: Seen) -> None:
    assert seen.told_of(task) == json.loads(EXPECTED[task].read_text())


def test_events_of_every_task_are_expected(seen: Seen) -> None:
    assert set(EXPECTED) == set(seen.keys)


def test_no_event_has_a_secret(seen: Seen) -> None:
    """OpenLineage tells of each task what arguments it has, too, and hides nothing of what Airflow's logs would."""
    texts = [json.dumps(event) for event in seen.events]
    assert any('"parameters"' in text for text in texts), "what was not told could not be seen"
    assert [text for text in texts if any(secret in text for secret in SECRETS)] == []


def test_airflow_refuses_an_end_on_the_triggerer(seen: Seen) -> None:
    """As it does wherever somebody listens to tasks: docs/lineage.md says so."""
    assert "Listeners are not supported with end_from_trigger=True" in seen.problems
