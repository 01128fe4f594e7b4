# SPDX-License-Identifier: Apache-2.0
"""``cloudjobs demo --chaos`` from end to end: a worker and the triggerer are killed, and the clouds go away."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from airflow_cloudjobs.demo.show import EXAMPLES

#: What is told as it happens, in this order.
STORY = (
    r"kill -9: the worker of sql_job\.query",
    r"refuse every poll for \d+ s",
    r"kill -9: the triggerer, with [1-9]\d* waiting tasks",
    r"away for \d+ s",
    r"are back; [1-9]\d* calls were cut off",
)


def test_every_job_is_submitted_once_and_none_is_lost(demo_command: list[str], tmp_path: Path) -> None:
    for name in ("sql_job.py", "mapped_uploads.py"):
        shutil.copy(EXAMPLES / name, tmp_path)
    done = subprocess.run(
        [*demo_command, "--chaos", "--dags", str(tmp_path)], capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search("(?s)" + ".*".join(STORY), done.stdout), done.stdout
    *_, before_last, last = done.stdout.splitlines()
    assert "every run ended as expected" in before_last
    account = re.search(
        r"4 jobs, 4 submits, 0 lost, 0 false greens; waited (\d+) s, of them (\d+) s on a worker$", last
    )
    assert account, last
    assert int(account[2]) < int(account[1])


def test_chaos_needs_a_task_whose_job_is_found_again(demo_command: list[str], tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "file_upload.py", tmp_path)
    done = subprocess.run(
        [*demo_command, "--chaos", "--dags", str(tmp_path)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 1
    assert "chaos needs a DAG with a DliSqlJobOperator that is retried" in done.stdout
