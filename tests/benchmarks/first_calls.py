# SPDX-License-Identifier: Apache-2.0
"""What a task's first calls cost its worker: two hosts over TLS, trusted by a bundle of public size.

By turns with two unsigned GETs by a new session of requests, which reads the bundle for each of its connections. CPU of
the calling thread, medians; each time with a bundle of its own, as in a new process.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import certifi
import measure
import requests
from measure import Report
from server import make_certificates

from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.localcloud import LocalCloud
from airflow_cloudjobs.localcloud.control_api import PREFIX

QUEUES = ApiRequest("dli", "ListQueues", "GET", "/v1.0/{project_id}/queues")


def ours(clouds: Sequence[LocalCloud], bundle: str) -> None:
    """A call of DLI by a new hook, which asks IAM for the project first."""
    dli, iam = clouds
    connection = dli.huawei_connection(endpoints={"dli": dli.url, "iam": iam.url}, ca_bundle=bundle)
    os.environ["AIRFLOW_CONN_MEASURED"] = json.dumps(connection)
    HuaweiCloudHook("measured").call(QUEUES)


def floor(clouds: Sequence[LocalCloud], bundle: str) -> None:
    """The least that requests can do."""
    with requests.Session() as session:
        for cloud in clouds:
            session.get(f"{cloud.url}{PREFIX}/clock", verify=bundle).raise_for_status()


def spent(calls: Callable[[Sequence[LocalCloud], str], None], clouds: Sequence[LocalCloud], trusted: str) -> float:
    """CPU milliseconds of calls with certificates that nobody has read."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as bundle:
        bundle.write(trusted)
        bundle.flush()
        began = time.thread_time()
        calls(clouds, bundle.name)
        return 1000 * (time.thread_time() - began)


def main() -> int:
    """Run it."""
    told = measure.options(__doc__, rounds=(25, "times each"))
    report = Report("first calls", "of a task, to two hosts over TLS")
    seen: dict[str, list[float]] = {"ours": [], "floor": []}
    with tempfile.TemporaryDirectory(prefix="cloudjobs-bench-") as name:
        folder = Path(name)
        make_certificates(folder)
        authority = (folder / "ca.pem").read_text()
        trusted = certifi.contents() + authority
        (folder / "chain.pem").write_text((folder / "server.pem").read_text() + authority)
        served = str(folder / "chain.pem")
        with LocalCloud(tls_cert=served, tls_key=served) as dli, LocalCloud(tls_cert=served, tls_key=served) as iam:
            for calls in (ours, floor):
                spent(calls, (dli, iam), trusted)  # what is imported by then is no part of it
            for _ in range(5 if told.quick else told.rounds):
                for calls in (ours, floor):
                    seen[calls.__name__].append(spent(calls, (dli, iam), trusted))
            asked = [len(cloud.control.stats()["requests"]) for cloud in (dli, iam)]
    cost = {way: median(figures) for way, figures in seen.items()}
    for way in cost:
        report.row(way=way, cpu_ms=cost[way], x_floor=cost[way] / cost["floor"])
    report.budget("CPU against requests", cost["ours"] / cost["floor"], at_most=1.0)
    report.budget("calls of IAM", min(asked) / len(seen["ours"]), at_least=1.0)
    return report.finish(told)


if __name__ == "__main__":
    sys.exit(main())
