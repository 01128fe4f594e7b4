# SPDX-License-Identifier: Apache-2.0
"""One Airflow, its page in one browser, and the local clouds that its connections lead to. Run by ``make web``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from web_browser import SHOTS, Browser
from web_connections import ConnectionsPage

from airflow_cloudjobs.demo.local_airflow import LocalAirflow
from airflow_cloudjobs.localcloud import LocalCloud

DAGS = Path(__file__).parent / "dags"


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(job_seconds=1.0) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def airflow(cloud: LocalCloud) -> Iterator[LocalAirflow]:
    connections = {
        "asking": cloud.alibaba_connection(),
        "huaweicloud_default": cloud.huawei_connection(),
        "wrong_secret": cloud.alibaba_connection() | {"password": "not-the-secret"},
    }
    with LocalAirflow(DAGS, connections=connections, env={"AIRFLOW__CORE__TEST_CONNECTION": "Enabled"}) as airflow:
        airflow.wait_for_dags(["by_hand", "stored", "asking", "red"], timeout=120)
        yield airflow


@pytest.fixture(scope="session")
def browser(airflow: LocalAirflow) -> Iterator[Browser]:
    with Browser(airflow.url) as browser:
        yield browser


@pytest.fixture(scope="session")
def page(browser: Browser) -> ConnectionsPage:
    return ConnectionsPage(browser)


def pytest_sessionstart() -> None:
    shutil.rmtree(SHOTS, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"{len(list(SHOTS.glob('*.png')))} screenshots are in {SHOTS}")
