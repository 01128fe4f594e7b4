# SPDX-License-Identifier: Apache-2.0
"""No process and no file is left, in whatever way the program ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from airflow_cloudjobs.demo.sessions import Sessions
from airflow_cloudjobs.demo.show import EXAMPLES

HERE = Path(__file__).parent

#: A process that refuses SIGTERM and starts two others: one in its session, one that leaves it.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
refuse = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(99)"
child = [sys.executable, "-c", refuse]
for new_session in (False, True):
    print(subprocess.Popen(child, start_new_session=new_session).pid, flush=True)
time.sleep(99)
"""


def _eventually(true: Callable[[], bool], seconds: float = 30.0) -> bool:
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return true()


def _alive(pids: list[int]) -> list[int]:
    alive = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                alive.append(pid)
    return alive


def _in(folder: Path) -> list[str]:
    """Describe the processes whose temporary files go below a folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("TMPDIR", "").startswith(str(folder)):
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
    return found


def test_a_session_is_ended_with_those_who_refuse_and_those_who_left(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    log = tmp_path / "log"
    sessions = Sessions(folder)
    with log.open("wb") as out:
        leader = sessions.start([sys.executable, "-c", STUBBORN], os.environ, out)
    assert _eventually(lambda: len(log.read_text().split()) == 2), log.read_text()
    pids = [leader.pid, *map(int, log.read_text().split())]
    assert _alive(pids) == pids

    sessions.close()

    assert leader.wait() == -signal.SIGKILL
    assert _alive(pids) == []
    assert not folder.exists()
    sessions.close()


@pytest.mark.parametrize(
    ("options", "sig", "line", "code"),
    [
        ([], signal.SIGINT, "starting api-server", 130),
        ([], signal.SIGTERM, "wait  deferred", 128 + signal.SIGTERM),
        ([], signal.SIGKILL, "making Airflow's database", -signal.SIGKILL),
        (["--chaos"], signal.SIGINT, "kill -9: the worker of sql_job.query", 130),
    ],
)
def test_the_demo_leaves_nothing_when_it_is_ended(
    demo_command: list[str], tmp_path: Path, options: list[str], sig: signal.Signals, line: str, code: int
) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "long.py").write_text(
        (HERE / "dags" / "ends.py").read_text().partition('with DAG("succeeds"')[0]
        + '\nwith DAG("long", schedule=None):\n    Deferring(task_id="wait", seconds=9999)\n'
    )
    shutil.copy(EXAMPLES / "sql_job.py", dags)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    demo = subprocess.Popen(
        [*demo_command, *options, "--dags", str(dags)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert demo.stdout
    said = []
    for text in demo.stdout:
        said.append(text)
        if line in text:
            break
    # A step is told of before its process begins.
    assert _eventually(lambda: len(_in(temporary)) > 1), "".join(said)

    demo.send_signal(sig)

    demo.stdout.read()
    assert demo.wait(30) == code
    assert _eventually(lambda: not _in(temporary)), _in(temporary)
    assert _eventually(lambda: not list(temporary.iterdir())), list(temporary.iterdir())
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["dags", "long.py", "sql_job.py", "tmp"]
