# SPDX-License-Identifier: Apache-2.0
"""A home of their own for the tests of this folder, and the local clouds they talk to."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

import pytest

if "airflow" not in sys.modules:
    _home = tempfile.mkdtemp(prefix="cloudjobs-tests-")
    atexit.register(shutil.rmtree, _home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = _home
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"

from airflow_cloudjobs.localcloud import Control, LocalCloud


@pytest.fixture(scope="session")
def running_cloud() -> Iterator[LocalCloud]:
    with LocalCloud(job_seconds=0.3, stale_seconds=0.1, cancel_seconds=0.1) as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: LocalCloud) -> LocalCloud:
    running_cloud.control.reset()
    return running_cloud


@pytest.fixture
def control(cloud: LocalCloud) -> Control:
    return cloud.control


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine's environment says about proxies is not what is tested here."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    from airflow_cloudjobs.http import environment

    environment._from_environment.cache_clear()
