# SPDX-License-Identifier: Apache-2.0
"""Tables for terminals, shown at the end of a run, be it of one process or of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

Table = tuple[str, list[str]]
"""A title, and lines of text."""

_TABLES = pytest.StashKey[list[Callable[[], Table]]]()
_OF_A_WORKER = "tables"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines of text, each column as wide as its longest cell.

    :param rows: the rows, the head first; all of one length.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def show_at_the_end(config: pytest.Config, made: Callable[[], Table]) -> None:
    """Have a table shown when all tests have run.

    :param config: of the run.
    :param made: makes the table then.
    """
    config.stash.setdefault(_TABLES, []).append(made)


class Tables:
    """The part of pytest that shows them; where a run has several processes, each hands its own to the first."""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        handed_over = getattr(session.config, "workeroutput", None)
        if handed_over is not None:
            handed_over[_OF_A_WORKER] = self._of(session.config)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        for title, lines in getattr(node, "workeroutput", {}).get(_OF_A_WORKER, []):
            show_at_the_end(node.config, lambda table=(title, lines): table)  # type: ignore[attr-defined]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        for title, lines in self._of(config):
            terminalreporter.section(title)
            for line in lines:
                terminalreporter.write_line(line)

    @staticmethod
    def _of(config: pytest.Config) -> list[Table]:
        return [made() for made in config.stash.get(_TABLES, [])]
