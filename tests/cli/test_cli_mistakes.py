# SPDX-License-Identifier: Apache-2.0
"""What a person can do wrong is told in a line or two, by name, and nothing is sent."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from clicalls import Call

from airflow_cloudjobs import cli
from airflow_cloudjobs.localcloud import Control

MISTAKES = {
    "wait dli.sqljob k": "there is no API 'dli.sqljob': was 'dli.sql_job' meant? (`cloudjobs apis` lists them)",
    "get nothing.like_it k": "there is no API 'nothing.like_it'",
    "apis mrs.jobb": "was 'mrs.job' meant?",
    "apis mrs.jobb --json": "was 'mrs.job' meant?",
    "wait none.json k": "none.json cannot be read: No such file or directory",
    "wait dli.sql_job k --interval abc": "argument --interval: 'abc' is not a number of seconds, more than 0",
    "wait dli.sql_job k --timeout -1": "argument --timeout: '-1' is not a number of seconds, more than 0",
    "wait dli.sql_job k --conn-id nope": "Next: create connection 'nope' if there is none",
    "wait dli.sql_job": "KEY",
    "wait mrs.job k": "--parameter lacks 'cluster_id'",
    "wait mrs.job a/b --parameter cluster_id=c": "KEY is 'a/b', which cannot stand in a path",
    "get mrs.job k --parameter x=1": "--parameter x=… is not for a job of mrs.job",
    "get mrs.job k --parameter =1": "--parameter =1 must be NAME=VALUE",
    "get dli.sql_job k --region cn-hangzhou": "a region of Alibaba Cloud",
    "submit dli.sql_job": "parameter 'sql' is missing",
    "submit dli.sql_job --parameter sqll=1": "dli.sql_job has no parameter 'sqll'; it has sql, database",
    "submit dli.sql_job --parameter sql=1 --parameter engine_type=x": "parameter 'engine_type' is 'x'; allowed are",
    "submit dli.sql_job --parameters FILE": "FILE is no JSON: ",
    "submit dli.sql_job --parameters none": "none cannot be read: No such file or directory",
    "submit dli.sql_job --parameters LIST": "holds a list; it must be a JSON object of parameters",
    "submit drs.object_template --parameter job_id=1": "parameter 'file_path' is missing",
    "submit drs.object_template --parameter job_id=1 --parameter file_path=/no.json": "there is no such file",
    "submit mrs.job": "--parameter lacks 'cluster_id'",
    "submit maxcompute.job": "maxcompute.job has no submit",
    "submit dms.file_upload --token t": "--token is not for dms.file_upload",
    "cancel ice.url_upload k": "ice.url_upload has no cancel",
    "check nope": "Next: create connection 'nope' if there is none",
    "check-api none": "none cannot be read: No such file or directory",
    "check-api BYTES": "BYTES cannot be read: it is not UTF-8",
    "localcloud --port 99999": "argument --port: '99999' is not a port; allowed are 1 to 65535, and 0 for a free one",
    "localcloud --port http": "argument --port: 'http' is not a port",
    "localcloud --job-seconds -4": "argument --job-seconds: '-4' is not a number of seconds, 0 or more",
    "localcloud --tls-cert none": "--tls-cert none cannot be read: no such file",
    "localcloud --tls-cert FILE": "--tls-cert FILE holds no certificate in PEM with the key that fits: ",
    "localcloud --tls-cert FILE --tls-key none": "--tls-key none cannot be read: no such file",
    "localcloud --tls-key FILE": "--tls-key needs --tls-cert",
    "localcloud --host no.such.host.invalid": "no.such.host.invalid:0 cannot be listened on",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake(line: str, call: Call, control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "FILE").write_text("SELECT 1")
    (tmp_path / "LIST").write_text("[1]")
    (tmp_path / "BYTES").write_bytes(b"\xff\xfe\xff")
    monkeypatch.chdir(tmp_path)
    done = call(*line.split())
    assert (done.code, done.out) == (2, ""), done
    assert MISTAKES[line] in done.err
    assert "Traceback" not in done.err
    told = [row for row in done.err.splitlines() if not row.startswith(("usage:", " "))]
    assert len(told) <= 2, told
    assert control.stats()["operations"] == {}, "nothing is sent"


def test_a_port_in_use(call: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = call("localcloud", "--port", str(port))
    assert done.code == 2
    assert done.err == (
        f"cloudjobs localcloud: 127.0.0.1:{port} cannot be listened on: Address already in use; --port 0 takes a free "
        "port\n"
    )


@pytest.mark.parametrize("command", ["demo", "localcloud"])
def test_the_extra_is_missing(command: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = call(command)
    assert (done.code, done.out) == (2, ""), done
    assert "not installed: uvicorn. It comes with: pip install 'airflow-provider-cloudjobs[localcloud]'" in done.err


def test_a_former_option_goes_on_working(call: Call, control: Control) -> None:
    control.create_job("dms.data_track_export", "k", seconds=0, fields={"OrderId": 4711})
    done = call("wait", "dms.data_track_export", "k", "--order-id", "4711")
    assert done.code == 0, done
    assert "--order-id goes with the next release: write --parameter order_id=4711" in done.err
    assert "--order-id" not in call("wait", "--help").out


def test_the_commands_are_those_of_the_table() -> None:
    assert list(cli.COMMANDS) == [
        "submit", "wait", "get", "cancel", "check", "apis", "check-api", "demo", "localcloud"
    ]  # fmt: skip
