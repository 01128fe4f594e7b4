# SPDX-License-Identifier: Apache-2.0
"""``cloudjobs wait``: wait for jobs as a sensor would."""

from __future__ import annotations

import argparse
import logging
import math
import random
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TextIO

from airflow_cloudjobs.cli.output import EXIT_CODES, INTERRUPTED, exit_code, result_line, say, show_json
from airflow_cloudjobs.cli.progress import progress
from airflow_cloudjobs.cli.target import FORMER_OPTIONS, Target, add_keys, add_target, chosen
from airflow_cloudjobs.jobs.wait import LogLine, Wait, WaitPlan

DESCRIPTION = "Wait until jobs have ended, as a sensor would. Ctrl-C ends the wait and not the jobs."

EXAMPLES = f"""\
{EXIT_CODES}
examples:
  cloudjobs wait dli.sql_job 8f3c2a --conn-id huaweicloud_default
  cloudjobs wait emr.spark_job jr-1 --parameter workspaceId=w-1 --timeout 3600
  cloudjobs wait dms.file_upload 4b1d --json | jq -r .result.AttachmentKey
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's arguments.

    :param parser: the parser of the subcommand.
    """
    add_target(parser)
    add_keys(parser)
    add_limits(parser)
    for name in FORMER_OPTIONS:
        parser.add_argument(f"--{name.replace('_', '-')}", help=argparse.SUPPRESS)


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Declare how long is waited.

    :param parser: the parser of the subcommand.
    """
    parser.add_argument(
        "--interval", type=_seconds, metavar="SECONDS", help="longest pause between two polls (default: the API's)"
    )
    parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="wait no longer (default: no limit)")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, more than 0")
    return seconds


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Wait for the jobs that the command line names.

    :param args: the command line.
    :param out: where results go.
    :return: the exit code.
    """
    jobs = chosen(args)
    return wait_for(jobs, list(dict.fromkeys(args.keys)), plan(jobs, time.time()), out, several=len(args.keys) > 1)


def plan(jobs: Target, started: float) -> WaitPlan:
    """The plan that the command line gives a wait.

    :param jobs: what is waited for.
    :param started: when the wait begins, seconds since the epoch.
    """
    args = jobs.args
    return WaitPlan(started, args.interval or jobs.spec.interval, started + args.timeout if args.timeout else None)


def wait_for(jobs: Target, keys: Sequence[str], plan: WaitPlan, out: TextIO, *, several: bool) -> int:
    """Wait for jobs, and tell how they ended.

    :param jobs: their API and connection.
    :param keys: their keys.
    :param plan: the wait's plan.
    :param out: where results go.
    :param several: True if JSON is a list, be it of one.
    :return: the exit code.
    """
    from airflow_cloudjobs import next_step

    wait = Wait(jobs.spec, keys, plan, random=random.random)
    try:
        with progress(lambda: _going_on(wait)) as tell:
            jobs.hook.wait(wait, jobs.scope, lambda line: tell(_stamped(line)))
    except KeyboardInterrupt:
        args = jobs.args
        again = jobs.command("wait", keys, interval=args.interval, timeout=args.timeout, json=args.json)
        say(f"No longer waiting; {'the job goes' if len(keys) == 1 else 'the jobs go'} on. To wait on: {again}")
        return INTERRUPTED
    if jobs.args.json:
        show_json(jobs.records(wait.results, several=several), out)
    else:
        for result in wait.results:
            print(result_line(result), file=out, flush=True)
    if step := next_step.of_a_wait(wait.results, jobs.conn_id, jobs.console(keys)):
        say(step)
    return exit_code(wait.results)


def _stamped(line: LogLine) -> str:
    mark = "" if line.level <= logging.INFO else f"{logging.getLevelName(line.level)}: "
    return f"{datetime.now():%H:%M:%S} {mark}{line.text}"


def _going_on(wait: Wait) -> str:
    """How a wait is doing, for the line that lives."""
    spec, seen = wait.spec, wait.seen
    waited = timedelta(seconds=int(time.time() - wait.plan.started))
    if len(wait.keys) == 1:
        [key] = wait.keys
        status = seen[key].status if key in seen else "asking"
        far = spec.progress(seen[key].record) if key in seen else ""
        return "  ".join(filter(None, (spec.api, key, status or "(no status)", far, str(waited))))
    counts = Counter(seen[key].status if key in seen else "asking" for key in wait.keys)
    shown = ", ".join(f"{count} {status or '(no status)'}" for status, count in counts.items())
    return f"{spec.api}  {len(wait.keys)} jobs: {shown}  {waited}"
