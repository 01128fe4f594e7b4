# SPDX-License-Identifier: Apache-2.0
"""``cloudjobs check``: what the web page's button tells, from a shell; ``cloudjobs wait``: when it exits with 2."""

from __future__ import annotations

import io
import json
import time
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest

from airflow_cloudjobs import cli
from airflow_cloudjobs.localcloud import LocalCloud

LIMIT = 10.0
"""Seconds that the check may take."""


def check(conn_id: str, connection: dict[str, Any] | None, *options: str) -> tuple[int, str]:
    return command("check", conn_id, *options, **{conn_id: connection})


def command(*arguments: str, **connections: dict[str, Any] | None) -> tuple[int, str]:
    """The exit code of ``cloudjobs``, and all that it prints."""
    told = io.StringIO()
    with pytest.MonkeyPatch.context() as environment, redirect_stdout(told), redirect_stderr(told):
        for conn_id, connection in connections.items():
            if connection is not None:
                environment.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        try:
            code = cli.main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
    return code, told.getvalue()


def test_good_ones(cloud: LocalCloud) -> None:
    code, told = check("mine", cloud.alibaba_connection())
    assert (code, "DMS: works" in told, "ICE: works" in told) == (0, True, True), told
    code, told = check("mine", cloud.huawei_connection("token"))
    assert (code, "DLI: works" in told, "DRS: works" in told) == (0, True, True), told


def test_a_type_of_neither_cloud_needs_to_be_told_which(cloud: LocalCloud) -> None:
    connection = {**cloud.huawei_connection(), "conn_type": "generic"}
    code, told = check("mine", connection)
    assert (code, "--cloud" in told) == (2, True), told
    assert check("mine", connection, "--cloud", "huawei")[0] == 0


def test_a_field_that_nobody_reads_is_told_of(cloud: LocalCloud) -> None:
    code, told = check("mine", cloud.huawei_connection(projet_id="p"))
    assert (code, "DLI: works" in told) == (0, True), told
    assert "field 'projet_id' is unknown and has no effect: was 'project_id' meant?" in told.splitlines()[-1]


@pytest.mark.parametrize("conn_type", ["oss", "alibaba_cloud", "alibaba_cloudjobs"])
def test_a_type_of_the_peers_is_known(cloud: LocalCloud, conn_type: str) -> None:
    code, told = check("mine", {**cloud.alibaba_connection(), "conn_type": conn_type})
    assert (code, told.count("works")) == (0, 2), told


def test_a_connection_of_another_service_is_not_tried(cloud: LocalCloud) -> None:
    connection = {**cloud.alibaba_connection(), "conn_type": "aws"}
    code, told = check("mine", connection)
    assert (code, "'aws'" in told) == (2, True), told
    code, told = check("mine", connection, "--cloud", "alibaba")
    assert (code, "field 'conn_type' is 'aws'" in told) == (1, True), told
    assert cloud.control.stats()["operations"] == {}


def test_a_login_that_met_no_network(cloud: LocalCloud) -> None:
    """The key is not what is wrong, so nobody is sent to check it."""
    connection = cloud.huawei_connection("token", endpoints={"iam": "nowhere.invalid"})
    code, told = check("mine", connection)
    assert code == 1
    for words in ("<host not found>", "'endpoints' (iam) of the connection", "This is the login by auth 'token'"):
        assert words in told, told
    assert "check login" not in told


def test_a_wrong_secret(cloud: LocalCloud) -> None:
    code, told = check("mine", {**cloud.huawei_connection(), "password": "wr0ng-c4nary"})
    assert (code, "password" in told, "wr0ng-c4nary" in told) == (1, True, False), told


def test_one_that_does_not_exist() -> None:
    code, told = check("no_such_connection", None)
    assert (code, "no_such_connection" in told) == (2, True), told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "ca_bundle"),
        (("--interval", "0"), "more than 0"),
        (("--timeout", "-1"), "more than 0"),
        (("--interval", "soon"), "'soon'"),
        (("--order-id", "1"), "--order-id is not for dli.sql_job"),
    ],
)
def test_a_wait_that_cannot_begin_is_no_failed_job(options: tuple[str, ...], told: str, cloud: LocalCloud) -> None:
    connection = cloud.huawei_connection(ca_bundle="/no/such.pem")
    code, printed = command("wait", "dli.sql_job", "--conn-id", "mine", "key", *options, mine=connection)
    assert (code, told in printed) == (2, True), printed


def test_a_mistake_of_ours_is_no_failed_job(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def mistaken(args: Any, out: Any) -> int:
        raise RuntimeError("a mistake")

    monkeypatch.setitem(cli.COMMANDS, "apis", cli.COMMANDS["apis"]._replace(run=mistaken))
    assert cli.main(["apis"]) == 2
    assert "a mistake" in capsys.readouterr().err


@pytest.mark.parametrize("extra", [{}, {"connect_timeout": 60, "read_timeout": 60}])
def test_nobody_is_kept_waiting(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]) -> None:
    """Also if every service takes the request and says nothing."""
    from airflow_cloudjobs.alibaba.hook import AlibabaCloudHook

    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(cloud.alibaba_connection(**extra)))
    cloud.control.fault("hang", delay=60)
    begun = time.monotonic()
    good, told = AlibabaCloudHook("mine").test_connection()
    assert time.monotonic() - begun < LIMIT
    assert (good, told.count("no answer")) == (False, 2)


def test_every_key_is_looked_at_before_any_is_asked_for(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["wait", "dli.sql_job", "j-1", "a/b"]) == 2
    assert "'a/b', which cannot stand in a path" in capsys.readouterr().err
