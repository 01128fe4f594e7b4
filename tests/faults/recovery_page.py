# SPDX-License-Identifier: Apache-2.0
"""The table in docs/recovery.md: ``python tests/faults/recovery_page.py`` writes it anew from the fault run's cases."""

from __future__ import annotations

import re
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path.append(str(TESTS))  # for the package support, as pytest has it

from fault_cases import APIS, CASES, DLI, DMS_EXPORT, DMS_UPLOAD, DRS, EMR, EVERY, ICE, IMM, MRS, End  # noqa: E402
from fault_table import Expected  # noqa: E402

PAGE = TESTS.parent / "docs" / "recovery.md"

HEAD = (
    "| what happens | who waits | API | the task | its job | submits | what to do |",
    "|---|---|---|---|---|---|---|",
)

WAYS = {
    "deferrable": "operator, deferred",
    "blocking": "operator, on a worker",
    "sensor": "sensor, deferred",
    "adopting": "operator that was given a job's key",
    "mapped": "operator, deferred",
    "waits": "sensor, deferred",
}
"""Who waits, by the beginning of a DAG's name after the API's."""

NAMES = {
    DMS_UPLOAD: "DMS upload",
    DMS_EXPORT: "DMS export",
    ICE: "ICE",
    DLI: "DLI",
    DRS: "DRS",
    EMR: "EMR (token)",
    IMM: "IMM (marker)",
    MRS: "MRS (neither)",
}

ALL = {APIS: "the five", EVERY: "all"}
"""Sets of APIs that have a name."""


def table() -> str:
    """What becomes of tasks and jobs, a line for each event and end."""
    lines = list(HEAD)
    for declared in CASES:
        if declared.event:
            event = declared.event
            for end in declared.ends:
                lines.append(f"| {' | '.join((event, *_cells(end)))} |")
                event = ""
    return "\n".join(lines) + "\n"


def _cells(end: End) -> tuple[str, ...]:
    waits = [WAYS[way.partition("-")[0]] for way in end.ways]
    who = waits[0] if len(waits) == 1 else "operator"
    apis = ALL.get(end.apis) or ", ".join(NAMES[api] for api in end.apis)
    expected = end.expected
    return who, apis, task(expected), job(expected), str(expected.submits), end.to_do


def task(expected: Expected) -> str:
    """The task's end."""
    return {"success": "green", "failed": "**red**"}[expected.state]


def job(expected: Expected) -> str:
    """What becomes of the jobs of a task."""
    anew = expected.submits > 1
    if anew and expected.state == "failed":
        return "each attempt submits a new one"
    this, new = ("the first ", ", the new one is waited for") if anew else ("", "")
    if expected.cancels:
        return f"{this}is cancelled{new}"
    if expected.running:
        return f"{this}runs on{new}"
    if anew:
        return "a new one is submitted and waited for"
    again = "; the submit is made again, and taken once" if expected.posts > expected.submits else ""
    return f"goes on and is waited for{again}"


def with_table(text: str) -> str:
    """The page with its table as it should be.

    :param text: the page.
    """
    begin, end = "<!-- table of the fault run -->\n", "<!-- end of table -->\n"
    text, found = re.subn(f"{begin}.*?{end}", lambda _: f"{begin}\n{table()}\n{end}", text, flags=re.DOTALL)
    if found != 1:
        raise ValueError(f"{PAGE} has {found} places for the table")
    return text


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
