# SPDX-License-Identifier: Apache-2.0
"""The subcommand ``cloudjobs localcloud``: serve the clouds and print the connections to export."""

from __future__ import annotations

import argparse
import json
import shlex

from airflow_cloudjobs.localcloud.connections import alibaba_connection, huawei_connection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's arguments.

    :param parser: the parser of the subcommand.
    """
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--job-seconds", type=float, default=6.0, help="time a job takes (default: %(default)s)")
    parser.add_argument("--tls-cert", help="certificate file, to speak TLS")
    parser.add_argument("--tls-key", help="key file of the certificate")


def main(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C; returns the exit status.

    :param args: what the command line said.
    """
    try:
        from airflow_cloudjobs.localcloud.server import serve
    except ImportError as error:
        print(f"The local clouds need the extra 'localcloud' of this package: {error}")
        return 1
    serve(
        args.host,
        args.port,
        tls_cert=args.tls_cert,
        tls_key=args.tls_key,
        on_start=_announce,
        job_seconds=args.job_seconds,
    )
    return 0


def _announce(host: str, port: int, schema: str) -> None:
    where = f"{schema}://{host}:{port}"
    print(f"# Alibaba Cloud and Huawei Cloud, and a page of their jobs, are at {where}. Ctrl-C ends them.", flush=True)
    for name, connection in (
        ("ALIBABACLOUD_DEFAULT", alibaba_connection(host, port, schema)),
        ("HUAWEICLOUD_DEFAULT", huawei_connection(host, port, schema)),
    ):
        print(f"export AIRFLOW_CONN_{name}={shlex.quote(json.dumps(connection))}", flush=True)
