# SPDX-License-Identifier: Apache-2.0
"""Secrets that are planted wherever there can be some are found nowhere: not in a log at DEBUG, not in the database,
not in what the web page is given. Run by ``make web``."""

from __future__ import annotations

import pytest
from leak_cases import CASES, Case
from leak_run import Outcome, run_leaks
from leak_search import forms


@pytest.fixture(scope="session")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return run_leaks(tmp_path_factory.mktemp("leaks"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.task_id)
def test_every_task_ended_as_meant(case: Case, outcome: Outcome) -> None:
    """A task that never came to its secret would prove nothing."""
    log = "\n".join(line for line in outcome.logs[case.task_id].splitlines() if " debug " not in line)
    assert outcome.states[case.task_id] == ("success" if case.end == "success" else "failed"), log[-3000:]
    if "wrong" in case.connection:
        assert "check" in log, "it says what is wrong"


def test_everything_was_looked_at(outcome: Outcome) -> None:
    assert outcome.deferred >= 3
    assert outcome.proxied > len(CASES)
    assert outcome.events >= 2 * len(CASES)
    assert outcome.search.looked["table"] > 100
    assert outcome.search.looked["log"] > len(CASES)
    assert outcome.search.looked["api"] > 3 * len(CASES)
    assert any("DEBUG" in log or "debug" in log for log in outcome.logs.values())


def test_no_secret_is_anywhere(outcome: Outcome) -> None:
    assert outcome.search.found == {}, f"\n{outcome.search.report()}"


def test_a_secret_would_be_found() -> None:
    """In whatever form it is written."""
    names = set(forms('p@ss/"word').values())
    assert {"plain", "JSON", "percent-encoded", "percent-encoded twice", "base64", "hexadecimal", "UTF-16"} <= names
