# SPDX-License-Identifier: Apache-2.0
"""The demo from end to end: real clouds on localhost, a real Airflow, and what is printed."""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
from pathlib import Path

import pytest

from airflow_cloudjobs.demo.local_airflow import LocalAirflow
from airflow_cloudjobs.demo.screen import Screen
from airflow_cloudjobs.demo.show import add_arguments, main, run_all, run_demo

HERE = Path(__file__).parent


def test_all_as_expected_ends_with_the_table_and_zero(demo_command: list[str]) -> None:
    # A pipe whose encoding is ASCII, as in a container without a locale.
    done = subprocess.run(
        [*demo_command, "--dags", str(HERE / "demo_dags")],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
        timeout=240,
    )
    text = done.stdout.decode("ascii")
    assert done.returncode == 0, text + done.stderr.decode()
    table = [re.split(r"  +", line.strip()) for line in text.partition("----\n")[2].splitlines()]
    rows = {tuple(row[:2]): row[2:5] for row in table if len(row) == 6}
    assert rows == {
        ("handled", "failing_job"): ["dli.sql_job", "key-failed", "failed (FAILED), task failed"],
        ("listed", "jobs"): ["dli.sql_job", "key-a, key-b", "succeeded (SUCCEEDED), task success"],
        ("lost", "job_without_result"): ["(@task)", "key-lost", "no result, task failed"],
        ("mapped", "job[0]"): ["dli.sql_job", "key-0", "succeeded (SUCCEEDED), task success"],
        ("mapped", "job[1]"): ["dli.sql_job", r"key-gr\xf6\xdfe", "succeeded (SUCCEEDED), task success"],
    }
    assert "every run ended as expected" in text
    for change in ("handled.failing_job  failed", "handled: run  success", "follows: run  success"):
        assert text.count(change) == 1


def test_a_surprise_and_an_endless_run_are_told_with_their_logs(airflow: LocalAirflow) -> None:
    out = io.StringIO()

    code = run_all(airflow, Screen(out), run_limit=8)

    text = out.getvalue()
    assert code == 1, text
    assert re.search(r"fails\.fail ended as failed, expected was success\n( {4}.*\n)* {4}RuntimeError: Tab", text)
    assert "fails: the run ended as failed, expected was success" in text
    assert "deferred_for_hours: the run has not ended within 8 s, it is running" in text
    assert "deferred_for_hours.wait is deferred\n    " in text
    assert "\nmapped " not in text.partition("-----\n")[2], "a task without a job has no row"
    assert "every run ended" not in text


def test_an_airflow_that_does_not_start_ends_with_one_and_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "airflow"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('broken on purpose')\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    out = io.StringIO()

    assert run_demo(HERE / "demo_dags", ui=False, job_seconds=1, out=out) == 1

    assert re.search("(?s)The demo failed: 'airflow db migrate' failed:.*broken on purpose", out.getvalue())


@pytest.mark.parametrize("name", ["no_such_folder", "."])
def test_a_folder_without_dags_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert main(parser.parse_args(["--dags", str(tmp_path / name)])) == 2
    assert "is not a folder with DAG files" in capsys.readouterr().err
