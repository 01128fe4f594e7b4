# SPDX-License-Identifier: Apache-2.0
"""What all tests have: a home for Airflow, nothing of this machine's environment, and the local clouds."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from support.table import Tables

from airflow_cloudjobs.localcloud import Control, LocalCloud

if "airflow" not in sys.modules:  # nobody's own Airflow is touched
    _home = tempfile.mkdtemp(prefix="cloudjobs-tests-")
    atexit.register(shutil.rmtree, _home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = _home
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"

# Every Airflow that a test starts looks there for its local settings.
_path = (str(Path(__file__).parent / "settings"), os.environ.get("PYTHONPATH"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, _path))

# The fixtures that users have, also where the package is not installed as it is here.
pytest_plugins = ["airflow_cloudjobs.testing"]

# Where the run itself is in a shell's background, Ctrl-C is ignored, and what it starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no defect of what is tested.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")

#: How often a job is seen under way before its end, unless a test says otherwise: no busy machine changes that.
JOB_POLLS = 3

_CREDENTIALS = ("ALIBABA_CLOUD_", "HUAWEICLOUD_", "HC_CONTAINER_")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Tables(), "tables")


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no credential of the machine's environment takes part."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(_CREDENTIALS):
            monkeypatch.delenv(name)
    from airflow_cloudjobs.transport import environment

    environment._from_environment.cache_clear()


@pytest.fixture(scope="session")
def localcloud_settings() -> dict[str, Any]:
    """Jobs live by their polls: each poll is a second of their lives."""
    return {"job_seconds": JOB_POLLS, "seconds_per_poll": 1.0, "stale_seconds": 1.0, "cancel_seconds": 1.0}


@pytest.fixture
def cloud(localcloud_server: LocalCloud) -> LocalCloud:
    """The local clouds as new."""
    localcloud_server.control.reset()
    return localcloud_server


@pytest.fixture
def control(cloud: LocalCloud) -> Control:
    """The client of the control API of ``cloud``."""
    return cloud.control
