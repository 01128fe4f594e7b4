# SPDX-License-Identifier: Apache-2.0
"""The subcommand ``cloudjobs localcloud``: serve the clouds and print the connections to export."""

from __future__ import annotations

import argparse
import errno
import json
import math
import os
import shlex
import ssl
import sys
from importlib.util import find_spec

from airflow_cloudjobs.localcloud.connections import alibaba_connection, huawei_connection

EXTRA = {"python-multipart": "python_multipart", "starlette": "starlette", "uvicorn": "uvicorn"}
"""The packages of the extra, each with the module that it brings."""

DESCRIPTION = """\
Serve both clouds on localhost until Ctrl-C, and print the connections to export. Jobs live in memory and last as long
as --job-seconds says.
"""

EXAMPLES = """\
examples:
  cloudjobs localcloud --port 8620
  cloudjobs localcloud --job-seconds 60 > connections.sh
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's arguments.

    :param parser: the parser of the subcommand.
    """
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=0, help="port to listen on (default: a free one)")
    parser.add_argument(
        "--job-seconds", type=_seconds, default=6.0, metavar="SECONDS", help="time a job takes (default: %(default)s)"
    )
    parser.add_argument("--tls-cert", metavar="FILE", help="certificate, to speak TLS")
    parser.add_argument("--tls-key", metavar="FILE", help="its key (default: in the file of the certificate)")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; allowed are 1 to 65535, and 0 for a free one")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, 0 or more")
    return seconds


def missing_extra() -> str:
    """What to do if the packages of the extra ``localcloud`` are not there; empty if they are."""
    missing = [package for package, module in EXTRA.items() if find_spec(module) is None]
    if not missing:
        return ""
    return f"not installed: {', '.join(missing)}. It comes with: pip install 'airflow-provider-cloudjobs[localcloud]'"


def main(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C; returns the exit status.

    :param args: what the command line said.
    """
    if problem := missing_extra() or _tls_problem(args.tls_cert, args.tls_key):
        return _refused(problem)
    from airflow_cloudjobs.localcloud.server import serve

    try:
        serve(
            args.host,
            args.port,
            tls_cert=args.tls_cert,
            tls_key=args.tls_key,
            on_start=_announce,
            job_seconds=args.job_seconds,
        )
    except OSError as error:
        advice = "; --port 0 takes a free port" if error.errno == errno.EADDRINUSE else ""
        return _refused(f"{args.host}:{args.port} cannot be listened on: {error.strerror}{advice}")
    return 0


def _refused(problem: str) -> int:
    print(f"cloudjobs localcloud: {problem}", file=sys.stderr)
    return 2


def _tls_problem(cert: str | None, key: str | None) -> str:
    """Why TLS cannot be spoken with these files; empty if it can, or need not."""
    if cert is None:
        return "--tls-key needs --tls-cert" if key else ""
    for option, file in (("--tls-cert", cert), ("--tls-key", key)):
        if file is not None and not os.access(file, os.R_OK):
            return f"{option} {file} cannot be read: {'no permission' if os.path.exists(file) else 'no such file'}"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        files = f"--tls-cert {cert} and --tls-key {key} hold" if key else f"--tls-cert {cert} holds"
        return f"{files} no certificate in PEM with the key that fits: {getattr(error, 'reason', None) or error}"
    return ""


def _announce(host: str, port: int, schema: str) -> None:
    where = f"{schema}://{host}:{port}"
    print(f"# Alibaba Cloud and Huawei Cloud, and a page of their jobs, are at {where}. Ctrl-C ends them.", flush=True)
    for name, connection in (
        ("ALIBABACLOUD_DEFAULT", alibaba_connection(host, port, schema)),
        ("HUAWEICLOUD_DEFAULT", huawei_connection(host, port, schema)),
    ):
        print(f"export AIRFLOW_CONN_{name}={shlex.quote(json.dumps(connection))}", flush=True)
