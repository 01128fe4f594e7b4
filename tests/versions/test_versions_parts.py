# SPDX-License-Identifier: Apache-2.0
"""What works without a task: imports, connection forms, the commands."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest
from any_airflow import AIRFLOW, IS_AIRFLOW_3
from packaging.version import Version
from rotation import AIRFLOWS, PYTHONS

import airflow_cloudjobs
from airflow_cloudjobs import compat
from airflow_cloudjobs.alibaba.hook import AlibabaCloudHook
from airflow_cloudjobs.alibaba.ice import IceUrlUploadOperator, IceUrlUploadSensor
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator, DliSqlJobSensor
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.localcloud import LocalCloud

MODULES = [module.name for module in pkgutil.walk_packages(airflow_cloudjobs.__path__, "airflow_cloudjobs.")]


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_a_module_is_imported(name: str) -> None:
    if name.endswith(".lineage"):
        pytest.importorskip("airflow.providers.openlineage.extractors")
    import_module(name)


def test_the_table_has_the_pythons_of_this_airflow() -> None:
    told = metadata("apache-airflow").get_all("Classifier")
    assert told is not None
    mine = [python for python in PYTHONS if f"Programming Language :: Python :: {python}" in told]
    assert tuple(mine) == AIRFLOWS[str(AIRFLOW)]


@pytest.mark.parametrize("hook", [AlibabaCloudHook, HuaweiCloudHook])
def test_a_form_of_airflow_2(hook: Any) -> None:
    if not IS_AIRFLOW_3:
        assert {"auth", "region", "proxy", "verify"} <= set(hook.get_connection_form_widgets())
    assert hook.get_ui_field_behaviour()["relabeling"]["host"] == "Host for all services"


def test_airflow_shows_the_connection_types(tmp_path: Path) -> None:
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "COLUMNS": "300"}
    command = [sys.executable, "-P", "-m", "airflow", "providers", "hooks", "--output", "plain"]
    answer = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    for hook in (AlibabaCloudHook, HuaweiCloudHook):
        [line] = [line for line in answer.splitlines() if line.startswith(hook.conn_type)]
        assert hook.hook_name in line


def test_airflow_lists_the_option(tmp_path: Path) -> None:
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CLOUDJOBS__STATE_PATH": "/some/folder"}
    command = [sys.executable, "-P", "-m", "airflow", "config", "list", "--section", "cloudjobs"]
    answer = subprocess.run([*command, "--include-descriptions"], env=env, check=True, capture_output=True, text=True)
    # Airflow 3.2 and later show no value of ours.
    shown = "# state_path = " if Version("3.2") <= AIRFLOW else "state_path = /some/folder"
    assert shown in answer.stdout.splitlines()
    assert "Not used on Airflow 3.3 and later" in answer.stdout


@pytest.mark.skipif(compat.triggers_end_tasks(), reason="this Airflow can do it")
def test_what_this_airflow_cannot_do_is_refused() -> None:
    arguments = {"task_id": "t", "deferrable": True}
    with pytest.raises(ValueError, match=r"end_from_trigger.*needs Airflow 3\.3"):
        DliSqlJobOperator(sql="SELECT 1", end_from_trigger=True, **arguments)
    with pytest.raises(ValueError, match=r"start_from_trigger.*needs Airflow 3\.3"):
        DliSqlJobSensor(job_id="1", start_from_trigger=True, **arguments)


@pytest.mark.skipif(not IS_AIRFLOW_3, reason="Airflow 2 hides secrets where it stores them; the matrix looks there")
def test_what_a_worker_has_stored_of_arguments_has_no_secret() -> None:
    from airflow.sdk.execution_time.comms import SetRenderedFields
    from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields

    signed = "https://files.test/a.mp4?Expires=1900000000&Signature=c4nary-s3cret"
    for task in (
        DliSqlJobOperator(task_id="t", sql="SELECT 'c4nary-s3cret'"),
        IceUrlUploadOperator(task_id="t", upload_urls=[signed]),
        IceUrlUploadSensor(task_id="t", upload_urls=signed),
    ):
        task.render_template_fields({})
        stored = SetRenderedFields(rendered_fields=_serialize_rendered_fields(task)).model_dump_json()
        assert "c4nary" not in stored
        assert "SELECT … (" in stored or "a.mp4" in stored


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud() as cloud:
        cloud.control.create_job("dli.sql_job", "good", steps=[("FINISHED", 0)])
        cloud.control.create_job("dli.sql_job", "bad", steps=[("FAILED", 0)])
        yield cloud


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["apis"], 0),
        (["check", "huaweicloud_default"], 0),
        (["wait", "dli.sql_job", "--conn-id", "huaweicloud_default", "good"], 0),
        (["wait", "dli.sql_job", "--conn-id", "huaweicloud_default", "bad"], 1),
    ],
)
def test_a_command(arguments: list[str], code: int, cloud: LocalCloud, tmp_path: Path) -> None:
    env = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW_CONN_HUAWEICLOUD_DEFAULT": json.dumps(cloud.huawei_connection()),
    }
    command = [sys.executable, "-P", "-m", "airflow_cloudjobs.cli", *arguments]
    ran = subprocess.run(command, env=env, capture_output=True, text=True)
    assert ran.returncode == code, ran.stdout + ran.stderr
