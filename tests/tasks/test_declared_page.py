# SPDX-License-Identifier: Apache-2.0
"""docs/declare-an-api.md says what is true: what it shows runs as it stands, and what it quotes is said."""

from __future__ import annotations

import json
import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest
from taskbench import SUCCESS, run

from airflow_cloudjobs import cli
from airflow_cloudjobs.alibaba.jobs import AlibabaJobOperator, AlibabaJobSensor
from airflow_cloudjobs.api import Call, InvalidJobApi, JobApi
from airflow_cloudjobs.apis import CATALOGUE
from airflow_cloudjobs.jobs.placeholders import holes_in
from airflow_cloudjobs.localcloud import LocalCloud

PAGE = (Path(__file__).parents[2] / "docs" / "declare-an-api.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
BLOCKS = dict(re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))


def rows(section: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line.strip("|").split(" | ") for line in SECTIONS[section].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in cells] for cells in lines[2:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


API = json.loads(BLOCKS["json"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A DAG folder with what the page has the reader write."""
    (tmp_path / "spark.json").write_text(BLOCKS["json"])
    (tmp_path / "our_spark.py").write_text(BLOCKS["python"])
    return tmp_path


def test_its_check_prints_what_it_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check-api", str(folder / "spark.json")]) == 0
    shown = capsys.readouterr().out
    assert [line for line in BLOCKS[""].splitlines() if line not in shown.splitlines()] == []


def test_its_wait_runs(folder: Path, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    start, wait = map(shlex.split, BLOCKS["bash"].splitlines())
    job = json.loads(start[-1])
    cloud.control.create_job(job["api"], job["key"])
    monkeypatch.chdir(folder)
    assert wait[0] == "cloudjobs"
    assert cli.main([*wait[1:], "--interval", "0.1"]) == 0


def test_its_dag_runs(folder: Path, cloud: LocalCloud) -> None:
    def tasks() -> dict[str, Any]:
        made = runpy.run_path(str(folder / "our_spark.py"))
        return {task.task_id: task for task in made["run"].dag.tasks}

    assert isinstance(tasks()["look"], AlibabaJobSensor)
    ran = run(lambda: tasks()["run"], ds="2026-01-01")
    assert (ran.state, ran.result["outcome"]) == (SUCCESS, "succeeded")
    assert cloud.control.jobs("emr.spark_job")[0]["fields"]["name"] == "daily 2026-01-01"


def test_no_block_is_left_out() -> None:
    assert PAGE.count("```") == 2 * len(BLOCKS)


def test_it_counts_the_catalogue() -> None:
    assert f"{len(CATALOGUE)} come with the package" in PAGE


def test_a_look_up_is_written_as_it_says() -> None:
    [fields] = [cell for cells in rows("Submit once") for cell in quoted(cells[1]) if "find" in cell]
    plain = {name: value for name, value in API.items() if name not in ("submit", "poll", "cancel")}
    calls = {"submit": "StartJob POST /jobs", "poll": "GetJob GET /jobs/{key}", "service": "dli"}
    assert not JobApi.from_dict({**plain, **calls, **json.loads(f"{{{fields}}}")}).takes_token


MISTAKES: dict[str, dict[str, Any]] = {
    "poll does not name the job": {"poll": "GetJobRun GET /api/v1/workspaces/{workspaceId}/jobRuns/{jobRunId}"},
    "calls of Huawei Cloud have a method and a path": {"service": "emr-serverless-spark", "submit": "StartJobRun"},
    "words are separated by blanks alone": {"failed": "Failed, Expired"},
}


@pytest.mark.parametrize("told", MISTAKES)
def test_a_mistake_is_told_as_it_says(told: str) -> None:
    assert told in [words for cells in rows("What goes wrong first") for words in quoted(cells[0])]
    with pytest.raises(InvalidJobApi, match=told):
        JobApi.from_dict({**API, **MISTAKES[told]})


WRONG_ANSWERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "which a job of our.spark needs": ({}, {"parameters": {}}),
    "undocumented status 'Queued'": ({"succeeded": "Done"}, {}),
    "'' (no 'status' in …)": ({"status": "status"}, {}),
    "does not know this job (its answer has …)": ({"job": "run"}, {}),
    "the host asked was …": ({}, {"key": "jr-2"}),
}


@pytest.mark.parametrize("told", WRONG_ANSWERS)
def test_what_a_sensor_says_is_what_it_says(told: str, cloud: LocalCloud) -> None:
    assert told in [words for cells in rows("What goes wrong first") for words in quoted(cells[0])]
    changes, arguments = WRONG_ANSWERS[told]
    cloud.control.create_job("emr.spark_job", "jr-1")
    given = {"key": "jr-1", "parameters": {"workspaceId": "w-1"}, "poke_interval": 0.03, **arguments}
    words = re.escape(told.replace("Queued", "Success")).replace("…", r".*\w.*")

    api = JobApi.from_dict({**API, **changes})
    assert re.search(words, str(run(lambda: AlibabaJobSensor(task_id="look", api=api, **given)).error))


def test_a_key_that_is_not_where_it_should_be(cloud: LocalCloud) -> None:
    [told] = [words for cells in rows("What goes wrong first") for words in quoted(cells[0]) if "names no job" in words]
    api = JobApi.from_dict({**API, "key": "id"})
    parameters = {"workspaceId": "w-1", "name": "daily", "codeType": "JAR", "jobDriver": {"sparkSubmit": {}}}
    ran = run(lambda: AlibabaJobOperator(task_id="run", api=api, parameters=parameters))
    assert re.search(re.escape(told).replace("…", ".*jobRunId.*"), str(ran.error))


def test_every_quoted_message_is_tried() -> None:
    quotes = {words for cells in rows("What goes wrong first") for words in quoted(cells[0])}
    assert quotes == {*MISTAKES, *WRONG_ANSWERS, "names no job (it has …)"}


@pytest.mark.parametrize("cells", rows("More that can be said"), ids=lambda cells: cells[0][:30])
def test_what_more_can_be_said_can_be(cells: list[str]) -> None:
    """Between ';' stands one way, between ',' what belongs together."""
    ways = cells[1].split("`; `")
    assert ways
    for way in ways:
        texts = quoted(f"`{way.strip('`')}`")
        if texts[0].startswith('"'):
            assert holes_in(json.loads(texts[0]))
            continue
        fields = eval(f"dict({', '.join(texts)})", {"Call": Call})  # noqa: S307 - the page's own text
        made = JobApi(**{**API, "submit": "StartTask", "poll": Call("GetTask", query={"Id": "{key}"}), **fields})
        assert set(fields) <= set(made.as_dict()), "it says what holds anyway"
