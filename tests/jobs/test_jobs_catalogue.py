# SPDX-License-Identifier: Apache-2.0
"""What ``cloudjobs apis``, ``check-api`` and ``wait`` say of job APIs that are data."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_cloudjobs import cli
from airflow_cloudjobs.api import JobApi
from airflow_cloudjobs.apis import CATALOGUE, KNOWN, declared_api


def test_the_command_shows_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["apis", "adb.spark_app"]) == 0
    shown = capsys.readouterr().out
    assert "succeeded:   COMPLETED" in shown
    assert "of a job:    DBClusterId" in shown
    assert "limit:       no {token} and no look-up" in shown
    assert "mrs.job" not in shown
    assert "to submit:   any other of SubmitSparkApp (sent in the form)" in shown


@pytest.mark.parametrize(
    ("api", "words"),
    [
        ("emr.spark_job", "submit once: by {token}"),
        ("imm.media_convert", "submit once: by {marker}, looked for with ListTasks"),
        ("dws.job", ""),
    ],
)
def test_the_command_says_how_a_submit_is_made_once(api: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["apis", api]) == 0
    shown = capsys.readouterr().out
    assert (words or "limit:       no {token} and no look-up") in shown
    assert ("submit once:" in shown) == bool(words)


def test_the_command_lists_all_in_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["apis"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(KNOWN)
    assert "oms.task                   huawei   OMS migration task" in lines


def test_the_command_gives_one_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["apis", "mrs.job", "--json"]) == 0
    assert JobApi.from_dict(json.loads(capsys.readouterr().out)) == declared_api("mrs.job")
    assert cli.main(["apis", "--json"]) == 0
    assert [one["api"] for one in json.loads(capsys.readouterr().out)] == list(CATALOGUE)
    assert cli.main(["apis", "dli.sql_job", "--json"]) == 2
    assert "not declared as data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--parameter lacks 'cluster_id', which ShowSingleJobExe needs"),
        (["--parameter", "cluster"], "--parameter cluster must be NAME=VALUE"),
        (
            ["--parameter", "x=1"],
            "--parameter x=… is not for a job of mrs.job; what names one beside its key: cluster_id",
        ),
        (["--parameter", "cluster_id=../x"], "cannot stand in a path"),
        (["--tid", "1"], "--tid is not for mrs.job"),
    ],
)
def test_the_command_to_wait_names_what_is_wrong(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["wait", "mrs.job", "k", *options]) == 2
    assert words in capsys.readouterr().err


def test_the_command_to_check_one_shows_what_it_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = replace(declared_api("adb.spark_app"), api="our.query", cancel=None).to_json()
    file = tmp_path / "查询.json"
    file.write_text(text, encoding="utf-8")
    assert cli.main(["check-api", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "our.query" in shown
    assert "limit:       no cancel" in shown
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert cli.main(["check-api", "-"]) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"failed": []}, "failed"),
        ({"poll": "DeleteSparkApp"}, "poll"),
        ({"tomorrow": 1}, "tomorrow"),
        (None, "JobApi"),
    ],
)
def test_the_command_to_check_one_names_the_field(
    changes: dict[str, Any] | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = [] if changes is None else {**declared_api("adb.spark_app").as_dict(), **changes}
    file = tmp_path / "api.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    assert cli.main(["check-api", str(file)]) == 1
    assert words in capsys.readouterr().err
    assert cli.main(["wait", str(file), "k"]) == 2
    assert words in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check-api", str(tmp_path / "none.json")]) == 2
    assert "none.json cannot be read" in capsys.readouterr().err
    assert cli.main(["wait", "none.json", "k"]) == 2
    assert "none.json cannot be read: No such file or directory" in capsys.readouterr().err
    assert cli.main(["wait", "none", "k"]) == 2
    assert "there is no API 'none' (`cloudjobs apis` lists them)" in capsys.readouterr().err
