# SPDX-License-Identifier: Apache-2.0
"""What the demo prints: the progress while it runs and one table at the end.

On a terminal the progress is a table redrawn in place; elsewhere it is one line for each change of a state.
Characters that the output's encoding does not have are written as escapes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from airflow_cloudjobs.demo.expectation import Run

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_COLOURS = {"success": "green", "failed": "red", "running": "cyan", "deferred": "magenta"}

#: Steps on the way to a worker that last a moment: no line is written for them.
_PASSING = ("none", "scheduled")


class Progress(Protocol):
    """Shows what the runs do."""

    def __call__(self, runs: Sequence[Run]) -> None:
        """Show the runs as they are now."""


class Screen:
    """Where the demo writes.

    :param out: a text stream
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._encoding = out.encoding or "utf-8"
        self._began = time.monotonic()
        self._console: Console | None = None

    def line(self, text: str = "") -> None:
        """Write a line, or several; above the progress while that is shown."""
        if self._console:
            self._console.print(self._printable(text), markup=False, highlight=False, soft_wrap=True)
            return
        self._out.write(self._printable(text) + "\n")
        self._out.flush()

    def step(self, text: str) -> None:
        """Write a line with the seconds since the screen was made."""
        self.line(f"{time.monotonic() - self._began:6.1f} s  {text}")

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show progress in the way that fits the output."""
        if not self._out.isatty():
            yield _ChangeLines(self)
            return
        # Rich comes with Airflow; it is imported when it is needed.
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=self._out)
        try:
            with Live(console=self._console, transient=True, auto_refresh=False) as live:

                def redraw(runs: Sequence[Run]) -> None:
                    live.update(self._live_table(runs), refresh=True)

                yield redraw
        finally:
            self._console = None

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write a table in plain characters, each value whole, so that it can be copied and searched."""
        lines = [head, *rows]
        widths = [max(len(self._printable(row[column])) for row in lines) for column in range(len(head))]
        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        for number, row in enumerate(lines):
            cells = [self._printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True)]
            self.line("  ".join(cells).rstrip())
            if number == 0:
                self.line(rule)

    def _live_table(self, runs: Sequence[Run]) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table("dag", "task", "state", "seconds")
        table.columns[3].justify = "right"
        for column in table.columns:
            column.overflow = "fold"
        for run in runs:
            for task in run.tasks:
                seconds = "" if task.seconds is None else f"{task.seconds:.1f}"
                texts = [self._printable(text) for text in (task.dag_id, task.label)]
                table.add_row(*map(Text, texts), Text(task.state, _COLOURS.get(task.state, "")), seconds)
        return table

    def _printable(self, text: str) -> str:
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)


class _ChangeLines:
    """Progress as one line for each task or run whose state is another than before."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._states: dict[tuple[str, str], str] = {}

    def __call__(self, runs: Sequence[Run]) -> None:
        for run in runs:
            for task in run.tasks:
                self._show(task.dag_id, f"{task.dag_id}.{task.label}", task.state)
            self._show(run.dag_id, f"{run.dag_id}: run", run.state)

    def _show(self, dag_id: str, what: str, state: str) -> None:
        if state not in _PASSING and self._states.get((dag_id, what)) != state:
            self._states[dag_id, what] = state
            self._screen.step(f"{what}  {state}")
