# SPDX-License-Identifier: Apache-2.0
"""The command ``cloudjobs``: jobs of both clouds from a shell.

Results go to stdout and everything else to stderr, so a command is told where results go, and whatever else writes to
stdout, as Airflow's loggers do, writes to stderr instead.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import Any, NamedTuple, TextIO

from airflow_cloudjobs import __version__
from airflow_cloudjobs.cli import apis, cancel, check, get, local, submit, wait
from airflow_cloudjobs.cli.output import INTERRUPTED, SUCCEEDED, UNTOLD, Problem, say
from airflow_cloudjobs.localcloud import command as localcloud


class Command(NamedTuple):
    """A subcommand.

    :param help: a line in the list of the commands.
    :param description: what it does.
    :param examples: what stands below its options.
    :param add_arguments: declares these.
    :param run: does its work, given the command line and where results go.
    """

    help: str
    description: str
    examples: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, TextIO], int]


COMMANDS = {
    "submit": Command("start a job", submit.DESCRIPTION, submit.EXAMPLES, submit.add_arguments, submit.run),
    "wait": Command("wait for jobs as a sensor would", wait.DESCRIPTION, wait.EXAMPLES, wait.add_arguments, wait.run),
    "get": Command("ask once how jobs are", get.DESCRIPTION, get.EXAMPLES, get.add_arguments, get.run),
    "cancel": Command("cancel jobs", cancel.DESCRIPTION, cancel.EXAMPLES, cancel.add_arguments, cancel.run),
    "check": Command(
        "try a connection from this machine", check.DESCRIPTION, check.EXAMPLES, check.add_arguments, check.run
    ),
    "apis": Command(
        "list the job APIs, or say what is known of one",
        apis.LIST_DESCRIPTION,
        apis.LIST_EXAMPLES,
        apis.add_list_arguments,
        apis.run_list,
    ),
    "check-api": Command(
        "say what is wrong with a job API of your own, or what it promises",
        apis.CHECK_DESCRIPTION,
        apis.CHECK_EXAMPLES,
        apis.add_check_arguments,
        apis.run_check,
    ),
    "demo": Command(
        "run the example DAGs on a real Airflow and local clouds",
        local.DEMO_DESCRIPTION,
        local.DEMO_EXAMPLES,
        local.add_demo_arguments,
        local.run_demo,
    ),
    "localcloud": Command(
        "serve both clouds on localhost",
        localcloud.DESCRIPTION,
        localcloud.EXAMPLES,
        localcloud.add_arguments,
        local.run_localcloud,
    ),
}

COMPLETION = """\
completion: eval "$(register-python-argcomplete cloudjobs)"
"""


class _Parser(argparse.ArgumentParser):
    """The parser of a subcommand, whose arguments are declared once it is chosen: so nobody pays for the others."""

    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None

    def declare(self) -> None:
        """Declare the arguments, if that was not done yet."""
        if self.add_arguments:
            add_arguments, self.add_arguments = self.add_arguments, None
            add_arguments(self)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self.declare()
        return super().parse_known_args(args, namespace)


def make_parser(*, whole: bool = False) -> argparse.ArgumentParser:
    """The parser of the command line.

    :param whole: True declares the arguments of all subcommands, and not of the chosen one only.
    """
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="cloudjobs",
        description="Jobs on Alibaba Cloud and Huawei Cloud, from a shell. Results go to stdout, all else to stderr.",
        epilog=COMPLETION,
        formatter_class=raw,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for name, one in COMMANDS.items():
        sub = commands.add_parser(
            name, help=one.help, description=one.description, epilog=one.examples, formatter_class=raw
        )
        sub.add_arguments = one.add_arguments
        if whole:
            sub.declare()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    :param argv: the command line; None takes the process's own.
    :return: the exit code.
    """
    if argv is None:
        if "_ARGCOMPLETE" in os.environ:
            _complete()
        _quieten_airflow()
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return SUCCEEDED
    code = _run(args)
    if argv is None and code == INTERRUPTED:
        # Python would first take down all of Airflow, for which nobody waits who has typed Ctrl-C.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _run(args: argparse.Namespace) -> int:
    out = sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            return COMMANDS[args.command].run(args, out)
    except Problem as problem:
        say(f"cloudjobs {args.command}: {problem}")
        if problem.next_step:
            say(problem.next_step)
        return problem.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return 141
    except Exception:
        # Python itself would exit with 1, by which a script knows a failed job.
        traceback.print_exc()
        return UNTOLD


def _complete() -> None:
    """Answer a shell that asks how the command line may go on, and end the process."""
    import argcomplete

    argcomplete.autocomplete(make_parser(whole=True))


def _quieten_airflow() -> None:
    """Have Airflow not warn of connections' types with "_", of short secrets and more that nobody here can mend.

    It reads its settings when it is imported. What this package warns of is shown.
    """
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("AIRFLOW__LOGGING__NAMESPACE_LEVELS", "airflow.task.hooks.airflow_cloudjobs=WARNING")
    ours = logging.getLogger("airflow_cloudjobs")
    ours.setLevel(logging.WARNING)
    ours.addHandler(logging.StreamHandler())
