# SPDX-License-Identifier: Apache-2.0
"""The command ``cloudjobs``."""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from airflow_cloudjobs import __version__
from airflow_cloudjobs.apis import CATALOGUE, HOOKS, KNOWN, SPECS, declared_api, hook_class_of, spec_of
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.jobs.compiled import compiled
from airflow_cloudjobs.jobs.job_api import JobApi
from airflow_cloudjobs.jobs.spec import JobSpec

SUCCEEDED, FAILED, UNTOLD = 0, 1, 2
"""Exit codes of ``cloudjobs wait``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    :param argv: the command line; None takes the process's own.
    :return: the exit code.
    """
    from airflow_cloudjobs.demo import show
    from airflow_cloudjobs.localcloud import command

    parser = argparse.ArgumentParser(
        prog="cloudjobs", description="Jobs on Alibaba Cloud and Huawei Cloud, from a shell."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="run the example DAGs on a real Airflow and local clouds")
    show.add_arguments(demo)
    demo.set_defaults(run=show.main)

    local = commands.add_parser("localcloud", help="serve both clouds on localhost")
    command.add_arguments(local)
    local.set_defaults(run=command.main)

    apis = commands.add_parser("apis", help="list the job APIs, or say what is known of one")
    apis.add_argument("api", nargs="?", choices=KNOWN, metavar="API", help="one of them (default: a line for each)")
    apis.add_argument(
        "--json", action="store_true", help="those of the catalogue as JSON, as JobApi.from_dict takes it"
    )
    apis.set_defaults(run=show_apis)

    declared = commands.add_parser(
        "check-api",
        help="say what is wrong with a job API of your own, or what it promises",
        description="Check a JobApi as JSON (JobApi.to_json) as a DAG would, and show what tasks make of it.",
    )
    declared.add_argument("file", metavar="FILE", help="the file; - for standard input")
    declared.set_defaults(run=check_api)

    check = commands.add_parser(
        "check",
        help="try a connection from this machine",
        description="Try one cheap read-only call per service, and say what is wrong with those that do not work. "
        "Exits with 0 if a service could be used.",
    )
    check.add_argument("conn_id", metavar="CONN_ID", help="the Airflow connection")
    check.add_argument("--cloud", choices=HOOKS, help="which cloud it is for (default: by the connection's type)")
    check.add_argument("--region", help="region id (default: the connection's)")
    check.set_defaults(run=check_connection)

    wait = commands.add_parser(
        "wait",
        help="wait for a job, without a DAG",
        description="Wait for a job as a sensor would, with progress. Exits with 0 if every job succeeded, 1 if "
        "one failed or was cancelled, 2 if that could not be told.",
    )
    wait.add_argument("api", metavar="API", help=f"one of {', '.join(KNOWN)}, or a file with a JobApi as JSON")
    wait.add_argument("keys", nargs="+", metavar="KEY", help="the job's key; several wait for all")
    wait.add_argument("--conn-id", help="the Airflow connection (default: the cloud's default one)")
    wait.add_argument("--region", help="region id (default: the connection's)")
    wait.add_argument("--endpoint", help="address of the service (default: the connection's)")
    wait.add_argument("--order-id", help="ticket id, for dms.data_track_export")
    wait.add_argument("--tid", help="DMS tenant id (default: the connection's)")
    wait.add_argument("--file-import-db-level", help="'column' for a template of column processing (DRS)")
    wait.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what names the job beside its key, for an API that is data ('of a job' in cloudjobs apis API and "
        "check-api FILE); may be repeated",
    )
    wait.add_argument("--interval", type=_seconds, help="longest pause between two polls, seconds (default: the API's)")
    wait.add_argument("--timeout", type=_seconds, help="seconds to wait at most (default: no limit)")
    wait.set_defaults(run=wait_for_jobs)

    args = parser.parse_args(argv)
    try:
        code: int = args.run(args)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    except Exception:
        # Python itself would exit with 1, by which a script knows a failed job.
        traceback.print_exc()
        return UNTOLD
    return code


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds, more than 0")
    return seconds


def show_apis(args: argparse.Namespace) -> int:
    """Print a list of the APIs, or what is known of one.

    :param args: the command line.
    :return: 0; 2 for the JSON of an API that is no data.
    """
    if args.json:
        if args.api in SPECS:
            print(f"cloudjobs apis: {args.api} is not declared as data", file=sys.stderr)
            return UNTOLD
        asked = declared_api(args.api).as_dict() if args.api else [declared_api(api).as_dict() for api in CATALOGUE]
        print(json.dumps(asked, ensure_ascii=False, indent=2))
    elif args.api:
        spec = spec_of(args.api)
        _show(spec)
        if args.api in CATALOGUE:
            _show_declared(declared_api(args.api))
        else:
            print(f"    {'of a job:':<13}{', '.join(spec.scope) or '-'}")
    else:
        for api in KNOWN:
            spec = spec_of(api)
            print(f"{api:<27}{spec.cloud:<9}{spec.title}")
        print("cloudjobs apis ID says what its statuses mean, what it is asked with and what it keeps", file=sys.stderr)
    return 0


def check_api(args: argparse.Namespace) -> int:
    """Say what is wrong with a job API that is data, or what it promises.

    :param args: the command line.
    :return: 0; 1 if it is refused, 2 if the file cannot be read.
    """
    try:
        api = _declared_in(args.file)
    except (OSError, UnicodeDecodeError) as error:
        print(f"cloudjobs check-api: {args.file} cannot be read: {error}", file=sys.stderr)
        return UNTOLD
    except ValueError as error:
        print(f"cloudjobs check-api: {error}", file=sys.stderr)
        return FAILED
    _show(compiled(api))
    _show_declared(api)
    return SUCCEEDED


def _show(spec: JobSpec) -> None:
    """What is known of an API."""
    states = spec.states
    print(f"{spec.api}  ({spec.title}; {spec.cloud})")
    for name, statuses in (
        ("in progress", states.in_progress),
        ("succeeded", states.succeeded),
        ("failed", states.failed),
        ("cancelled", states.cancelled),
    ):
        if statuses:
            words = ", ".join(sorted(status or "(none)" for status in statuses))
            print(f"    {name + ':':<13}{words}")
    print(f"    {'cancel:':<13}{'yes' if spec.cancel else 'the API has none'}")
    print(f"    {'jobs a poll:':<13}{spec.batch}")
    print(f"    {'page:':<13}{spec.page or '-'}")


def _show_declared(api: JobApi) -> None:
    """What is to be known of an API that is data: its parameters, its calls, what it cannot keep."""
    for title, parameters in (("to submit:", api.submit_parameters), ("of a job:", api.job_parameters)):
        names = [name if needed else f"{name} (optional)" for name, needed in parameters.items()]
        if parameters is api.submit_parameters and (submit := api.calls.get("submit")) and submit.place_of_rest:
            names.append(f"any other of {submit.operation} (sent in the {submit.place_of_rest})")
        print(f"    {title:<13}{', '.join(names) or '-'}")
    for name, call in api.calls.items():
        print(f"    {name + ':':<13}{call.call}")
    if api.takes_token:
        print("    submit once: by {token}, the same for every repeat of a submit")
    elif api.find:
        print(f"    submit once: by {{marker}}, looked for with {api.find.lists.operation}")
    for limit in api.limits:
        print(f"    {'limit:':<13}{limit}")


def check_connection(args: argparse.Namespace) -> int:
    """Try a connection from this machine, as the web page's *Test* button does from Airflow's.

    :param args: the command line.
    :return: 0 if a service could be used, 1 if none could, 2 if there is no such connection.
    """
    from airflow_cloudjobs import compat
    from airflow_cloudjobs.connection.fields import table_of

    compat.let_read_connections()
    try:
        conn_type = compat.BaseHook.get_connection(args.conn_id).conn_type or ""
    except compat.AirflowException as error:
        print(f"cloudjobs check: {error}", file=sys.stderr)
        return 2
    cloud = args.cloud or next((name for name in HOOKS if conn_type in table_of(name).types), None)
    if cloud is None:
        print(f"cloudjobs check: is a connection of type {conn_type!r} for --cloud alibaba or huawei?", file=sys.stderr)
        return 2
    good, found = hook_class_of(cloud)(args.conn_id, region=args.region, endpoint=None).test_connection()
    print(found.replace("; ", "\n"))
    return 0 if good else 1


def wait_for_jobs(args: argparse.Namespace) -> int:
    """Wait for jobs as a sensor would.

    :param args: the command line.
    :return: 0 if every job succeeded, 1 if one failed or was cancelled, 2 if that could not be told.
    """
    import random

    from airflow_cloudjobs import compat, next_step
    from airflow_cloudjobs.jobs.outcome import Outcome
    from airflow_cloudjobs.jobs.wait import LogLine, Wait, WaitPlan

    compat.let_read_connections()
    try:
        spec = _spec_or_file(args.api)
    except (OSError, ValueError) as error:
        print(f"cloudjobs wait: {error}", file=sys.stderr)
        return UNTOLD
    hook_class = hook_class_of(spec.cloud)
    conn_id = args.conn_id or hook_class.default_conn_name
    try:
        scope = _scope(spec, args)
        hook = hook_class(conn_id, region=args.region, endpoint=args.endpoint)
        hook.settings.endpoint(spec.service)
        hook.get_conn()
    except (ValueError, compat.AirflowException) as error:
        print(f"cloudjobs wait: {error}", file=sys.stderr)
        print(next_step.of_a_wait_not_begun(error, conn_id), file=sys.stderr)
        return UNTOLD

    def show(line: LogLine) -> None:
        mark = "" if line.level <= logging.INFO else f"{logging.getLevelName(line.level)}: "
        print(f"{datetime.now():%H:%M:%S} {mark}{line.text}", flush=True)

    now = time.time()
    deadline = now + args.timeout if args.timeout else None
    plan = WaitPlan(now, args.interval or spec.interval, deadline)
    wait = Wait(spec, list(dict.fromkeys(args.keys)), plan, random=random.random)
    hook.wait(wait, scope, show)
    for result in wait.results:
        reason = f": {result.reason}" if result.reason else ""
        request = f" (request id {result.request_id})" if result.request_id else ""
        print(f"{result.key} {result.outcome.value} {result.status}{reason}{request}", flush=True)
    if step := next_step.of_a_wait(wait.results, conn_id, spec.console.format(region=hook.settings.region)):
        print(step, file=sys.stderr)
    outcomes = {result.outcome for result in wait.results}
    if outcomes & {Outcome.FAILED, Outcome.CANCELLED}:
        return FAILED
    return SUCCEEDED if outcomes == {Outcome.SUCCEEDED} else UNTOLD


def _spec_or_file(api: str) -> JobSpec:
    """The spec of an id, or of a file that holds a job API as data; raises ValueError for neither."""
    is_file = api not in KNOWN and (Path(api).is_file() or api.endswith(".json"))
    return compiled(_declared_in(api)) if is_file else spec_of(api)


def _declared_in(file: str) -> JobApi:
    """The job API that a file holds as JSON, or standard input for ``-``."""
    return JobApi.from_json(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))


def _scope(spec: JobSpec, args: argparse.Namespace) -> dict[str, str]:
    """What names the jobs beside their keys, from the options; raises ValueError for one too many or too few."""
    options = {name: getattr(args, name) for name in ("order_id", "tid", "file_import_db_level")}
    scope = {name: value for name, value in options.items() if value is not None}
    for name in scope:
        if name not in spec.scope:
            raise ValueError(f"--{name.replace('_', '-')} is not for {spec.api}")
    for given in args.parameter:
        name, sign, value = given.partition("=")
        if not sign or name not in spec.scope:
            names = ", ".join(spec.scope) or "no name"
            raise ValueError(f"--parameter {given} is not for {spec.api}; its are NAME=VALUE of {names}")
        scope[name] = value
    try:
        for key in args.keys:
            spec.poll([key], scope)
    except InvalidArgument as error:
        raise InvalidArgument(error.owner, error.argument.replace("parameters", "--parameter"), error.problem) from None
    return scope


if __name__ == "__main__":
    sys.exit(main())
