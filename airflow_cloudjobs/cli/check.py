# SPDX-License-Identifier: Apache-2.0
"""``cloudjobs check``: try a connection from this machine, as the web page's *Test* button does from Airflow's."""

from __future__ import annotations

import argparse
from typing import TextIO

from airflow_cloudjobs.apis import HOOKS, hook_class_of
from airflow_cloudjobs.cli.output import FAILED, SUCCEEDED, Problem, show_json
from airflow_cloudjobs.cli.progress import progress

DESCRIPTION = """\
Try one cheap read-only call per service with a connection, and say what is wrong with those that do not work.
"""

EXAMPLES = """\
exit codes:
  0  a service could be used
  1  none could
  2  there is no such connection, or a mistake in the command line

examples:
  cloudjobs check alibabacloud_default
  cloudjobs check huaweicloud_default --region cn-north-4 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's arguments.

    :param parser: the parser of the subcommand.
    """
    parser.add_argument("conn_id", metavar="CONN_ID", help="the Airflow connection")
    parser.add_argument("--cloud", choices=HOOKS, help="which cloud it is for (default: by the connection's type)")
    parser.add_argument("--region", help="region id (default: the connection's)")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Try the connection that the command line names.

    :param args: the command line.
    :param out: where the result goes.
    :return: the exit code.
    """
    cloud = args.cloud or _cloud_of(args.conn_id)
    with progress(lambda: f"trying {args.conn_id} with the services of {cloud.title()} Cloud"):
        good, found = hook_class_of(cloud)(args.conn_id, region=args.region, endpoint=None).test_connection()
    lines = found.split("; ")
    if args.json:
        show_json({"conn_id": args.conn_id, "cloud": cloud, "usable": good, "found": lines}, out)
    else:
        print("\n".join(lines), file=out, flush=True)
    return SUCCEEDED if good else FAILED


def _cloud_of(conn_id: str) -> str:
    """The cloud of a connection, by its type."""
    from airflow_cloudjobs import compat, next_step
    from airflow_cloudjobs.connection.fields import table_of

    compat.let_read_connections()
    try:
        conn_type = compat.BaseHook.get_connection(conn_id).conn_type or ""
    except compat.AirflowException as error:
        raise Problem(str(error), next_step=next_step.of_a_wait_not_begun(error, conn_id)) from None
    cloud = next((name for name in HOOKS if conn_type in table_of(name).types), None)
    if cloud is None:
        raise Problem(f"is a connection of type {conn_type!r} for --cloud alibaba or huawei?")
    return cloud
