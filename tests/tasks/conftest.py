# SPDX-License-Identifier: Apache-2.0
"""A connection to each local cloud for the tests of this folder, and the run of the matrix."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalogue_matrix import CatalogueMatrix
from support.matrix_cases import CASES
from support.matrix_run import Matrix, run_matrix
from support.table import Table, columns, show_at_the_end

from airflow_cloudjobs.localcloud import LocalCloud
from airflow_cloudjobs.testing import LocalClouds


@pytest.fixture
def cloud(localcloud_server: LocalCloud, localcloud: LocalClouds) -> LocalCloud:
    """The local clouds as new, with the default connections to them."""
    return localcloud_server


@pytest.fixture(autouse=True)
def no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """No event is held: where these tests run a task there is no scheduler that could fail it for coming back soon."""
    monkeypatch.setattr("airflow_cloudjobs.compat.EVENT_HOLD", 0.0)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A file that DRS takes."""
    path = tmp_path / "objects.json"
    path.write_text('{"tables": ["orders"]}')
    return path


@pytest.fixture
def lucky(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every drawn pause is the shortest there is; unlucky ones after trouble last seconds."""
    monkeypatch.setattr("random.random", lambda: 0.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for a job that may have been submitted without pauses between the looks."""
    monkeypatch.setattr("airflow_cloudjobs.submit.LOOKS", (0.0, 0.05, 0.1))


@pytest.fixture(scope="session")
def matrix(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Matrix:
    """What became of every task of the matrix on a real Airflow; it is run once."""
    matrix = run_matrix(tmp_path_factory.mktemp("matrix"))
    show_at_the_end(request.config, lambda: _drawn(matrix))
    return matrix


@pytest.fixture(scope="session")
def catalogue(request: pytest.FixtureRequest) -> CatalogueMatrix:
    """What became of the tasks of the catalogue's APIs; each is run when it is first asked for."""
    catalogue, title = CatalogueMatrix(), "the catalogue's APIs x modes x ends: state, submits/cancels"
    show_at_the_end(request.config, lambda: (title, columns(catalogue.lines())))
    return catalogue


def _drawn(matrix: Matrix) -> Table:
    """The matrix: class and mode down, ends across."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for case in CASES:
        end = f"{case.flag} {case.end}".strip()
        rows.setdefault((case.name, case.mode), {})[end] = matrix.of(case).state
    ends = list(dict.fromkeys(end for row in rows.values() for end in row))
    plain = [end for end in ends if "_" not in end]
    lines: list[str] = []
    for shown in (plain, [end for end in ends if end not in plain]):
        cells = [
            (name, mode, *(row.get(end, "") for end in shown))
            for (name, mode), row in rows.items()
            if any(end in row for end in shown)
        ]
        lines += columns([("", "", *shown), *cells])
    return f"tasks x modes x ends on a real Airflow ({matrix.seconds:.0f} s)", lines
