# SPDX-License-Identifier: Apache-2.0
"""A pytest fixture to test DAGs with: both clouds on localhost, told what shall happen, asked what did.

    def test_orders(localcloud):
        localcloud.next_job("dli.sql_job", "fail", reason="Table not found: orders")
        assert dag.test().state == "failed"
        assert localcloud.submits("dli.sql_job") == 1

pytest finds it where this package is installed with its extra ``localcloud``; docs/testing.md has a whole test file.
Nothing but pytest is imported before a test asks for the fixture.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_cloudjobs.localcloud import Control, LocalCloud

__all__ = ["LocalClouds", "LocalJob", "localcloud", "localcloud_server", "localcloud_settings"]

_HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class LocalJob:
    """A job of the local clouds, as it was when it was asked for.

    :param api: id of its API, for example ``dli.sql_job``.
    :param key: its key.
    :param status: the raw status that it shows; None where the API shows none.
    :param ended: whether it has come to its end.
    :param succeeded: whether that was a success.
    :param polls: how often its status was asked for.
    :param fields: what it was submitted with, by the API's own names.
    """

    api: str
    key: str
    status: Any
    ended: bool
    succeeded: bool
    polls: int
    fields: Mapping[str, Any]


class LocalClouds:
    """What a test says to the local clouds, and asks them.

    A ``target`` is what trouble strikes: ``"poll"``, ``"submit"``, ``"cancel"``, an API (``"dli.sql_job"``), an
    operation by the vendor's name, a cloud, or ``"*"``, all of it.

    :param server: the running clouds.
    :param monkeypatch: what takes the connections back after the test.
    """

    def __init__(self, server: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self._server = server
        self._monkeypatch = monkeypatch

    @property
    def control(self) -> Control:
        """All that the clouds can be told (docs/localcloud.md)."""
        return self._server.control

    @property
    def url(self) -> str:
        """Where they are, for example ``http://127.0.0.1:40123``."""
        return self._server.url

    def connect(self, conn_id: str, cloud: str, **extra: Any) -> None:
        """Make a connection to the local clouds, for this test. The two default ones are there already.

        :param conn_id: its id.
        :param cloud: ``alibaba`` or ``huawei``.
        :param extra: further fields of its extra; for Huawei Cloud also its ``conn_type``.
        """
        connections = {"alibaba": self._server.alibaba_connection, "huawei": self._server.huawei_connection}
        if cloud not in connections:
            raise ValueError(f"cloud is one of {', '.join(connections)}, not {cloud!r}")
        self._monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connections[cloud](**extra)))

    def jobs_take(self, seconds: float) -> None:
        """How long the jobs of this test take from now on, unless one is told otherwise.

        A job lives by its polls: each brings it on by a second, so that it ends at the same poll on any machine.

        :param seconds: the polls that see it under way; with 0 the first sees its end, and nothing is deferred.
        """
        self.control.settings(job_seconds=seconds)

    def next_job(
        self,
        api: str,
        end: str = "success",
        *,
        seconds: float | None = None,
        reason: str | None = None,
        result: dict[str, Any] | None = None,
        match: str = "",
        count: int | None = 1,
    ) -> None:
        """Say what becomes of the next job that is submitted.

        :param api: id of its API, for example ``dli.sql_job``.
        :param end: ``success``, ``fail``, ``cancelled``, ``unknown`` (a status that nobody knows), ``null`` (no
            status), ``forever`` (no end), or a raw status of the API, which then is the last.
        :param seconds: how long it takes; as :meth:`jobs_take` has it by default.
        :param reason: what the API says of its end; by default what it usually says.
        :param result: what a query on DLI yields: ``{"schema": [{"city": "string"}], "rows": [["Bonn"]]}``.
        :param match: only a job whose input (SQL, address, file name) contains this text.
        :param count: for how many jobs; None for all.
        """
        self.control.plan(api, end, seconds=seconds, reason=reason, result=result, match=match, count=count)

    def throttle(self, target: str = "*", calls: int | None = None) -> None:
        """Have calls refused as too many, in the vendor's own words.

        :param target: which.
        :param calls: how many; None for all until :meth:`recover`.
        """
        self.control.fault("throttle", target, count=calls)

    def fail_calls(self, status: int = 503, target: str = "*", calls: int | None = None, *, code: str = "") -> None:
        """Have calls refused with an HTTP status.

        :param status: the status.
        :param target: which.
        :param calls: how many; None for all until :meth:`recover`.
        :param code: the vendor's error code.
        """
        self.control.fault("http", target, status=status, count=calls, code=code)

    def go_away(self, target: str = "*", calls: int | None = None) -> None:
        """Be away: connections are reset, and nothing is done.

        :param target: for which calls.
        :param calls: for how many; None for all until :meth:`recover`.
        """
        self.control.fault("reset", target, count=calls)

    def lose_answers(self, target: str = "submit", calls: int | None = 1) -> None:
        """Do what is asked, and lose the answer on its way back: the cloud has the job, and the task cannot know.

        :param target: of which calls.
        :param calls: of how many; None for all until :meth:`recover`.
        """
        self.control.fault("reset", target, count=calls, after_commit=True)

    def recover(self) -> None:
        """Take all trouble back."""
        self.control.clear_faults()

    def jobs(self, api: str | None = None) -> list[LocalJob]:
        """The jobs there are, oldest first.

        :param api: only those of this API.
        """
        names = LocalJob.__dataclass_fields__
        return [LocalJob(**{name: job[name] for name in names}) for job in self.control.jobs(api)]

    def submits(self, api: str | None = None) -> int:
        """How many jobs the clouds have taken.

        :param api: only those of this API.
        """
        return self._count("submits", api)

    def cancels(self, api: str | None = None) -> int:
        """How many jobs were cancelled by a call.

        :param api: only those of this API.
        """
        return self._count("cancels", api)

    def polls(self, api: str | None = None) -> int:
        """How often jobs were asked for, refused calls included; :attr:`LocalJob.polls` has a job's own.

        :param api: only those of this API.
        """
        polls = self.control.stats(0)["polls"]
        return sum(sum(keys.values()) for each, keys in polls.items() if api in (None, each))

    def _count(self, what: str, api: str | None) -> int:
        return sum(number for each, number in self.control.stats(0)[what].items() if api in (None, each))


@pytest.fixture(scope="session")
def localcloud_settings() -> dict[str, Any]:
    """Settings of the local clouds for all tests, by name (docs/localcloud.md); a ``conftest.py`` may override it."""
    return {"job_seconds": 1.0, "seconds_per_poll": 1.0}


@pytest.fixture(scope="session")
def localcloud_server(localcloud_settings: dict[str, Any]) -> Iterator[LocalCloud]:
    """Both clouds in a thread, on a free port of this machine, for all tests of a process."""
    try:
        from airflow_cloudjobs.localcloud import LocalCloud
    except ImportError as error:
        pytest.fail(
            f"The fixture 'localcloud' needs the extra 'localcloud' of airflow-provider-cloudjobs ({error}): "
            "pip install 'airflow-provider-cloudjobs[localcloud]'",
            pytrace=False,
        )
    with LocalCloud(host=_HERE, **localcloud_settings) as server:
        yield server


@pytest.fixture
def localcloud(localcloud_server: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> LocalClouds:
    """The local clouds as new, behind the two default connections."""
    localcloud_server.control.reset()
    for name in ("NO_PROXY", "no_proxy"):  # a proxy of this machine would look for them on its own
        monkeypatch.setenv(name, ",".join(filter(None, (os.environ.get(name), _HERE))))
    clouds = LocalClouds(localcloud_server, monkeypatch)
    clouds.connect("alibabacloud_default", "alibaba")
    clouds.connect("huaweicloud_default", "huawei", conn_type="huawei_dli")  # which runs SQL checks too
    return clouds
