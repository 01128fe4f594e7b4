# SPDX-License-Identifier: Apache-2.0
"""Wherever somebody says nothing or hangs up (host, handshake, proxy, tunnel) the connection's timeouts hold, and what
was certainly not sent is told from what may have been."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from network_authority import Authority
from network_ways import CLOUDS, LIMIT, Way
from network_world import Connect
from support.proxy import Proxy

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
def curt() -> Iterator[str]:
    """Somebody who takes connections and hangs up on the first word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            with suppress(OSError):  # closed with the test
                while True:
                    guest, _ = listener.accept()
                    with guest:
                        guest.recv(1)

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(LIMIT)


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


def test_a_handshake_that_breaks_off(connect: Connect, way: Way, curt: str) -> None:
    connect("alibaba", "http", endpoints={"dms-enterprise": f"https://{curt}"})
    error = gave_up(way, "alibaba")
    assert (error.code, error.ambiguous) == ("<reset>", False)


def test_a_tunnel_that_breaks_off(connect: Connect, way: Way, curt: str) -> None:
    connect("alibaba", "https", proxy=f"http://{curt}")
    error = gave_up(way, "alibaba")
    assert (error.code, error.ambiguous) == ("<reset>", False)
    assert "proxy" in str(error)


def test_an_answer_that_breaks_off(connect: Connect, way: Way, curt: str) -> None:
    connect("alibaba", "http", endpoints={"dms-enterprise": f"http://{curt}"})
    error = gave_up(way, "alibaba")
    assert (error.code, error.ambiguous) == ("<connection lost>", True)


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
        read_timeout=LONG,
    )
    error = gave_up(way, "alibaba")
    assert (error.code, error.ambiguous) == ("<connect timeout>", False), "without a tunnel nothing was sent"
    assert "proxy" in str(error)


def test_a_proxy_that_forwards_and_says_nothing(connect: Connect, proxy: Callable[..., Proxy], way: Way) -> None:
    between = proxy("http", silent=True)
    connect("alibaba", "http", hidden=True, proxy=between.url(), connect_timeout=LONG, read_timeout=SHORT)
    error = gave_up(way, "alibaba")
    assert (error.code, error.ambiguous) == ("<timeout>", True)
    assert f"{SHORT:g} s" in str(error)
