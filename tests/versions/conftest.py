# SPDX-License-Identifier: Apache-2.0
"""The matrix of ``tests/tasks`` once more, on the Airflow that is installed, whichever it is (``make versions``)."""

from __future__ import annotations

import pytest
from any_airflow import AnyAirflow
from support.matrix_run import Matrix, run_matrix


@pytest.fixture(scope="session")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    """What became of every task of the matrix; it is run once."""
    return run_matrix(tmp_path_factory.mktemp("matrix"), AnyAirflow)
