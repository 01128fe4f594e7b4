# SPDX-License-Identifier: Apache-2.0
"""``cloudjobs submit``: start a job, as an operator would."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TextIO

from airflow_cloudjobs.apis import SPECS
from airflow_cloudjobs.cli.output import FAILED, INTERRUPTED, SUCCEEDED, UNTOLD, Problem, say, show_json
from airflow_cloudjobs.cli.target import Target, add_target, chosen, worded
from airflow_cloudjobs.cli.wait import add_limits, plan, wait_for
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.jobs.identity import Identity
from airflow_cloudjobs.jobs.many import is_sequence
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome
from airflow_cloudjobs.jobs.submission import Submission

if TYPE_CHECKING:
    from airflow_cloudjobs.operator import CloudJobOperator
    from airflow_cloudjobs.submit import SubmitOnce

MANY_BEFORE = 100
"""The attempt that a submit is whose token was given: as many may have been made with it before, and have failed."""

DESCRIPTION = """\
Start a job and print its key, or wait for its end too (--wait). The parameters are those of the API, by its own names;
for the five APIs with classes of their own, the arguments of the operator. All are checked before anything is sent.
"""

EXAMPLES = """\
exit codes:
  0  the job is started; with --wait: it has succeeded
  1  no job was started; with --wait: or it has failed or was cancelled
  2  not told whether a job was started or how it ended, or a mistake in the command line

examples:
  cloudjobs submit dli.sql_job --parameter sql="SELECT 1" --parameter queue_name=default --wait
  KEY=$(cloudjobs submit dms.file_upload --parameters upload.json) && cloudjobs wait dms.file_upload "$KEY"
  echo '{"workspaceId": "w-1", "name": "daily", "codeType": "JAR", "jobDriver": {"sparkSubmit": {}}}' |
      cloudjobs submit emr.spark_job --parameters - --token daily-2026-11-27
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's arguments.

    :param parser: the parser of the subcommand.
    """
    add_target(parser)
    parser.add_argument(
        "--token",
        metavar="TEXT",
        help="what this submit is known by. Given again, the job of the submit before is gone on with, and another one "
        "started only if it has failed (for APIs that say 'submit once' in `cloudjobs apis API`)",
    )
    parser.add_argument("--wait", action="store_true", help="wait for the job's end")
    add_limits(parser)


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Submit the job that the command line names.

    :param args: the command line.
    :param out: where results go.
    :return: the exit code.
    """
    jobs = chosen(args, new=True)
    spec = jobs.spec
    if jobs.declared and jobs.declared.submit is None:
        raise Problem(f"{spec.api} has no submit: `cloudjobs get` and `cloudjobs wait` take jobs that exist")
    if args.token is not None and not (spec.token or spec.finder):
        raise Problem(f"--token is not for {spec.api}, which has no way to know a submit again")
    arguments = _checked_arguments(jobs)
    submission = _submitted(jobs, arguments, args.token or secrets.token_hex(8))
    keys = list(submission.keys)
    several = bool(spec.many) and is_sequence(arguments.get(spec.many))
    if args.wait:
        say(f"{spec.api}: submitted {', '.join(keys)}. Console: {jobs.console(keys)}")
        of_this_submit = plan(jobs, submission.at).after(submission, spec.not_found_grace)
        return wait_for(jobs, keys, of_this_submit, out, several=several)
    if args.json:
        show_json(jobs.records([JobResult(key, Outcome.SUBMITTED) for key in keys], several=several), out)
    else:
        print("\n".join(keys), file=out, flush=True)
    say(f"To wait for it: {jobs.command('wait', keys)}")
    return SUCCEEDED


def _submitted(jobs: Target, arguments: Mapping[str, Any], token: str) -> Submission:
    """The submit, made, with the keys of its jobs; raises :class:`Problem` if there are none, or none that is known."""
    from airflow_cloudjobs.exceptions import LookUpFailed, SubmitFailed, SubmitOutcomeUnknown, TaskRefused
    from airflow_cloudjobs.failure import summary_of
    from airflow_cloudjobs.next_step import NEXT, Situation, Who, hint_of, sentence, trouble_of

    submit = _submit_once(jobs, arguments, token)
    try:
        return submit.submission()
    except (SubmitOutcomeUnknown, LookUpFailed) as error:
        raise Problem(summary_of(error), UNTOLD, _how_to_look(jobs, arguments, token)) from None
    except (SubmitFailed, TaskRefused) as error:
        at = Situation(Who.SHELL, jobs.conn_id, jobs.console(), trouble_of(error), hint=hint_of(error, ()))
        raise Problem(summary_of(error), FAILED, NEXT + sentence(type(error), at)) from None
    except KeyboardInterrupt:
        if submit.pending is None:
            raise Problem("nothing was submitted", INTERRUPTED) from None
        look = _how_to_look(jobs, arguments, token)
        raise Problem("stopped while it submitted, so the job may or may not run", INTERRUPTED, look) from None


def _submit_once(jobs: Target, arguments: Mapping[str, Any], token: str) -> SubmitOnce:
    """The submit, known by its token where the API can know it again: as that of a task is by its task instance."""
    from airflow_cloudjobs.submit import SubmitOnce

    return SubmitOnce(
        jobs.spec,
        jobs.hook,
        arguments,
        jobs.scope,
        key=_known_key(jobs, arguments),
        context={},
        durable=False,
        identity=Identity("cloudjobs submit", token, jobs.spec.api, -1, 0),
        attempt=MANY_BEFORE if jobs.args.token is not None else 1,
    )


def _checked_arguments(jobs: Target) -> Mapping[str, Any]:
    """The arguments of the submit, checked as an operator's are.

    :raises Problem: naming the one that is wrong.
    """
    operator_class = _operator_class(jobs)
    given = {"api": jobs.declared, "parameters": jobs.given} if jobs.declared else _own_arguments(jobs, operator_class)
    try:
        arguments = operator_class(task_id="submit", **given).submit_arguments()
        jobs.spec.submit(**arguments, **({jobs.spec.token: "token"} if jobs.spec.token else {}))
    except InvalidArgument as error:
        adopting = f" for a new job, or {operator_class.key_argument!r} for one that exists"
        raise Problem(worded(error).removesuffix(adopting)) from None
    return arguments


def _own_arguments(jobs: Target, operator_class: type[CloudJobOperator]) -> Mapping[str, Any]:
    """The operator's arguments, by its names."""
    from airflow_cloudjobs.task_class import own_arguments

    allowed = (*jobs.spec.parameters, *(name for name in jobs.spec.scope if name not in jobs.spec.parameters))
    for name in jobs.given:
        if name not in allowed:
            raise Problem(f"{jobs.spec.api} has no parameter {name!r}; it has {', '.join(allowed)}")
    for name, one in own_arguments(operator_class).items():
        if one.default is one.empty and jobs.given.get(name) is None:
            raise Problem(f"parameter {name!r} is missing")
    return jobs.given


def _operator_class(jobs: Target) -> type[CloudJobOperator]:
    """The class whose tasks submit such jobs."""
    from airflow_cloudjobs.operator import CloudJobOperator

    spec = jobs.spec
    module = import_module(
        f"airflow_cloudjobs.{spec.cloud}.jobs" if jobs.declared else SPECS[spec.api].partition(":")[0]
    )
    return next(
        found
        for found in vars(module).values()
        if isinstance(found, type)
        and issubclass(found, CloudJobOperator)
        and found.__module__ == module.__name__
        and getattr(found, "spec", spec) is spec
    )


def _known_key(jobs: Target, arguments: Mapping[str, Any]) -> str | None:
    """The key, where it is known before the submit and names more than this one job."""
    return jobs.spec.submitted({}, arguments)[0] if jobs.spec.stale_results else None


def _how_to_look(jobs: Target, arguments: Mapping[str, Any], token: str) -> str:
    """What to do about a submit of unknown fate."""
    from airflow_cloudjobs.next_step import NEXT

    if jobs.spec.token or jobs.spec.finder:
        once = "the cloud takes the same submit once" if jobs.spec.token else "it looks for the job before it submits"
        return f"{NEXT}run this command again with --token {token}: {once}"
    key = _known_key(jobs, arguments)
    look = f"look with `{jobs.command('get', [key])}`" if key else f"look for the job in the console ({jobs.console()})"
    wait = jobs.command("wait", [key or "KEY"])
    return f"{NEXT}{look}: if it is there, wait for it with `{wait}`; if not, run this command again"
