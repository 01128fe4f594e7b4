# SPDX-License-Identifier: Apache-2.0
"""The fixture ``localcloud`` that users have, and docs/testing.md: its files run as they stand."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from airflow_cloudjobs import testing
from airflow_cloudjobs.alibaba.hook import AlibabaCloudHook
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.testing import LocalClouds, LocalJob

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text()
#: The page's files by the path in their first line.
FILES = dict(re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
SQL = "dli.sql_job"


def rows(section: str) -> dict[str, str]:
    """A table of the page: the first cell's name (without arguments) -> the row."""
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return {match[1]: match[0] for match in re.finditer(r"^\| `(\w+).*$", text, re.MULTILINE)}


def submit(sql: str = "SELECT 1") -> str:
    operation = "SubmitSqlJob POST /v1.0/{project_id}/jobs/submit-job"
    return str(HuaweiCloudHook().call("dli", operation, body={"sql": sql}, patience=0)["job_id"])


def status(key: str) -> str:
    operation = "ShowSqlJobStatus GET /v1.0/{project_id}/jobs/{job_id}/status"
    return str(HuaweiCloudHook().call("dli", operation, job_id=key, patience=0)["status"])


def cancel(key: str) -> None:
    HuaweiCloudHook().call("dli", "CancelSqlJob DELETE /v1.0/{project_id}/jobs/{job_id}", job_id=key)


def test_the_pages_files_run(tmp_path: Path) -> None:
    """A project of a user: pytest finds the fixture, the DAGs run in ``dag.test()``."""
    for path, code in FILES.items():
        if "/" in path:
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(code)
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    env["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "airflow_cloudjobs.testing", "tests"]
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600)
    written = len(re.findall(r"^def test_", FILES["tests/test_orders.py"], re.MULTILINE))
    assert f"{written} passed" in ran.stdout, ran.stdout[-8000:]


def test_the_page_names_all_that_there_is() -> None:
    public = {name for name in vars(LocalClouds) if not name.startswith("_")}
    said, asked = rows("What can be said"), rows("What can be asked")
    assert {*said, *asked} == public
    for name in public - {"control", "url"}:
        parameters = set(inspect.signature(getattr(LocalClouds, name)).parameters) - {"self"}
        row = {**said, **asked}[name]
        assert parameters == set(re.findall(r"\w+", row.partition("(")[2].partition(")")[0])) - {"1"}, row
    assert {f"`{field.name}`" for field in fields(LocalJob)} <= set(re.findall(r"`\w+`", asked["jobs"]))


def test_pytest_finds_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {testing.__name__: testing.__name__}


def test_runs_that_do_not_use_it_pay_nothing() -> None:
    program = "import json, sys, pytest; import airflow_cloudjobs.testing; print(json.dumps(sorted(sys.modules)))"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run([sys.executable, "-c", program], env=env, check=True, capture_output=True, text=True).stdout
    loaded = set(json.loads(answer))
    assert {name for name in loaded if name.startswith("airflow")} == {"airflow_cloudjobs", "airflow_cloudjobs.testing"}
    assert not loaded & {"uvicorn", "starlette", "aiohttp", "requests"}


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("raise ImportError('no module named uvicorn')")
    (tmp_path / "test_it.py").write_text("def test_it(localcloud): pass")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "airflow_cloudjobs.testing", "test_it.py"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert "pip install 'airflow-provider-cloudjobs[localcloud]'" in ran.stdout
    assert "Traceback" not in ran.stdout


class TestSaid:
    @pytest.mark.parametrize("hook", [AlibabaCloudHook, HuaweiCloudHook])
    def test_the_default_connections(self, hook: Callable[[], AlibabaCloudHook], localcloud: LocalClouds) -> None:
        works, said = hook().test_connection()
        assert works, said

    def test_a_proxy_of_this_machine_is_not_asked(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        localcloud: LocalClouds = request.getfixturevalue("localcloud")
        submit()
        assert localcloud.submits() == 1

    def test_a_connection_by_another_name(self, localcloud: LocalClouds) -> None:
        localcloud.connect("prod_dli", "huawei", region="cn-north-1")
        works, said = HuaweiCloudHook("prod_dli").test_connection()
        assert works, said
        with pytest.raises(ValueError, match="cloud is one of alibaba, huawei, not 'aws'"):
            localcloud.connect("x", "aws")

    def test_the_next_job(self, localcloud: LocalClouds) -> None:
        localcloud.jobs_take(0)
        localcloud.next_job(SQL, "fail", reason="no such table", match="orders")
        assert [status(submit(sql)) for sql in ("SELECT 1", "SELECT 1 FROM orders", "SELECT 1 FROM orders")] == [
            "FINISHED",
            "FAILED",
            "FINISHED",
        ]

    def test_how_long_it_takes(self, localcloud: LocalClouds) -> None:
        localcloud.jobs_take(1)
        localcloud.next_job(SQL, seconds=2)
        keys = submit(), submit()
        assert [[status(key) == "FINISHED" for _ in range(3)] for key in keys] == [
            [False, False, True],
            [False, True, True],
        ]

    @pytest.mark.parametrize(
        ("trouble", "kind"),
        [
            (lambda clouds: clouds.throttle("poll"), ErrorKind.THROTTLED),
            (lambda clouds: clouds.fail_calls(503, "poll"), ErrorKind.TRANSIENT),
            (lambda clouds: clouds.fail_calls(403, "poll"), ErrorKind.DENIED),
            (lambda clouds: clouds.go_away("poll"), ErrorKind.TRANSIENT),
        ],
    )
    def test_trouble_until_it_is_over(
        self, trouble: Callable[[LocalClouds], None], kind: ErrorKind, localcloud: LocalClouds
    ) -> None:
        key = submit()
        trouble(localcloud)
        for _ in range(3):
            with pytest.raises(CloudApiError) as caught:
                status(key)
            assert caught.value.kind is kind
        localcloud.recover()
        assert status(key)

    def test_trouble_for_a_number_of_calls(self, localcloud: LocalClouds) -> None:
        key = submit()
        localcloud.fail_calls(503, "poll", calls=1)
        with pytest.raises(CloudApiError):
            status(key)
        assert status(key)

    def test_an_answer_that_is_lost(self, localcloud: LocalClouds) -> None:
        localcloud.lose_answers()
        with pytest.raises(CloudApiError):
            submit()
        assert localcloud.submits(SQL) == len(localcloud.jobs(SQL)) == 1


class TestAsked:
    def test_what_was_done(self, localcloud: LocalClouds) -> None:
        key = submit("SELECT 2")
        status(key)
        cancel(key)
        [job] = localcloud.jobs(SQL)
        assert (job.api, job.key, job.ended, job.polls, job.fields["sql"]) == (SQL, key, False, 1, "SELECT 2")
        for count in (localcloud.submits, localcloud.polls, localcloud.cancels):
            assert (count(), count(SQL), count("ice.url_upload")) == (1, 1, 0)
        assert localcloud.jobs("ice.url_upload") == []

    def test_each_test_has_them_as_new(self, localcloud: LocalClouds) -> None:
        assert (localcloud.jobs(), localcloud.submits(), localcloud.control.faults()) == ([], 0, [])
