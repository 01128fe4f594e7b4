# SPDX-License-Identifier: Apache-2.0
"""One Airflow and one pair of clouds for the cases of a module, and the table at the end. Run by ``make faults``."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import suppress

import pytest
from fault_table import Row, drawn
from fault_world import Case, World, running
from support.executors import NAMES

from airflow_cloudjobs.demo.rest import AirflowProblem

TABLE = pytest.StashKey[list[Row]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=30, help="random kills of workers and triggerers; 30 by default")
    parser.addoption("--share", type=float, default=1.0, help="of tasks and waits in the cases of many; all by default")
    parser.addoption("--executor", choices=NAMES, default="local", help="celery: with two schedulers and triggerers")
    parser.addoption("--seed", type=int, default=time.time_ns() % 10**6, help="of the random kills; drawn if none")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = []
    config.addinivalue_line("markers", "executor(name): with another executor the case says nothing, or nothing new")
    config.addinivalue_line("markers", "cloud_alone: about jobs and clouds, the same whatever runs Airflow's tasks")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = config.getoption("executor")
    for item in items:
        if (mark := item.get_closest_marker("executor")) and chosen not in mark.args:
            item.add_marker(pytest.mark.skip(reason=f"not with --executor {chosen}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if rows := config.stash[TABLE]:
        terminalreporter.section("what came of every task")
        for line in drawn(rows):
            terminalreporter.line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the tasks' logs with a case that failed."""
    report = yield
    case = getattr(item, "funcargs", {}).get("case")
    if report.when == "call" and report.failed and case is not None:
        for row in case.world.launched:
            with suppress(AirflowProblem):
                report.sections.append((f"log of {row.case}: {row.dag_id} {row.word}", case.world.log(row)))
    return report


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[World]:
    executor = request.config.getoption("executor")
    with running(tmp_path_factory.mktemp("uploads"), request.module.AIRFLOW, executor) as world:
        yield world


@pytest.fixture
def case(everything: World, request: pytest.FixtureRequest) -> Case:
    everything.reset()
    return Case(everything, request.config.stash[TABLE], request.config.getoption("share"))
