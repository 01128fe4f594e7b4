# SPDX-License-Identifier: Apache-2.0
"""``cloudjobs cancel``: end jobs, and say what became of that."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any, TextIO

from airflow_cloudjobs.cli.get import look_at
from airflow_cloudjobs.cli.output import FAILED, SUCCEEDED, UNTOLD, Problem, say, show_json
from airflow_cloudjobs.cli.target import Target, add_keys, add_target, chosen
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome

if TYPE_CHECKING:
    from airflow_cloudjobs.cancel import CancelResult

PATIENCE = 30.0
"""Seconds for which a cancel is sent again after passing trouble."""

SETTLING = 10.0
"""Seconds for which a cancelled job may still show that it runs, before its record is printed so."""

DESCRIPTION = "Cancel jobs, where the API can, and say what became of that."

EXAMPLES = """\
exit codes:
  0  every job is cancelled, or had ended
  1  the cloud refused to cancel one
  2  not told, an API without a cancel, or a mistake in the command line

examples:
  cloudjobs cancel dli.sql_job 8f3c2a --conn-id huaweicloud_default
  cloudjobs cancel emr.spark_job jr-1 --parameter workspaceId=w-1 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's arguments.

    :param parser: the parser of the subcommand.
    """
    add_target(parser)
    add_keys(parser)


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Cancel the jobs that the command line names.

    With ``--json`` a job's record says how it is after that, and in ``cancel`` what became of it: ``done``, ``ended``
    before, ``refused``, or ``unknown``.

    :param args: the command line.
    :param out: where results go.
    :return: the exit code.
    """
    from airflow_cloudjobs.cancel import cancel

    jobs = chosen(args)
    if jobs.spec.cancel is None:
        raise Problem(f"{jobs.spec.api} has no cancel: its jobs end by themselves, or in the console: {jobs.console()}")
    keys = list(dict.fromkeys(args.keys))
    deadline = time.monotonic() + PATIENCE
    results = [cancel(jobs.hook, jobs.spec, key, jobs.scope, deadline=deadline) for key in keys]
    for result in results:
        line = result.log_line(jobs.console([result.key])).text
        if args.json or not result.done:
            say(line)
        else:
            print(line, file=out, flush=True)
    words = [_word(result) for result in results]
    if args.json:
        cancelled = {key for key, result in zip(keys, results, strict=True) if result.done}
        records: list[dict[str, Any]] = jobs.records(_settled(jobs, keys, cancelled), several=True)
        told = [{**record, "cancel": word} for record, word in zip(records, words, strict=True)]
        show_json(told if len(args.keys) > 1 else told[0], out)
    return FAILED if "refused" in words else UNTOLD if "unknown" in words else SUCCEEDED


def _settled(jobs: Target, keys: list[str], cancelled: set[str]) -> list[JobResult]:
    """What the cloud says of jobs once it shows the end of those that were cancelled, which it does with a delay."""
    deadline = time.monotonic() + SETTLING
    while True:
        found = look_at(jobs, keys)
        going_on = any(one.key in cancelled and one.outcome is Outcome.SUBMITTED for one in found)
        if not going_on or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def _word(result: CancelResult) -> str:
    if result.refusal is None:
        return "done"
    if result.ended:
        return "ended"
    return "unknown" if result.refusal.retryable else "refused"
