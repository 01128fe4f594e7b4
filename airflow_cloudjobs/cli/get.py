# SPDX-License-Identifier: Apache-2.0
"""``cloudjobs get``: one look at jobs."""

from __future__ import annotations

import argparse
from typing import TextIO

from airflow_cloudjobs.cli.output import EXIT_CODES, exit_code, result_line, say, show_json
from airflow_cloudjobs.cli.target import Target, add_keys, add_target, chosen
from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.outcome import JOB_ENDS, JobResult, Outcome
from airflow_cloudjobs.jobs.spec import JobSpec, Observation

DESCRIPTION = "Ask once how jobs are. As for a wait, a job that goes on is not told of: exit code 2."

EXAMPLES = f"""\
{EXIT_CODES}
examples:
  cloudjobs get dli.sql_job 8f3c2a
  cloudjobs get dli.sql_job 8f3c2a 17be90 --json | jq -r '.[] | .job_key + " " + .status'
  cloudjobs get emr.spark_job jr-1 --parameter workspaceId=w-1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's arguments.

    :param parser: the parser of the subcommand.
    """
    add_target(parser)
    add_keys(parser)


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Look at the jobs that the command line names.

    :param args: the command line.
    :param out: where results go.
    :return: the exit code.
    """
    from airflow_cloudjobs import next_step

    jobs = chosen(args)
    results = look_at(jobs, list(dict.fromkeys(args.keys)))
    if args.json:
        show_json(jobs.records(results, several=len(args.keys) > 1), out)
    for result in results:
        if result.outcome in (Outcome.UNREADABLE, Outcome.ERROR):
            say(result_line(result))
        elif not args.json:
            going_on = result.outcome is Outcome.SUBMITTED
            print(result_line(result, jobs.spec.progress(result.record) if going_on else ""), file=out, flush=True)
    told_of = [result for result in results if result.outcome is not Outcome.SUBMITTED]
    if step := next_step.of_a_wait(told_of, jobs.conn_id, jobs.console([one.key for one in told_of])):
        say(step)
    return exit_code(results)


def look_at(jobs: Target, keys: list[str]) -> list[JobResult]:
    """What the cloud says of jobs now; ``SUBMITTED`` is one that goes on.

    :param jobs: their API and connection.
    :param keys: their keys.
    """
    from airflow_cloudjobs.hook import CALL_PATIENCE

    answers = jobs.hook.fetch(jobs.spec, keys, jobs.scope, patience=CALL_PATIENCE)
    return [_result(jobs.spec, key, answers[key]) for key in keys]


def _result(spec: JobSpec, key: str, seen: Observation | CloudApiError) -> JobResult:
    if isinstance(seen, CloudApiError):
        return JobResult(key, Outcome.ERROR, reason=str(seen), error=seen)
    outcome = spec.states.outcome(seen.status) or Outcome.SUBMITTED
    reason = spec.reason_of(seen.record) if outcome in JOB_ENDS and outcome is not Outcome.SUCCEEDED else ""
    if not spec.states.knows(seen.status):
        outcome, reason = Outcome.UNREADABLE, f"the cloud shows the undocumented status {seen.status!r}"
    return JobResult(key, outcome, seen.status, reason, seen.record, seen.request_id)
