# SPDX-License-Identifier: Apache-2.0
"""A home of their own for the tests of this folder, and the local clouds that hooks talk to."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

if "airflow" not in sys.modules:
    _home = tempfile.mkdtemp(prefix="cloudjobs-tests-")
    atexit.register(shutil.rmtree, _home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = _home
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"

from airflow_cloudjobs.connection.settings import ConnectionFields
from airflow_cloudjobs.localcloud import LocalCloud

MakeFields = Callable[..., ConnectionFields]


@pytest.fixture(scope="session")
def running_cloud() -> Iterator[LocalCloud]:
    with LocalCloud() as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: LocalCloud) -> LocalCloud:
    running_cloud.control.reset()
    return running_cloud


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], str]:
    """Put a connection where Airflow finds it; gives its id."""

    def put(connection: dict[str, Any]) -> str:
        monkeypatch.setenv("AIRFLOW_CONN_TESTED", json.dumps(connection))
        return "tested"

    return put


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no credential of the machine's environment takes part."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(("ALIBABA_CLOUD_", "HUAWEICLOUD_")):
            monkeypatch.delenv(name)
    from airflow_cloudjobs.http import environment

    environment._from_environment.cache_clear()
