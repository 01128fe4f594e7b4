# SPDX-License-Identifier: Apache-2.0
"""``cloudjobs demo`` and ``cloudjobs localcloud``: the commands that need the extra of the local clouds."""

from __future__ import annotations

import argparse
from contextlib import redirect_stdout
from typing import TextIO

from airflow_cloudjobs.cli.output import Problem
from airflow_cloudjobs.localcloud import command

DEMO_DESCRIPTION = """\
Run the example DAGs on a real Airflow and both clouds on localhost, show how every job goes, and leave nothing behind.
No account and no Airflow of yours is used.
"""

DEMO_EXAMPLES = """\
examples:
  cloudjobs demo
  cloudjobs demo --ui
"""


def add_demo_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``demo``.

    :param parser: the parser of the subcommand.
    """
    from airflow_cloudjobs.demo import show

    show.add_arguments(parser)


def run_demo(args: argparse.Namespace, out: TextIO) -> int:
    """Run the demo.

    :param args: the command line.
    :param out: where it goes.
    :return: the exit code.
    """
    from airflow_cloudjobs.demo import show

    if missing := command.missing_extra():
        raise Problem(missing)
    with redirect_stdout(out):
        return show.main(args)


def run_localcloud(args: argparse.Namespace, out: TextIO) -> int:
    """Serve the local clouds.

    :param args: the command line.
    :param out: where the connections to export go.
    :return: the exit code.
    """
    with redirect_stdout(out):
        return command.main(args)
