# SPDX-License-Identifier: Apache-2.0
"""One Airflow for the tests of this folder that only ask it things."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_cloudjobs.demo.local_airflow import LocalAirflow

HERE = Path(__file__).parent

#: What the command line does for ``cloudjobs demo``.
DEMO = """
import argparse, sys
from airflow_cloudjobs.demo import show
parser = argparse.ArgumentParser()
show.add_arguments(parser)
sys.exit(show.main(parser.parse_args()))
"""

CONNECTION = {"conn_type": "http", "host": "example.test", "extra": {"region": "cn-shanghai"}}


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    """Run Airflow on a copy of the folder ``dags``, from a caller that has settings of its own."""
    dags = tmp_path_factory.mktemp("airflow") / "dags"
    shutil.copytree(HERE / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    foreign = {
        "AIRFLOW__CORE__EXECUTOR": "no.such.Executor",
        "AIRFLOW_CONN_OVER_THERE": "http://foreign.test",
    }
    before = {name: os.environ.get(name) for name in foreign}
    os.environ.update(foreign)
    try:
        local = LocalAirflow(dags, connections={"over_there": CONNECTION})
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    with local:
        local.wait_for_dags(timeout=120)
        yield local
    assert not local.home.exists()


@pytest.fixture
def demo_command() -> list[str]:
    """Give the command that runs the demo in a process of its own; options are to be appended."""
    return [sys.executable, "-c", DEMO]
