# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/sizing.md are those of the figures in docs/figures."""

from __future__ import annotations

import sys

import airflow  # noqa: F401 - first, or the benchmarks give it a home of their own
from support.pages import ROOT

sys.path.append(str(ROOT / "tests" / "benchmarks"))

from sizing_page import PAGE, written


def test_the_tables_are_those_of_the_figures() -> None:
    text = PAGE.read_text()
    assert written(text) == text, "write them anew: python tests/benchmarks/sizing_page.py"
