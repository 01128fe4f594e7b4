# SPDX-License-Identifier: Apache-2.0
"""``cloudjobs apis`` and ``cloudjobs check-api``: what is known of job APIs."""

from __future__ import annotations

import argparse
from typing import Any, TextIO

from airflow_cloudjobs.apis import CATALOGUE, KNOWN, SPECS, declared_api, spec_of
from airflow_cloudjobs.cli.output import FAILED, SUCCEEDED, Problem, say, show_json
from airflow_cloudjobs.cli.target import complete_ids, declared_in, known_id
from airflow_cloudjobs.jobs.compiled import compiled
from airflow_cloudjobs.jobs.job_api import JobApi
from airflow_cloudjobs.jobs.spec import JobSpec

LIST_DESCRIPTION = """\
List the job APIs, or say what is known of one: what its statuses mean, what a job is submitted and named with, and
what tasks of it cannot keep.
"""

LIST_EXAMPLES = """\
examples:
  cloudjobs apis
  cloudjobs apis emr.spark_job
  cloudjobs apis emr.spark_job --json > our_spark.json
"""

CHECK_DESCRIPTION = "Check a JobApi as JSON (JobApi.to_json) as a DAG would, and show what tasks make of it."

CHECK_EXAMPLES = """\
exit codes:
  0  it can be used
  1  something in it is wrong
  2  it cannot be read

examples:
  cloudjobs check-api our_spark.json
  cloudjobs apis mrs.job --json | cloudjobs check-api - --json
"""


def add_list_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``apis``.

    :param parser: the parser of the subcommand.
    """
    complete_ids(parser.add_argument("api", nargs="?", metavar="API", help="one of them (default: a line for each)"))
    parser.add_argument(
        "--json", action="store_true", help="those of the catalogue as JSON, as JobApi.from_dict takes it"
    )


def add_check_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``check-api``.

    :param parser: the parser of the subcommand.
    """
    parser.add_argument("file", metavar="FILE", help="the file; - for standard input")
    parser.add_argument("--json", action="store_true", help="print what tasks make of it as JSON")


def run_list(args: argparse.Namespace, out: TextIO) -> int:
    """Print a list of the APIs, or what is known of one.

    :param args: the command line.
    :param out: where that goes.
    :return: the exit code.
    """
    if args.json:
        if args.api in SPECS:
            raise Problem(f"{args.api} is not declared as data, so there is no JSON of it")
        one = declared_api(known_id(args.api)).as_dict() if args.api else None
        show_json(one or [declared_api(api).as_dict() for api in CATALOGUE], out)
    elif args.api:
        spec = spec_of(known_id(args.api))
        _print(_facts(spec, declared_api(spec.api) if spec.api in CATALOGUE else None), spec, out)
    else:
        for api in KNOWN:
            spec = spec_of(api)
            print(f"{api:<27}{spec.cloud:<9}{spec.title}", file=out)
        out.flush()
        say("cloudjobs apis ID says what its statuses mean, what it is asked with and what it keeps")
    return SUCCEEDED


def run_check(args: argparse.Namespace, out: TextIO) -> int:
    """Say what is wrong with a job API that is data, or what it promises.

    :param args: the command line.
    :param out: where the latter goes.
    :return: the exit code.
    """
    try:
        api = declared_in(args.file)
    except ValueError as error:
        raise Problem(str(error), FAILED) from None
    if args.json:
        show_json(_promises(api), out)
    else:
        _print(_facts(compiled(api), api), compiled(api), out)
    return SUCCEEDED


def _promises(api: JobApi) -> dict[str, Any]:
    """What is known of an API that is data, for programs."""
    names = ("in_progress", "succeeded", "failed", "cancelled")
    return {
        "api": api.api,
        "cloud": api.cloud,
        "statuses": {name: sorted(getattr(compiled(api).states, name)) for name in names},
        "submit_parameters": dict(api.submit_parameters) if api.submit else {},
        "job_parameters": dict(api.job_parameters),
        "calls": {name: call.call for name, call in api.calls.items()},
        "submit_once": "token" if api.takes_token else "marker" if api.find else None,
        "cancel": api.cancel is not None,
        "limits": list(api.limits),
    }


def _print(facts: list[tuple[str, str]], spec: JobSpec, out: TextIO) -> None:
    print(f"{spec.api}  ({spec.title}; {spec.cloud})", file=out)
    for name, words in facts:
        print(f"    {name + ':':<13}{words}", file=out)
    out.flush()


def _facts(spec: JobSpec, declared: JobApi | None) -> list[tuple[str, str]]:
    """What is known of an API, for people: a name for each fact, and its words."""
    states = spec.states
    buckets = {
        "in progress": states.in_progress,
        "succeeded": states.succeeded,
        "failed": states.failed,
        "cancelled": states.cancelled,
    }
    return [
        *(
            (name, ", ".join(sorted(status or "(none)" for status in statuses)))
            for name, statuses in buckets.items()
            if statuses
        ),
        ("cancel", "yes" if spec.cancel else "the API has none"),
        ("jobs a poll", str(spec.batch)),
        ("page", spec.page or "-"),
        *(_declared_facts(declared) if declared else _own_facts(spec)),
    ]


def _own_facts(spec: JobSpec) -> list[tuple[str, str]]:
    """What more is known of one with classes of its own."""
    once = [("submit once", "by a mark in the job, which is looked for")] if spec.finder else []
    return [("to submit", ", ".join(spec.parameters)), ("of a job", ", ".join(spec.scope) or "-"), *once]


def _declared_facts(api: JobApi) -> list[tuple[str, str]]:
    """What more is known of one that is data: its parameters, its calls, what it cannot keep."""
    submit = api.calls.get("submit")
    to_submit = [name if needed else f"{name} (optional)" for name, needed in api.submit_parameters.items()]
    if submit and submit.place_of_rest:
        to_submit.append(f"any other of {submit.operation} (sent in the {submit.place_of_rest})")
    of_a_job = [name if needed else f"{name} (optional)" for name, needed in api.job_parameters.items()]
    once = []
    if api.takes_token:
        once = [("submit once", "by {token}, the same for every repeat of a submit")]
    elif api.find:
        once = [("submit once", f"by {{marker}}, looked for with {api.find.lists.operation}")]
    return [
        ("to submit", ", ".join(to_submit) or "-"),
        ("of a job", ", ".join(of_a_job) or "-"),
        *((name, call.call) for name, call in api.calls.items()),
        *once,
        *(("limit", limit) for limit in api.limits),
    ]
