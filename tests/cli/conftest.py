# SPDX-License-Identifier: Apache-2.0
"""The command in this process and in one of its own, with the default connections to the local clouds."""

from __future__ import annotations

from pathlib import Path

import pytest
from clicalls import Call, Done

from airflow_cloudjobs import cli
from airflow_cloudjobs.localcloud import LocalCloud
from airflow_cloudjobs.testing import LocalClouds


@pytest.fixture
def cloud(localcloud_server: LocalCloud, localcloud: LocalClouds) -> LocalCloud:
    """The local clouds as new, with the default connections to them."""
    return localcloud_server


@pytest.fixture
def lucky(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses after trouble are short."""
    monkeypatch.setattr("random.random", lambda: 0.0)
    monkeypatch.setattr("airflow_cloudjobs.submit.LOOKS", (0.0, 0.05, 0.1))


@pytest.fixture
def call(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call the command in this process."""

    def called(*arguments: str) -> Done:
        capsys.readouterr()
        try:
            code = cli.main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        return Done(code, *capsys.readouterr())

    return called


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A file that DRS takes."""
    path = tmp_path / "objects.json"
    path.write_text('{"tables": ["orders"]}')
    return path
