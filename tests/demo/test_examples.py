# SPDX-License-Identifier: Apache-2.0
"""The example DAGs, as Airflow finds them by itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_cloudjobs.demo.expectation import expected_in
from airflow_cloudjobs.demo.show import EXAMPLES

#: Airflow's own search for bundles, with its default of ``load_examples``; then what is in ours, without a connection.
FIND = """
import json
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag

bundles = {bundle.name: bundle for bundle in DagBundlesManager().get_all_dag_bundles()}
bag = DagBag(bundles["airflow-provider-cloudjobs-example-dags"].path)
print(json.dumps({
    "errors": bag.import_errors,
    "dags": {
        dag.dag_id: {
            "file": dag.fileloc,
            "description": dag.description,
            "doc_md": dag.doc_md,
            "tags": sorted(dag.tags),
            "retries": {task.task_id: task.retries for task in dag.tasks},
            "tasks": [task.task_id for task in dag.tasks],
        }
        for dag in bag.dags.values()
    },
}))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment["AIRFLOW_HOME"] = str(tmp_path_factory.mktemp("home"))
    done = subprocess.run([sys.executable, "-c", FIND], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Could not load provider module" not in done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == {}
    return found


def test_airflow_finds_them_without_a_connection(found: dict[str, Any]) -> None:
    files = {path.stem for path in EXAMPLES.glob("*.py")}
    assert set(found["dags"]) == files
    assert all(Path(dag["file"]).stem == dag_id for dag_id, dag in found["dags"].items())


def test_each_says_what_it_shows(found: dict[str, Any]) -> None:
    for dag_id, dag in found["dags"].items():
        assert dag["description"], dag_id
        title, empty, *lines = dag["doc_md"].strip().splitlines()
        assert title.startswith("### "), dag_id
        assert (empty, 3 <= len([line for line in lines if line]) <= 8) == ("", True), dag_id
        assert dag["tags"][0] in ("alibaba", "cloudjobs"), dag_id
        assert all(re.fullmatch("[a-z]+", tag) for tag in dag["tags"]), "for people, not for tests"


def test_each_retries_its_jobs_but_the_one_that_shows_a_failure(found: dict[str, Any]) -> None:
    for dag_id, dag in found["dags"].items():
        assert max(dag["retries"].values()) == (0 if dag_id == "failure_handled" else 2), dag_id


def test_what_is_expected_is_there(found: dict[str, Any]) -> None:
    for dag_id, expected in expected_in(EXAMPLES).items():
        assert set(expected) <= set(found["dags"][dag_id]["tasks"])


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_each_has_a_piece_for_the_documentation(path: Path) -> None:
    marks = re.findall(r"# \[(START|END) (howto_\w+)\]", path.read_text())
    assert marks, "no part of it is marked"
    for (start, name), (end, same) in zip(marks[::2], marks[1::2], strict=True):
        assert (start, end, name) == ("START", "END", same)
