# SPDX-License-Identifier: Apache-2.0
"""The command in this process and in one of its own, with the default connections to the local clouds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from airflow_cloudjobs import cli
from airflow_cloudjobs.localcloud import LocalCloud

COMMAND = [sys.executable, "-m", "airflow_cloudjobs.cli"]


class Done(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The result, where it is JSON."""
        return json.loads(self.out)


Call = Callable[..., Done]


@pytest.fixture
def cloud(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> LocalCloud:
    """The local clouds as new, with the default connections to them."""
    for conn_id, connection in (
        ("ALIBABACLOUD_DEFAULT", cloud.alibaba_connection()),
        ("HUAWEICLOUD_DEFAULT", cloud.huawei_connection()),
    ):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", json.dumps(connection))
    return cloud


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


def run(*arguments: str, command: Sequence[str] = COMMAND, **env: str) -> Done:
    """Call the command in a process of its own."""
    done = subprocess.run(
        [*command, *arguments], env={**os.environ, **env}, capture_output=True, text=True, timeout=120
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A file that DRS takes."""
    path = tmp_path / "objects.json"
    path.write_text('{"tables": ["orders"]}')
    return path
