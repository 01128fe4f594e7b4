# SPDX-License-Identifier: Apache-2.0
"""Local clouds for the tests of this folder, no credential of this machine, and the table of what was seen."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

if "AIRFLOW_HOME" not in os.environ:  # before anything imports Airflow
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="cloudjobs-tests-credentials-")

from credential_modes import SEEN

from airflow_cloudjobs.localcloud import Control, LocalCloud

_PREFIXES = ("ALIBABA_CLOUD_", "HUAWEICLOUD_", "HC_CONTAINER_")


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The default chains look at the environment and the home directory."""
    for name in list(os.environ):
        if name.startswith(_PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def running_cloud() -> Iterator[LocalCloud]:
    with LocalCloud(job_seconds=0.3) as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: LocalCloud) -> LocalCloud:
    running_cloud.control.reset()
    return running_cloud


@pytest.fixture
def control(cloud: LocalCloud) -> Control:
    return cloud.control


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table mode x driver x case."""
    if not SEEN:
        return
    cases = sorted({case for _, _, case in SEEN}, key=("works", "expires", "ended early", "revoked").index)
    width = {case: max(len(case), *(len(text) for (_, _, c), text in SEEN.items() if c == case)) for case in cases}
    terminalreporter.write_sep("-", "credential modes")
    head = "  ".join(f"{case:<{width[case]}}" for case in cases)
    terminalreporter.write_line(f"{'mode':<24} {'driver':<9} {head}".rstrip())
    for mode, driver in sorted({(mode, driver) for mode, driver, _ in SEEN}):
        row = "  ".join(f"{SEEN.get((mode, driver, case), '-'):<{width[case]}}" for case in cases)
        terminalreporter.write_line(f"{mode:<24} {driver:<9} {row}".rstrip())
