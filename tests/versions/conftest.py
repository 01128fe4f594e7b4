# SPDX-License-Identifier: Apache-2.0
"""The matrix of ``tests/tasks`` once more, on the Airflow that is installed, whichever it is (``make versions``)."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

if "AIRFLOW_HOME" not in os.environ:  # before anything imports Airflow
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="cloudjobs-tests-versions-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

sys.path.insert(0, str(Path(__file__).parents[1] / "tasks"))

from any_airflow import AnyAirflow
from matrix_run import Matrix, run_matrix


@pytest.fixture(scope="session")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    """What became of every task of the matrix; it is run once."""
    return run_matrix(tmp_path_factory.mktemp("matrix"), AnyAirflow)
