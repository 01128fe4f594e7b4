# SPDX-License-Identifier: Apache-2.0
"""The tables of what was run where: ``python tests/versions/versions_table.py`` writes them anew, from the record."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent))

from rotation import AIRFLOWS, PYTHONS, ROOT, WHOLE

RECORD = Path(__file__).parent / "seen.json"

TESTS = ("parts", "kills", "matrix", "calls")

BEGIN, END = "<!-- table of versions -->\n", "<!-- end of table -->\n"

Seen = dict[str, dict[str, dict[str, dict[str, Any]]]]
"""Airflow, or ``lowest``, ``newest`` of all -> Python -> which tests -> ``on``, ``passed``, ``failed``, ``skipped``."""


def seen() -> Seen:
    """The record that the runs write."""
    record: Seen = json.loads(RECORD.read_text())
    return record


def long_table(record: Seen) -> str:
    """A line for each pair and extreme, with what passed.

    :param record: what was seen.
    """
    rows = [["Airflow", "Python", *TESTS, "last run"], ["---"] * (3 + len(TESTS))]
    for airflow, pythons in AIRFLOWS.items():
        for python in pythons:
            if (airflow, python) == WHOLE:
                cells = ["the whole test suite", "", "", "", "each commit"]
            else:
                cells = _cells(record.get(airflow, {}).get(python, {}))
            rows.append([airflow, python, *cells])
    extremes = {each: pythons for each, pythons in record.items() if each not in AIRFLOWS}
    rows += [[each, python, *_cells(ran)] for each, pythons in extremes.items() for python, ran in pythons.items()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(ran: dict[str, dict[str, Any]]) -> list[str]:
    days = sorted(each["on"] for each in ran.values())
    return [*(_count(ran.get(test)) for test in TESTS), days[-1] if days else "not run"]


def _count(ran: dict[str, Any] | None) -> str:
    if ran is None:
        return "-"
    return f"{ran['passed']}, **{ran['failed']} failed**" if ran["failed"] else str(ran["passed"])


def short_table(record: Seen) -> str:
    """A mark for each pair.

    :param record: what was seen.
    """
    rows = [["Airflow", *(f"Python {python}" for python in PYTHONS)], ["---"] * (1 + len(PYTHONS))]
    rows += [[airflow, *(_mark(record, airflow, python) for python in PYTHONS)] for airflow in AIRFLOWS]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _mark(record: Seen, airflow: str, python: str) -> str:
    if python not in AIRFLOWS[airflow]:
        return "✗"
    if (airflow, python) == WHOLE:
        return "●"
    ran = record.get(airflow, {}).get(python, {})
    if any(each["failed"] for each in ran.values()):
        return "!"
    return "●" if {"parts", "kills", "matrix"} <= set(ran) else "◐" if ran else "-"


PAGES = {
    ROOT / "README.md": short_table,
    ROOT / "README.zh-CN.md": short_table,
    ROOT / "docs" / "stability.md": long_table,
}


def with_table(page: Path, record: Seen) -> str:
    """A page with its table as it should be.

    :param page: one of :data:`PAGES`.
    :param record: what was seen.
    :raises ValueError: if it does not have one place for it.
    """
    table = f"{BEGIN}\n{PAGES[page](record)}\n{END}"
    text, found = re.subn(f"{BEGIN}.*?{END}", lambda _: table, page.read_text(), flags=re.DOTALL)
    if found != 1:
        raise ValueError(f"{page} has {found} places for the table")
    return text


if __name__ == "__main__":
    for each in PAGES:
        each.write_text(with_table(each, seen()))
