# SPDX-License-Identifier: Apache-2.0
"""Which jobs a command is about: the arguments that ``wait``, ``get``, ``submit`` and ``cancel`` share."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_cloudjobs.apis import CATALOGUE, KNOWN, SPECS, declared_api, hook_class_of, spec_of
from airflow_cloudjobs.cli.output import Problem, say
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.jobs.compiled import compiled
from airflow_cloudjobs.jobs.job_api import JobApi
from airflow_cloudjobs.jobs.outcome import JobResult
from airflow_cloudjobs.jobs.result import result_of
from airflow_cloudjobs.jobs.spec import JobSpec

if TYPE_CHECKING:
    from airflow_cloudjobs.hook import CloudHook

FORMER_OPTIONS = ("order_id", "tid", "file_import_db_level")
"""What ``wait`` had options for; goes with the next release."""


def add_target(parser: argparse.ArgumentParser) -> None:
    """Declare what names an API and a connection.

    :param parser: the parser of the subcommand.
    """
    api = parser.add_argument(
        "api", metavar="API", help="an id that `cloudjobs apis` lists, or a file with a JobApi as JSON"
    )
    complete_ids(api)
    parser.add_argument("--conn-id", metavar="ID", help="the Airflow connection (default: the cloud's default one)")
    parser.add_argument("--region", help="region id (default: the connection's)")
    parser.add_argument("--endpoint", metavar="ADDRESS", help="address of the service (default: the connection's)")
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the API, as text; may be repeated (`cloudjobs apis API` names them)",
    )
    parser.add_argument(
        "--parameters",
        metavar="FILE",
        help="a file with parameters as a JSON object, for those that are no text; - for standard input",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON, as a task's XCom has it")


def add_keys(parser: argparse.ArgumentParser) -> None:
    """Declare the keys of jobs that exist.

    :param parser: the parser of the subcommand.
    """
    parser.add_argument("keys", nargs="+", metavar="KEY", help="the job's key, or several")


def complete_ids(action: argparse.Action) -> None:
    """Have a shell complete the ids of the APIs."""
    action.completer = lambda prefix, **_: [api for api in KNOWN if api.startswith(prefix)]  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Target:
    """Jobs of one API, through one connection.

    :param args: the command line.
    :param spec: the API.
    :param declared: the same as data; None for those that have classes of their own.
    :param hook: calls the cloud.
    :param conn_id: the Airflow connection.
    :param given: all parameters.
    :param scope: those that name a job beside its key.
    """

    args: argparse.Namespace
    spec: JobSpec
    declared: JobApi | None
    hook: CloudHook
    conn_id: str
    given: Mapping[str, Any]
    scope: Mapping[str, Any]

    def console(self, keys: Sequence[str] = ()) -> str:
        """Where the vendor's console shows jobs.

        :param keys: their keys, as far as they are known.
        """
        return self.hook.console(self.spec, keys, self.scope)

    def records(self, results: Sequence[JobResult], *, several: bool) -> Any:
        """What was found out about jobs, as a task's XCom has it.

        :param results: what was found out.
        :param several: True gives a list, be it of one.
        """
        console = self.console([result.key for result in results])
        found = [result_of(self.spec, result, console_url=console) for result in results]
        return found if several else found[0]

    def command(self, name: str, keys: Sequence[str], **options: Any) -> str:
        """The command line that goes on with jobs of this target.

        :param name: the subcommand.
        :param keys: the jobs.
        :param options: further options; those that are None or False are left out, and True is one without a value.
        """
        shared = {"conn_id": self.args.conn_id, "region": self.args.region, "endpoint": self.args.endpoint}
        words = ["cloudjobs", name, self.args.api, *keys]
        for option, value in {**shared, **options}.items():
            if value is None or value is False:
                continue
            words.append(f"--{option.replace('_', '-')}")
            if value is not True:
                words.append(f"{value:g}" if isinstance(value, float) else str(value))
        for parameter, value in self.scope.items():
            words += ["--parameter", f"{parameter}={value}"]
        return shlex.join(words)


def chosen(args: argparse.Namespace, *, new: bool = False) -> Target:
    """What the command line names, all that can be known before a call is made looked at.

    :param args: the command line.
    :param new: True if a job is to be submitted, so that there is no key yet.
    :raises Problem: naming what is wrong.
    """
    from airflow_cloudjobs import compat, next_step

    spec, declared = named_api(args.api)
    given, scope = _parameters(spec, args, new=new)
    if not new:
        _check_jobs(spec, args.keys, scope)
    compat.let_read_connections()
    hook_class = hook_class_of(spec.cloud)
    conn_id = args.conn_id or hook_class.default_conn_name
    try:
        hook = hook_class(conn_id, region=args.region, endpoint=args.endpoint)
        hook.settings.endpoint(spec.service)
        hook.get_conn()
    except (ValueError, compat.AirflowException) as error:
        raise Problem(str(error), next_step=next_step.of_a_wait_not_begun(error, conn_id)) from None
    return Target(args, spec, declared, hook, conn_id, given, scope)


def named_api(name: str) -> tuple[JobSpec, JobApi | None]:
    """The API of an id, or of a file that holds one as data.

    :param name: as on the command line.
    :return: its spec, and the API as data if it is such.
    :raises Problem: there is none, or something is wrong with it.
    """
    if name in SPECS:
        return spec_of(name), None
    if name not in CATALOGUE and (Path(name).is_file() or name.endswith(".json")):
        try:
            declared = declared_in(name)
        except ValueError as error:
            raise Problem(str(error)) from None
    else:
        declared = declared_api(known_id(name))
    return compiled(declared), declared


def known_id(name: str) -> str:
    """The id itself; raises :class:`Problem` with one that may be meant if there is no such."""
    if name not in KNOWN:
        meant = get_close_matches(name, KNOWN, n=1)
        raise Problem(
            f"there is no API {name!r}{f': was {meant[0]!r} meant?' if meant else ''} (`cloudjobs apis` lists them)"
        )
    return name


def declared_in(file: str) -> JobApi:
    """The job API that a file holds as JSON.

    :param file: its path; ``-`` for standard input.
    :raises Problem: it cannot be read.
    :raises ValueError: what it holds is no job API.
    """
    return JobApi.from_json(read(file))


def read(file: str) -> str:
    """The text of a file, or of standard input for ``-``; raises :class:`Problem` if it cannot be read."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else f"it is not UTF-8 ({error.reason})"
        raise Problem(f"{file} cannot be read: {why}") from None


def _parameters(spec: JobSpec, args: argparse.Namespace, *, new: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """All parameters, and those that name a job beside its key.

    A file may hold those of the submit too where a job is only asked for, so that one file does for both.
    """
    typed = {**_former_options(spec, args), **dict(map(_name_and_value, args.parameter))}
    if not new:
        for name in typed:
            if name not in spec.scope:
                names = ", ".join(spec.scope) or "none"
                raise Problem(
                    f"--parameter {name}=… is not for a job of {spec.api}; what names one beside its key: {names}"
                )
    given = {**_from_file(args.parameters), **typed}
    return given, {name: given[name] for name in spec.scope if given.get(name) is not None}


def _name_and_value(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (sign and name):
        raise Problem(f"--parameter {text} must be NAME=VALUE")
    return name, value


def _from_file(file: str | None) -> Mapping[str, Any]:
    if file is None:
        return {}
    try:
        found = json.loads(read(file))
    except ValueError as error:
        raise Problem(f"--parameters {file} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise Problem(f"--parameters {file} holds a {type(found).__name__}; it must be a JSON object of parameters")
    return found


def _former_options(spec: JobSpec, args: argparse.Namespace) -> dict[str, str]:
    given = {name: getattr(args, name, None) for name in FORMER_OPTIONS}
    found = {name: value for name, value in given.items() if value is not None}
    for name, value in found.items():
        option = f"--{name.replace('_', '-')}"
        if name not in spec.scope:
            raise Problem(f"{option} is not for {spec.api}")
        say(f"{option} goes with the next release: write --parameter {name}={value}")
    return found


def _check_jobs(spec: JobSpec, keys: Sequence[str], scope: Mapping[str, Any]) -> None:
    """Every request about the jobs can be made."""
    for key in keys:
        try:
            spec.poll([key], scope)
            if spec.cancel:
                spec.cancel(key, scope)
        except InvalidArgument as error:
            raise Problem(worded(error)) from None


def worded(error: InvalidArgument) -> str:
    """What is wrong with an argument, by the name that it has on the command line."""
    name = {"parameters": "--parameter", "key": "KEY"}.get(error.argument, f"parameter {error.argument!r}")
    return f"{name} {error.problem}"
