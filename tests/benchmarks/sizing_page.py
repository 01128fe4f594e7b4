# SPDX-License-Identifier: Apache-2.0
"""The tables in docs/sizing.md: ``python tests/benchmarks/sizing_page.py`` writes them anew from docs/figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from measure import shown

DOCS = Path(__file__).parents[2] / "docs"
FIGURES = DOCS / "figures"
PAGE = DOCS / "sizing.md"

#: Executor -> what the page calls it.
EXECUTORS = {"local": "LocalExecutor", "celery": "Celery, two of everything"}

#: Column of ``scale_settings.py`` -> the page's words.
SETTINGS = {
    "change": "one change",
    "seconds": "seconds, first to last",
    "seconds_after_a_job": "from a job's end to its task's (median)",
    "worker_cpu_s_a_task": "CPU seconds of workers a task",
    "all_cpu_s_a_task": "of everything",
    "worker_pss_mib": "MiB of workers",
    "calls_a_job": "API calls a job",
}

#: Kind of call -> the page's words.
KINDS = {
    "dms.file_upload": "DMS, DRS: a call for a job",
    "ice.url_upload": "ICE: a call for ten",
    "dli.sql_job": "DLI: a list of all that run",
}

Report = Mapping[str, Any]


def scale(report: Report) -> str:
    """What a thousand short jobs cost, by executor."""
    rows: dict[str, dict[str, str]] = {}
    for row in report["rows"]:
        if not row["figure"].startswith(("calls: ", "peak RSS")):
            spread = f"{shown(row['min'])}-{shown(row['max'])}, sd {shown(row['sd'])}"
            steady = row["min"] == row["max"]
            value = shown(row["mean"]) if steady else f"{shown(row['mean'])} ({spread})"
            rows.setdefault(row["figure"], {})[row["executor"]] = value
    executors = [name for name in EXECUTORS if name in report["raw"]["runs"]]
    head = [f"mean (least-most, standard deviation) of {_runs(report)} runs", *(EXECUTORS[name] for name in executors)]
    lines = [[figure, *(cells.get(name, "-") for name in executors)] for figure, cells in rows.items()]
    return _table(head, lines) + "\n" + _from(report)


def settings(report: Report) -> str:
    """What a change does."""
    lines = [[shown(row[name]) for name in SETTINGS] for row in report["rows"]]
    return _table(list(SETTINGS.values()), lines) + "\n" + _from(report)


def calls(report: Report) -> str:
    """API calls a minute."""
    intervals = [name for name in report["rows"][0] if name.startswith("every_")]
    head = ["API", "waits", *(name.replace("_", " ") for name in intervals)]
    lines = [
        [KINDS[row["api"]], f"{row['waits']:,}", *(f"{max(1, round(row[name])):,}" for name in intervals)]
        for row in report["rows"]
    ]
    return _table(head, lines)


#: Mark on the page, and file of figures -> what makes the table.
TABLES: Mapping[str, Callable[[Report], str]] = {"scale": scale, "settings": settings, "calls": calls}


def written(page: str) -> str:
    """The page with its tables made anew."""
    for name, make in TABLES.items():
        begin, end = f"<!-- figures: {name} -->\n", "<!-- end of figures -->\n"
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise ValueError(f"{PAGE.name} has no place for the figures of {name}")
        table = make(json.loads((FIGURES / f"{name}.json").read_text()))
        page = f"{before}{begin}\n{table}\n{end}{after}"
    return page


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _runs(report: Report) -> int:
    return max(map(len, report["raw"]["runs"].values()))


def _from(report: Report) -> str:
    """The machine, in a sentence."""
    raw = report["raw"]
    machine = raw["machine"]
    versions = ", ".join(f"{name} {machine[name]}" for name in ("apache-airflow", "PostgreSQL", "Python"))
    return (
        f"{raw['tasks']:,} tasks with jobs of 1-20 s, {raw['workers']} at a time; {machine['cores']} cores, "
        f"{machine['memory GiB']:.0f} GiB, load {raw['load before']:.1f} before the start; {versions}; "
        f"{machine['date']}.\n"
    )


def main() -> int:
    """Write the page."""
    PAGE.write_text(written(PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
