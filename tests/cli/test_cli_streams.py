# SPDX-License-Identifier: Apache-2.0
"""What goes where: results to stdout, all else to stderr, a line that lives to a terminal; and Ctrl-C."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence

import pytest
from clicalls import COMMAND, Call, run

from airflow_cloudjobs.localcloud import Control, LocalCloud

DLI = "dli.sql_job"
FAST = ("--interval", "0.1")

AT_ONCE = 3.0
"""Seconds within which a command has ended after Ctrl-C, on a machine that does other things too: taking Airflow down
alone takes longer there."""


def test_stdout_has_the_result_and_nothing_else(cloud: LocalCloud, control: Control) -> None:
    """Airflow would warn here: a field of the connection is too short a secret to be masked."""
    control.create_job(DLI, "k", "success")
    done = run("wait", DLI, "k", "--json", *FAST)
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done
    assert re.fullmatch(r"(\d\d:\d\d:\d\d dli\.sql_job k: .*\n)+", done.err), "no warning of Airflow's"


def test_what_this_package_warns_of_is_shown(control: Control, cloud: LocalCloud) -> None:
    control.create_job(DLI, "k", "forever")
    control.fault("http", "poll", status=503, count=1)
    control.fault("http", "cancel", status=503, count=1)
    assert "Will call again in" in run("get", DLI, "k").err
    assert "could not be cancelled, trying again in" in run("cancel", DLI, "k").err


def test_trouble_on_the_way_is_told_with_its_level(call: Call, control: Control) -> None:
    control.create_job(DLI, "k", "success")
    control.fault("http", "poll", status=503, count=1)
    done = call("wait", DLI, "k", *FAST)
    assert re.search(r"^\d\d:\d\d:\d\d WARNING: dli\.sql_job k: could not be read, will ask again", done.err, re.M)
    assert done.out.startswith("k succeeded FINISHED")


class Terminal:
    """A command on a terminal."""

    def __init__(self, arguments: Sequence[str], **env: str) -> None:
        ours, its = pty.openpty()
        self._screen, self.shown = ours, ""
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", **env}
        self._process = subprocess.Popen(
            [*COMMAND, *arguments], env=environment, stdin=its, stdout=subprocess.PIPE, stderr=its, text=True
        )
        os.close(its)

    def wait_for(self, text: str) -> None:
        """Read on until something is shown."""
        limit = time.monotonic() + 60
        while text not in self.shown:
            assert time.monotonic() < limit, self.shown
            if select.select([self._screen], [], [], 1)[0] and not self._read():
                break
        assert text in self.shown, self.shown

    def _read(self) -> bool:
        try:
            new = os.read(self._screen, 65536).decode()
        except OSError:
            return False  # so Linux tells that the other side is closed
        self.shown += new
        return bool(new)

    def interrupt(self) -> float:
        """What Ctrl-C does; gives the seconds until the end."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)
        return time.monotonic() - began

    def end(self) -> tuple[int, str]:
        """The exit code and what went to stdout, at the end."""
        while self._read():
            pass
        os.close(self._screen)
        out = self._process.communicate(timeout=60)[0]
        return self._process.returncode, out


def test_a_line_lives_on_a_terminal(cloud: LocalCloud, control: Control) -> None:
    control.create_job("dms.file_upload", "k", "success", fields={"FileSize": 1000})
    terminal = Terminal(["wait", "dms.file_upload", "k", *FAST])
    code, out = terminal.end()
    assert (code, out.startswith("k succeeded SUCCESS")) == (0, True), terminal.shown
    assert re.search(r". dms\.file_upload  k  \w+  \d+ of \d+ bytes  0:00:0\d", terminal.shown)
    assert re.search(r"\d\d:\d\d:\d\d dms\.file_upload k: .* -> SUCCESS after \d s", terminal.shown), "it stays"
    assert terminal.shown.rstrip("\r\n").endswith("\x1b[2K"), "the line that lived is taken away"
    assert "\x1b" not in out


def test_one_line_for_several_jobs(cloud: LocalCloud, control: Control) -> None:
    for key, end in (("a", "success"), ("b", "forever")):
        control.create_job(DLI, key, end)
    terminal = Terminal(["wait", DLI, "a", "b", *FAST])
    terminal.wait_for("2 jobs: 1 FINISHED, 1 RUNNING")
    terminal.interrupt()
    assert terminal.end()[0] == 130
    assert "No longer waiting; the jobs go on." in terminal.shown


def test_no_line_lives_where_it_cannot(cloud: LocalCloud, control: Control) -> None:
    control.create_job(DLI, "k", "success")
    terminal = Terminal(["wait", DLI, "k", *FAST], TERM="dumb")
    assert terminal.end()[0] == 0
    assert "\x1b" not in terminal.shown


@pytest.mark.parametrize("command", ["wait", "submit"])
def test_ctrl_c_ends_the_wait_and_says_how_to_go_on(
    command: str, call: Call, cloud: LocalCloud, control: Control
) -> None:
    control.plan(DLI, "forever")
    options = ["--conn-id", "other one", "--region", "cn-north-4", "--interval", "0.5", "--json"]
    if command == "wait":
        control.create_job(DLI, "k", "forever")
        arguments = ["wait", DLI, "k", *options]
    else:
        arguments = ["submit", DLI, "--parameter", "sql=select 1", "--wait", *options]
    conn = os.environ["AIRFLOW_CONN_HUAWEICLOUD_DEFAULT"]
    terminal = Terminal(arguments, **{"AIRFLOW_CONN_OTHER ONE": conn})
    terminal.wait_for("RUNNING after")
    assert terminal.interrupt() < AT_ONCE
    assert terminal.end() == (130, "")
    [job] = control.jobs(DLI)
    assert not job["ended"], "nothing is cancelled"
    line = terminal.shown.replace("\r\n", "\n").split("To wait on: ")[1].splitlines()[0]
    again = shlex.split(line)
    assert again == ["cloudjobs", "wait", DLI, job["key"], *options], "the exact command"
    control.set_status(DLI, job["key"], "FINISHED")
    os.environ["AIRFLOW_CONN_OTHER ONE"] = conn
    try:
        assert call(*again[1:]).json["outcome"] == "succeeded"
    finally:
        del os.environ["AIRFLOW_CONN_OTHER ONE"]


def test_ctrl_c_in_the_middle_of_a_submit(cloud: LocalCloud, control: Control) -> None:
    control.fault("hang", "submit", after_commit=True, delay=60)
    given = {"file_name": "a.sql", "file_source": "datacorrect", "upload_url": "https://files.test/a.sql"}
    options = [word for name, value in given.items() for word in ("--parameter", f"{name}={value}")]
    terminal = Terminal(["submit", "dms.file_upload", *options])
    limit = time.monotonic() + 60
    while not control.jobs():
        assert time.monotonic() < limit
        time.sleep(0.1)
    assert terminal.interrupt() < AT_ONCE
    assert terminal.end() == (130, "")
    assert "stopped while it submitted, so the job may or may not run" in terminal.shown
    assert "Next: look for the job in the console" in terminal.shown


def test_a_check_says_what_it_does_meanwhile(cloud: LocalCloud) -> None:
    cloud.control.settings(latency_seconds=1.0)
    terminal = Terminal(["check", "huaweicloud_default", "--json"])
    code, out = terminal.end()
    assert (code, '"usable": true' in out) == (0, True), out
    assert "trying huaweicloud_default with the services of Huawei Cloud" in terminal.shown
