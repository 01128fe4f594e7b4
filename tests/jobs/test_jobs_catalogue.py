# SPDX-License-Identifier: Apache-2.0
"""The job APIs that come as data: complete, and as the vendor's SDK has them where that is installed."""

from __future__ import annotations

import inspect
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkdli.v1 import DliClient
from huaweicloudsdkdli.v1.model import ShowSparkJobStatusResponse

from airflow_cloudjobs import cli
from airflow_cloudjobs.api import JobApi
from airflow_cloudjobs.apis import CATALOGUE, SPECS, declared_api, spec_of, stored_form


@pytest.mark.parametrize("api", CATALOGUE)
def test_an_entry_is_complete(api: str) -> None:
    declared = declared_api(api)
    assert declared.api == api
    assert declared.title
    assert declared.source
    assert declared.console
    assert declared.cancel is not None
    assert stored_form(declared) == api
    assert spec_of(api).api == api
    assert JobApi.from_json(declared.to_json()) == declared


def test_no_id_is_given_twice() -> None:
    assert not set(CATALOGUE) & set(SPECS)
    assert len({declared_api(api).digest for api in CATALOGUE}) == len(CATALOGUE)


def test_an_unknown_id_names_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"there is no API 'a\.b'; known are .*dli\.sql_job.*emr\.spark_job"):
        declared_api("a.b")


def test_dli_spark_is_as_its_sdk_says() -> None:
    api = declared_api("dli.spark_batch")
    for call in api.calls.values():
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", call.operation).lower()
        source = inspect.getsource(getattr(DliClient, f"_{name}_http_info"))
        path = re.sub(r"\{(?!project_id)\w+\}", "{key}", re.findall(r'"resource_path": "([^"]+)"', source)[0])
        assert (call.method, call.path) == (re.findall(r'"method": "(\w+)"', source)[0], path)
    page = inspect.getdoc(ShowSparkJobStatusResponse.__init__) or ""
    documented = set(re.findall(r"\b([a-z]+)\W批处理作业", page))
    assert documented == {*api.running, *api.succeeded, *api.failed}


def test_the_command_shows_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["apis", "adb.spark_app"]) == 0
    shown = capsys.readouterr().out
    assert "succeeded:   COMPLETED" in shown
    assert "of a job:    DBClusterId" in shown
    assert "limit:       no {token} and no look-up" in shown
    assert "mrs.job" not in shown


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
        ([], "lacks 'cluster_id', which ShowSingleJobExe needs"),
        (["--parameter", "cluster"], "--parameter cluster is not for mrs.job"),
        (["--parameter", "x=1"], "its are NAME=VALUE of cluster_id"),
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
    assert "there is no API 'none.json'; known are" in capsys.readouterr().err
