# SPDX-License-Identifier: Apache-2.0
"""What goes on, on stderr: a line for each change, and on a terminal one below them that lives."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_cloudjobs.cli.output import say


@contextmanager
def progress(what: Callable[[], str]) -> Iterator[Callable[[str], None]]:
    """Show what goes on, as long as it does.

    :param what: tells it, in a line; asked several times a second, from another thread, where there is a terminal.
    :return: prints a line that stays.
    """
    if not _is_terminal():
        yield say
        return
    from rich.console import Console  # which scripts do not need
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    console = Console(stderr=True)
    spinner = Spinner("dots" if console.encoding.startswith("utf") else "line")

    def living() -> Spinner:
        spinner.update(text=Text(what(), overflow="ellipsis", no_wrap=True))
        return spinner

    with Live(console=console, get_renderable=living, refresh_per_second=8, transient=True):
        yield lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)


def _is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
