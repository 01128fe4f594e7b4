# SPDX-License-Identifier: Apache-2.0
"""A file from a signed address: ours against plain ``requests`` that stream the same object into a file.

Each way has a process of its own, so that its memory is its own; ratios are taken within a round. "Received" is what
``save_to`` does until all bytes are there: written, counted, hashed. "Saved" is all of it: the zip is read once more
for its checksums, written to the disk (fsync) and given its name.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import measure
from measure import Report, ratio

from airflow_cloudjobs.alibaba.dms import DmsDataTrackExportOperator
from airflow_cloudjobs.localcloud import LocalCloud

KEY = "k"
PLAIN, HASHED, RECEIVED, SAVED = "plain requests", "plain requests, SHA-256 too", "received", "saved"


def plain(task: Any, path: str, hashed: bool = False) -> None:
    """As a user would write it."""
    import requests

    digest = hashlib.sha256()
    with requests.get(task._download_url(KEY).strip(), stream=True, timeout=60) as answer, open(path, "wb") as file:
        answer.raise_for_status()
        for chunk in answer.iter_content(1 << 20):
            file.write(chunk)
            if hashed:
                digest.update(chunk)


def received(task: Any, path: str) -> None:
    """The download alone."""
    from airflow_cloudjobs.download import Received, download

    with open(path, "w+b") as file:
        download(task.hook.get_conn(), lambda: task._download_url(KEY), Received(file))


def saved(task: Any, path: str) -> None:
    """All of it."""
    from airflow_cloudjobs.save_to import save

    save(path, KEY, lambda into: task._fetch_file(KEY, into))


WAYS: dict[str, Callable[[Any, str], None]] = {
    PLAIN: plain,
    HASHED: functools.partial(plain, hashed=True),
    RECEIVED: received,
    SAVED: saved,
}


def child(way: str, path: str) -> None:
    """Fetch once, and tell the seconds, those of CPU, and the KiB that it took beyond what was there before."""
    task = DmsDataTrackExportOperator(task_id="t", order_id=1, download_key_id=KEY)
    task._download_url(KEY)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, used = time.perf_counter(), measure.Cpu()
    WAYS[way](task, path)
    seconds = time.perf_counter() - began
    print(json.dumps([seconds, used.seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, before]))


def measured(report: Report, folder: str, rounds: int, size: int) -> None:
    """All rounds."""
    times: dict[str, list[float]] = defaultdict(list)
    costs: dict[str, list[float]] = defaultdict(list)
    grown: dict[str, list[int]] = defaultdict(list)
    path = str(Path(folder, "object.zip"))
    for _ in range(rounds):
        for way in random.sample(list(WAYS), len(WAYS)):
            command = [sys.executable, "-W", "ignore", __file__, "--child", way, path]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            seconds, cost, more, before = json.loads(done.stdout.splitlines()[-1])
            times[way].append(seconds)
            costs[way].append(cost)
            grown[way].append(more)
            os.remove(path)
    report.note(f"before the download such a process has {before / 1024:.0f} MiB: Airflow")
    for way in WAYS:
        report.row(
            way=way,
            mb_a_second=size / 1e6 / median(times[way]),
            x_plain=ratio(times[way], times[PLAIN]),
            cpu_s_a_gb=median(costs[way]) / size * 1e9,
            cpu_x_plain=ratio(costs[way], costs[PLAIN]),
            peak_mib_more=max(grown[way]) / 1024,
        )
    value = ratio(costs[RECEIVED], costs[HASHED])
    report.budget("CPU to receive against plain requests that hash too", value, at_most=1.5)
    report.budget("memory to save, MiB beyond the rest", max(grown[SAVED]) / 1024, at_most=60)


def main() -> int:
    """Run it."""
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
        return 0
    told = measure.options(__doc__, rounds=(2, "rounds"), gigabytes=(2.0, "size of the object"))
    rounds, size = (1, 100_000_000) if told.quick else (told.rounds, int(told.gigabytes * 1e9))
    report = Report("download", f"an export of {size / 1e9:g} GB from the local clouds, over HTTP")
    with LocalCloud() as cloud, tempfile.TemporaryDirectory(prefix="cloudjobs-bench-") as folder:
        os.environ["AIRFLOW_CONN_ALIBABACLOUD_DEFAULT"] = json.dumps(cloud.alibaba_connection())
        cloud.control.create_job("dms.data_track_export", KEY, fields={"OrderId": 1, "ObjectSize": size}, seconds=0)
        measured(report, folder, rounds, size)
    return report.finish(told)


if __name__ == "__main__":
    sys.exit(main())
