# SPDX-License-Identifier: Apache-2.0
"""Through a proxy that asks for a password, to hosts that nobody but the proxy can find."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from network_authority import Authority
from network_ways import APIS, CLOUDS, WAYS, Way, hook_of
from network_world import HIDDEN, Connect
from support.proxy import PASSWORD, USER, WRONG_PASSWORD, Proxy

from airflow_cloudjobs.connection.settings import InvalidConnection
from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.outcome import Outcome
from airflow_cloudjobs.localcloud import LocalCloud

Clouds = dict[str, LocalCloud]
Start = Callable[..., Proxy]
SCHEMAS = ("http", "https")


def trusting(schema: str, authority: Authority) -> dict[str, str]:
    return {"ca_bundle": authority.ca} if schema == "https" else {}


def test_nobody_else_finds_the_host(connect: Connect, way: Way) -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo(HIDDEN, 443)
    connect("alibaba", "http", hidden=True)
    error = way.asks("alibaba")
    assert isinstance(error, CloudApiError)
    assert error.code == "<host not found>"


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_everything_goes_through_the_proxy(
    clouds: Clouds, authority: Authority, connect: Connect, proxy: Start, way: Way, cloud: str, schema: str
) -> None:
    local, between = clouds[schema], proxy(schema)
    connect(cloud, schema, hidden=True, proxy=between.url(), **trusting(schema, authority))
    key = local.control.create_job(APIS[cloud], f"job-{way.name}")["key"]
    assert isinstance(way.asks(cloud), dict)
    assert way.watches(cloud, key).outcome is Outcome.SUCCEEDED
    assert {target for _, target in between.passed} == {f"{HIDDEN}:{local.port}"}
    # A tunnel carries many calls, everything else is a request of its own.
    assert all((method == "CONNECT") is (schema == "https") for method, _ in between.passed)
    assert local.control.stats()["connections"]["total"] == len(between.passed)
    assert [each.status for each in between.asked if each.status] == [], "the password is sent without being asked for"


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_submit_and_a_login_go_through_it_too(
    clouds: Clouds, authority: Authority, connect: Connect, proxy: Start, way: Way, schema: str
) -> None:
    between = proxy(schema)
    connect("huawei", schema, hidden=True, proxy=between.url(), auth="token", **trusting(schema, authority))
    assert isinstance(way.asks("huawei"), dict)
    operations = clouds[schema].control.stats()["operations"]
    assert operations["KeystoneCreateUserTokenByPassword"]["ok"] == 1
    assert clouds[schema].control.stats()["connections"]["total"] == len(between.passed)


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("who", ["wrong", "nobody"])
def test_a_proxy_that_refuses_us(
    authority: Authority, connect: Connect, proxy: Start, way: Way, schema: str, who: str
) -> None:
    between = proxy(schema)
    url = between.url(password=WRONG_PASSWORD) if who == "wrong" else f"http://{between.address}"
    connect("huawei", schema, hidden=True, proxy=url, **trusting(schema, authority))
    error = way.asks("huawei")
    assert isinstance(error, CloudApiError)
    assert [word for word in ("proxy", "407") if word not in str(error)] == []
    assert not error.ambiguous, "the proxy has passed nothing on"
    assert not error.retryable, "the same password is wrong in a moment too"
    assert between.passed == []
    assert {each.status for each in between.asked} == {407}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_both_ways_say_the_same_of_a_refusal(authority: Authority, connect: Connect, proxy: Start, schema: str) -> None:
    between = proxy(schema)
    connect("alibaba", schema, hidden=True, proxy=f"http://{between.address}", **trusting(schema, authority))
    said = [way.asks("alibaba") for way in WAYS.values()]
    facts = [(e.kind, e.code, e.ambiguous, e.http_status) for e in said if isinstance(e, CloudApiError)]
    assert len(facts) == 2
    assert facts[0] == facts[1]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_host_that_the_proxy_does_not_find(connect: Connect, proxy: Start, way: Way, schema: str) -> None:
    between = proxy(schema)
    connect("alibaba", schema, proxy=between.url(), endpoints={"dms-enterprise": f"{schema}://nowhere.invalid"})
    error = way.asks("alibaba")
    assert isinstance(error, CloudApiError)
    assert error.retryable
    assert [word for word in ("proxy", "502", "nowhere.invalid") if word not in str(error)] == []


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_proxy_that_is_not_there(connect: Connect, way: Way, schema: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    connect("alibaba", schema, proxy=f"http://{USER}:{WRONG_PASSWORD}@127.0.0.1:{port}")
    error = way.asks("alibaba")
    assert isinstance(error, CloudApiError)
    assert (error.code, error.retryable, error.ambiguous) == ("<proxy>", True, False)
    assert f"127.0.0.1:{port}" in str(error), "which proxy, without its password"
    assert WRONG_PASSWORD not in str(error)


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "http://127.0.0.1:{port}/", "HTTP://127.0.0.1:{port}"])
def test_an_address_as_people_write_it(connect: Connect, proxy: Start, way: Way, address: str) -> None:
    """A proxy without its scheme is what half of all documents say."""
    between = proxy("http")
    port = between.address.rpartition(":")[2]
    connect("alibaba", "http", hidden=True, proxy=address.format(port=port))
    error = way.asks("alibaba")
    assert isinstance(error, CloudApiError)
    assert [each.status for each in between.asked] == [407]


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:1", "ftp://127.0.0.1", "http://", "http://127.0.0.1:x", "a b"])
def test_an_address_that_is_none(connect: Connect, way: Way, address: str) -> None:
    connect("alibaba", "http", proxy=address)
    try:
        said: object = way.asks("alibaba")
    except InvalidConnection as raised:
        said = raised
    assert isinstance(said, Exception)
    assert "'proxy'" in str(said)
    assert not getattr(said, "retryable", False)


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("password", ["right", "wrong"])
def test_its_password_is_told_to_nobody(
    authority: Authority,
    connect: Connect,
    proxy: Start,
    way: Way,
    schema: str,
    password: str,
    everything_logged: pytest.LogCaptureFixture,
) -> None:
    between = proxy(schema)
    url = between.url(password=PASSWORD if password == "right" else WRONG_PASSWORD)
    connect("huawei", schema, hidden=True, proxy=url, **trusting(schema, authority))
    hook = hook_of("huawei")
    outcome = way.asks("huawei")
    texts = [record.getMessage() for record in everything_logged.records] + [everything_logged.text]
    texts += [str(outcome), repr(outcome), repr(hook.settings), str(hook.settings), repr(hook.settings.transport)]
    texts += [repr(hook.make_client(hook.settings).__dict__), str(hook.test_connection())]
    if isinstance(outcome, CloudApiError):
        texts.append(str(outcome.as_dict()))
        cause: BaseException | None = outcome
        while cause:
            texts.append(repr(cause))
            cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    shown = [(form, text) for form, secret in between.secrets.items() for text in texts if secret in text]
    assert shown == []
