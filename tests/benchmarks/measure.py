# SPDX-License-Identifier: Apache-2.0
"""What every benchmark does alike: a home of its own for Airflow, a table, budgets, JSON, an exit code.

Import this module before anything that imports Airflow.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

if "airflow" not in sys.modules:
    _home = tempfile.mkdtemp(prefix="cloudjobs-bench-home-")
    atexit.register(shutil.rmtree, _home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = _home
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"
    # A line for each of thousands of waits is no part of what is measured.
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"


@dataclass
class Report:
    """A benchmark's figures.

    :param name: the benchmark.
    :param about: what it measures, in a line.
    :param raw: what the figures were made of, for the JSON alone.
    """

    name: str
    about: str
    raw: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    budgets: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def row(self, **figures: Any) -> None:
        """A line of the table."""
        self.rows.append(figures)

    def budget(self, what: str, value: float, *, at_most: float | None = None, at_least: float | None = None) -> None:
        """A figure that is judged: a ratio or a count, never seconds."""
        met = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
        limit = f"<= {at_most:g}" if at_most is not None else f">= {at_least:g}"
        self.budgets.append({"what": what, "value": value, "limit": limit, "met": met})

    def note(self, text: str) -> None:
        """What a reader of the figures should know."""
        self.notes.append(text)

    @property
    def met(self) -> bool:
        """Whether every budget is."""
        return all(budget["met"] for budget in self.budgets)

    def finish(self, options: argparse.Namespace) -> int:
        """Print everything, and save it.

        :return: the exit code.
        """
        print(f"\n{self.name}: {self.about}")
        for line in table(self.rows):
            print(f"  {line}")
        for budget in self.budgets:
            verdict = "met" if budget["met"] else "MISSED"
            print(f"  budget {verdict}: {budget['what']}: {shown(budget['value'])} ({budget['limit']})")
        for note in (*self.notes, f"load average at the end: {load():.1f} on {os.cpu_count()} cores"):
            print(f"  note: {note}")
        self.save(options)
        return 0 if self.met else 1

    def save(self, options: argparse.Namespace) -> None:
        """Write the JSON that was asked for; before the end, what there is so far."""
        if options.json:
            text = json.dumps({"load": load(), "cores": os.cpu_count(), "python": sys.version.split()[0], **vars(self)})
            Path(options.json).write_text(text + "\n")


def options(about: str, **more: tuple[Any, str]) -> argparse.Namespace:
    """The command line: ``--json FILE``, ``--quick``, and a benchmark's own options.

    :param about: what the benchmark measures.
    :param more: option -> default and explanation.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", help="file for the figures as JSON")
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out; the figures are worth little")
    for name, (default, text) in more.items():
        kind = None if default is None else type(default)
        parser.add_argument(f"--{name.replace('_', '-')}", default=default, type=kind, help=text)  # type: ignore[arg-type]  # None: text
    return parser.parse_args()


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Rows as aligned lines, under the names of their figures."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[name.replace("_", " ") for name in names]]
    cells += [[shown(row.get(name, "")) for name in names] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def shown(value: Any) -> str:
    """A figure with three digits that matter."""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def ratio(values: Sequence[float], base: Sequence[float]) -> float:
    """The median of what each round's value is to the base of the same round."""
    return median(value / other for value, other in zip(values, base, strict=True))


def load() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


class Cpu:
    """User and system seconds that this process has used since it was made."""

    def __init__(self) -> None:
        self._began, self._wall = time.process_time(), time.perf_counter()

    @property
    def seconds(self) -> float:
        """CPU seconds."""
        return time.process_time() - self._began

    @property
    def share(self) -> float:
        """CPU seconds a second."""
        return self.seconds / (time.perf_counter() - self._wall)
