# SPDX-License-Identifier: Apache-2.0
"""The connection's timeouts hold wherever somebody says nothing: host, handshake, proxy, tunnel."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest
from wire_authority import Authority
from wire_proxy import Proxy
from wire_ways import CLOUDS, LIMIT, Way
from wire_world import Connect

from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.localcloud import LocalCloud

#: Seconds; the other one is so long that taking it instead fails the test's own limit.
SHORT, LONG = 0.4, 60.0


@pytest.fixture
def mute() -> Iterator[str]:
    """Somebody who takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def full() -> Iterator[str]:
    """Somebody who does not even take connections."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = []
        for _ in range(8):
            each = socket.socket()
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
            waiting.append(each)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        for each in waiting:
            each.close()


def gave_up(way: Way, cloud: str) -> CloudApiError:
    began = time.monotonic()
    error = way.asks(cloud)
    assert time.monotonic() - began < LIMIT
    assert isinstance(error, CloudApiError), error
    assert error.retryable
    return error


@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_answer(clouds: dict[str, LocalCloud], connect: Connect, way: Way, cloud: str) -> None:
    service = {"alibaba": "dms", "huawei": "dli"}[cloud]  # not the login, which says less
    clouds["http"].control.fault("hang", service, delay=LONG)
    connect(cloud, "http", read_timeout=SHORT, connect_timeout=LONG)
    error = gave_up(way, cloud)
    assert (error.code, error.ambiguous) == ("<timeout>", True)
    assert f"{SHORT:g} s" in str(error)


def test_no_connection(connect: Connect, way: Way, full: str) -> None:
    connect("alibaba", "http", connect_timeout=SHORT, read_timeout=LONG, endpoints={"dms-enterprise": f"http://{full}"})
    error = gave_up(way, "alibaba")
    assert (error.code, error.ambiguous) == ("<connect timeout>", False)
    assert f"{SHORT:g} s" in str(error)


def test_no_handshake(connect: Connect, way: Way, mute: str) -> None:
    connect(
        "alibaba", "http", connect_timeout=SHORT, read_timeout=LONG, endpoints={"dms-enterprise": f"https://{mute}"}
    )
    error = gave_up(way, "alibaba")
    assert (error.code, error.ambiguous) == ("<connect timeout>", False)
    assert f"{SHORT:g} s" in str(error)


@pytest.mark.parametrize("schema", ["http", "https"])
def test_no_connection_to_the_proxy(connect: Connect, way: Way, full: str, schema: str) -> None:
    connect("alibaba", schema, connect_timeout=SHORT, read_timeout=LONG, proxy=f"http://{full}")
    error = gave_up(way, "alibaba")
    assert not error.ambiguous
    assert "proxy" in str(error)


def test_a_proxy_that_opens_no_tunnel(
    authority: Authority, connect: Connect, proxy: Callable[..., Proxy], way: Way
) -> None:
    between = proxy("https", silent=True)
    connect(
        "alibaba",
        "https",
        hidden=True,
        proxy=between.url(),
        ca_bundle=authority.ca,
        connect_timeout=SHORT,
        read_timeout=SHORT,
    )
    error = gave_up(way, "alibaba")
    assert not error.ambiguous, "without a tunnel nothing was sent"
    assert "proxy" in str(error)


def test_a_proxy_that_forwards_and_says_nothing(connect: Connect, proxy: Callable[..., Proxy], way: Way) -> None:
    between = proxy("http", silent=True)
    connect("alibaba", "http", hidden=True, proxy=between.url(), connect_timeout=LONG, read_timeout=SHORT)
    error = gave_up(way, "alibaba")
    assert (error.code, error.ambiguous) == ("<timeout>", True)
    assert f"{SHORT:g} s" in str(error)
