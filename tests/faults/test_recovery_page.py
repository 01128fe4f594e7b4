# SPDX-License-Identifier: Apache-2.0
"""docs/recovery.md says what the fault run checks. Quick: nothing is run here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_cases import CASES, NOTHING, PLACES, End
from fault_table import Expected, Row, Seen
from recovery_page import PAGE, with_table

SUITES = sorted(Path(__file__).parent.glob("test_*.py"))


def launched() -> Iterator[str]:
    """The names of the cases that the suites run."""
    for path in SUITES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and "launch" in node.func.attr:
                yield ast.literal_eval(node.args[0])


def test_the_table_is_that_of_the_cases() -> None:
    text = PAGE.read_text()
    assert with_table(text) == text, "write it anew: python tests/faults/recovery_page.py"


def test_what_is_declared_is_run_and_the_other_way_round() -> None:
    declared = [each.case for each in CASES]
    assert len(set(declared)) == len(declared)
    assert set(launched()) == set(declared)
    assert sum(len(end.ways) * len(end.apis) for each in CASES for end in each.ends) == len(PLACES), "declared twice"


LEFT = [
    pytest.param(end, id=each.case)
    for each in CASES
    for end in each.ends
    if end.expected.explains or end.expected.running
]


@pytest.mark.parametrize("end", LEFT)
def test_who_finds_a_red_task_or_a_job_that_is_left_is_told_what_to_do(end: End) -> None:
    assert end.to_do != NOTHING


def test_a_task_that_ends_red_by_itself_has_to_say_what_is_next() -> None:
    seen = Seen(1, 1, 0, "failed", 1, 1.0, 0, 0, "the job failed\n")
    row = Row("c", "dli.sql_job", "deferrable", "w", Expected(state="failed"))
    row.judge(seen)
    assert row.complaints == ["its log does not say what is next"]
