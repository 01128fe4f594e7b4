# SPDX-License-Identifier: Apache-2.0
"""Both drivers make the same of the same request, whatever the cloud or what lies before it does."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.clients import PROJECT, alibaba, huawei
from transport_driving import (
    DRIVERS,
    OddServer,
    Outcome,
    answer_bytes,
    compared,
    dli_poll,
    dms_poll,
    drs_poll,
    ice_poll,
)

from airflow_cloudjobs.alibaba.client import AlibabaClient
from airflow_cloudjobs.alibaba.settings import alibaba_settings
from airflow_cloudjobs.connection.settings import ConnectionFields
from airflow_cloudjobs.huawei.client import HuaweiClient
from airflow_cloudjobs.huawei.settings import huawei_settings
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.localcloud import Control, LocalCloud
from airflow_cloudjobs.transport.flow import CloudClient

POLLS: dict[str, tuple[str, Callable[[str], ApiRequest]]] = {
    "dms.file_upload": ("alibaba", dms_poll),
    "ice.url_upload": ("alibaba", ice_poll),
    "dli.sql_job": ("huawei", dli_poll),
    "drs.object_template": ("huawei", drs_poll),
}


def client_of(which: str, where: LocalCloud | str, **extra: Any) -> CloudClient:
    if which == "alibaba":
        return alibaba(where, **extra)
    return huawei(where, **{"project_id": PROJECT, **extra})


@pytest.fixture(params=POLLS)
def poll(request: pytest.FixtureRequest, control: Control) -> tuple[str, str, ApiRequest]:
    """A poll of a job that exists: the cloud, the API, the request."""
    which, make = POLLS[request.param]
    key = control.create_job(request.param, end="forever")["key"]
    return which, request.param, make(key)


def both(which: str, where: LocalCloud | str, request: ApiRequest, **extra: Any) -> Outcome:
    """The outcome that both drivers agree on."""
    outcomes = [driver(client_of(which, where, **extra), request) for driver in DRIVERS.values()]
    assert compared(outcomes[0]) == compared(outcomes[1])
    return outcomes[0]


def failed(outcome: Outcome) -> CloudApiError:
    assert isinstance(outcome, CloudApiError), outcome
    return outcome


@pytest.mark.parametrize("api", POLLS)
def test_a_good_answer(cloud: LocalCloud, api: str) -> None:
    which, make = POLLS[api]
    key = cloud.control.create_job(api, end="success", seconds=0)["key"]
    answer = both(which, cloud, make(key))
    assert isinstance(answer, dict)
    assert answer.get("RequestId") or answer.get("request_id")


STATUSES = (400, 401, 403, 404, 405, 409, 413, 429, 500, 502, 503, 504)


@pytest.mark.parametrize("status", STATUSES)
def test_an_error_of_the_cloud(cloud: LocalCloud, poll: tuple[str, str, ApiRequest], status: int) -> None:
    which, api, request = poll
    cloud.control.fault("http", api, status=status, message="m")
    error = failed(both(which, cloud, request))
    assert error.http_status == status
    assert error.request_id
    assert error.message == "m"
    assert error.ambiguous is (status >= 500 or error.kind is ErrorKind.TRANSIENT)
    if status >= 500:
        assert error.kind is ErrorKind.TRANSIENT
    if status == 429:
        assert error.kind is ErrorKind.THROTTLED
    if status == 403 or (status == 401 and which == "huawei"):
        assert error.kind is ErrorKind.DENIED


@pytest.mark.parametrize(("target", "which", "make"), [("dms", "alibaba", dms_poll), ("dli", "huawei", dli_poll)])
def test_an_error_dressed_as_a_success(
    cloud: LocalCloud, target: str, which: str, make: Callable[[str], ApiRequest]
) -> None:
    cloud.control.fault("http", target, status=200, code="SomethingNew", message="soft")
    error = failed(both(which, cloud, make("k")))
    assert (error.http_status, error.message) == (200, "soft")
    assert error.kind is ErrorKind.UNKNOWN
    assert not error.ambiguous


@pytest.mark.parametrize("asked", [None, "3"])
def test_throttling(cloud: LocalCloud, poll: tuple[str, str, ApiRequest], asked: str | None) -> None:
    which, api, request = poll
    cloud.control.fault("throttle", api, retry_after=asked)
    error = failed(both(which, cloud, request))
    assert error.kind is ErrorKind.THROTTLED
    assert not error.ambiguous
    seconds = {"alibaba": 0.003, "huawei": 3.0}[which]  # the vendor's SDK reads Alibaba Cloud's as milliseconds
    assert error.retry_after == (None if asked is None else seconds)


def test_retry_after_of_an_unavailable_service(cloud: LocalCloud, poll: tuple[str, str, ApiRequest]) -> None:
    which, api, request = poll
    cloud.control.fault("http", api, status=503, retry_after="7")
    assert failed(both(which, cloud, request)).retry_after == 7


def test_a_reset(cloud: LocalCloud, poll: tuple[str, str, ApiRequest]) -> None:
    which, api, request = poll
    cloud.control.fault("reset", api)
    error = failed(both(which, cloud, request))
    assert (error.kind, error.ambiguous, error.http_status) == (ErrorKind.TRANSIENT, True, 0)


def test_silence(cloud: LocalCloud, poll: tuple[str, str, ApiRequest]) -> None:
    which, api, request = poll
    cloud.control.fault("hang", api, delay=5)
    error = failed(both(which, cloud, request, read_timeout=0.3))
    assert (error.kind, error.code, error.ambiguous) == (ErrorKind.TRANSIENT, "<timeout>", True)
    assert "0.3 s" in error.message


def test_a_line_that_is_hung_up(cloud: LocalCloud, poll: tuple[str, str, ApiRequest]) -> None:
    which, api, request = poll
    cloud.control.fault("hang", api, delay=0.05)
    error = failed(both(which, cloud, request))
    assert (error.kind, error.ambiguous) == (ErrorKind.TRANSIENT, True)


@pytest.mark.parametrize("status", [200, 500, 502, 503, 504])
def test_a_proxys_page(cloud: LocalCloud, poll: tuple[str, str, ApiRequest], status: int) -> None:
    which, api, request = poll
    cloud.control.fault("html", api, status=status)
    error = failed(both(which, cloud, request))
    assert (error.kind, error.http_status, error.ambiguous) == (ErrorKind.TRANSIENT, status, True)
    assert "<html>" not in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 407, 410, 415, 451])
def test_a_proxys_refusal(cloud: LocalCloud, poll: tuple[str, str, ApiRequest], status: int) -> None:
    """A page that a load balancer shows for a minute is not the cloud's word, so it is waited out for a while."""
    which, api, request = poll
    cloud.control.fault("html", api, status=status)
    error = failed(both(which, cloud, request))
    assert error.kind is (ErrorKind.DENIED if status in (401, 407) else ErrorKind.UNKNOWN)
    assert (error.retryable, error.ambiguous) == (False, False)


@pytest.mark.parametrize("status", [413, 414, 431])
def test_a_proxy_that_finds_a_request_too_large(
    cloud: LocalCloud, poll: tuple[str, str, ApiRequest], status: int
) -> None:
    which, api, request = poll
    cloud.control.fault("html", api, status=status)
    error = failed(both(which, cloud, request))
    assert (error.kind, error.http_status, error.ambiguous) == (ErrorKind.INVALID, status, False)
    assert "too large: fewer addresses or tables a task" in str(error)


@pytest.mark.parametrize(("status", "kind"), [(408, ErrorKind.TRANSIENT), (429, ErrorKind.THROTTLED)])
def test_a_proxy_that_wants_to_be_asked_again(
    cloud: LocalCloud, poll: tuple[str, str, ApiRequest], status: int, kind: ErrorKind
) -> None:
    which, api, request = poll
    cloud.control.fault("html", api, status=status)
    error = failed(both(which, cloud, request))
    assert (error.kind, error.http_status, error.retryable, error.ambiguous) == (kind, status, True, False)


@pytest.mark.parametrize("broken", [False, True])
def test_half_an_answer(cloud: LocalCloud, poll: tuple[str, str, ApiRequest], broken: bool) -> None:
    which, api, request = poll
    cloud.control.fault("truncated", api, broken=broken)
    error = failed(both(which, cloud, request))
    assert (error.kind, error.ambiguous) == (ErrorKind.TRANSIENT, True)


@pytest.mark.parametrize("status", [200, 500, 503])
def test_an_empty_answer_says_nothing(cloud: LocalCloud, poll: tuple[str, str, ApiRequest], status: int) -> None:
    """Least of all that a job does not exist."""
    which, api, request = poll
    cloud.control.fault("empty", api, status=status)
    error = failed(both(which, cloud, request))
    assert (error.kind, error.http_status, error.ambiguous) == (ErrorKind.TRANSIENT, status, True)


@pytest.mark.parametrize("which", ["alibaba", "huawei"])
class TestBeforeTheCloud:
    """Nobody is there, or somebody else is."""

    @pytest.fixture
    def request_(self, which: str) -> ApiRequest:
        return dms_poll("k") if which == "alibaba" else dli_poll("k")

    def test_refused(self, which: str, request_: ApiRequest) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        error = failed(both(which, f"127.0.0.1:{port}", request_))
        assert (error.kind, error.code, error.ambiguous) == (ErrorKind.TRANSIENT, "<refused>", False)
        assert not error.misdirected, "a cloud that is down looks so too"
        assert f"127.0.0.1:{port}" in error.message
        assert "'host' of connection 'c'" in error.hint

    def test_no_such_host(self, which: str, request_: ApiRequest) -> None:
        error = failed(both(which, "cloud.invalid", request_))
        assert (error.kind, error.code, error.ambiguous) == (ErrorKind.TRANSIENT, "<host not found>", False)
        assert error.misdirected
        assert "cloud.invalid" in error.message
        assert error.hint == "Correct 'host' of connection 'c'"

    def test_a_misspelt_region(self, which: str) -> None:
        """The host that is made of it is none; the vendor's list has the one that was meant."""
        region, right = ("cn-shangai", "cn-shanghai") if which == "alibaba" else ("cn-noth-4", "cn-north-4")
        request = ice_poll("k") if which == "alibaba" else dli_poll("k")
        for asked in (None, region):
            fields = ConnectionFields(
                "c", "", "AK", "SK", extra=json.dumps({"region": "" if asked else region, "project_id": PROJECT})
            )
            for driver in DRIVERS.values():
                client: CloudClient = (
                    AlibabaClient(alibaba_settings(fields, asked))
                    if which == "alibaba"
                    else HuaweiClient(huawei_settings(fields, asked))
                )
                error = failed(driver(client, request))
                assert (error.code, error.misdirected) == ("<host not found>", True)
                who = "the argument 'region'" if asked else "'region' of connection 'c'"
                assert f"{who}, {region!r}: did you mean {right!r}?" in error.hint

    def test_a_region_that_makes_no_host(self, which: str) -> None:
        """Any word is taken for a region, so what cannot even be looked up must end like a host that is not there."""
        region = "x" * 64
        request = ice_poll("k") if which == "alibaba" else dli_poll("k")
        fields = ConnectionFields("c", "", "AK", "SK", extra=json.dumps({"region": region, "project_id": PROJECT}))
        for driver in DRIVERS.values():
            client: CloudClient = (
                AlibabaClient(alibaba_settings(fields, None))
                if which == "alibaba"
                else HuaweiClient(huawei_settings(fields, None))
            )
            error = failed(driver(client, request))
            assert not error.ambiguous
            assert region in str(error)

    def test_tls_to_a_plain_port(self, which: str, request_: ApiRequest, cloud: LocalCloud) -> None:
        error = failed(both(which, f"https://{cloud.host}:{cloud.port}", request_))
        assert (error.code, error.ambiguous, error.misdirected) == ("<tls>", False, True)
        assert "is this a TLS port? (the host comes from 'host' of connection 'c')" in error.hint

    def test_nobody_takes_the_connection(self, which: str, request_: ApiRequest) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            waiting = [_half_open(full.getsockname()) for _ in range(8)]
            address = f"127.0.0.1:{full.getsockname()[1]}"
            error = failed(both(which, address, request_, connect_timeout=0.3))
            for each in waiting:
                each.close()
        assert (error.kind, error.code, error.ambiguous) == (ErrorKind.TRANSIENT, "<connect timeout>", False)
        assert "0.3 s" in error.message

    def test_no_proxy_there(self, which: str, request_: ApiRequest, cloud: LocalCloud) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        where = f"{cloud.host}:{cloud.port}"
        error = failed(both(which, f"http://{where}", request_, proxy=f"http://127.0.0.1:{port}"))
        assert (error.kind, error.code, error.ambiguous) == (ErrorKind.TRANSIENT, "<proxy>", False)

    def test_a_page_with_retry_after(self, which: str, request_: ApiRequest) -> None:
        """A load balancer in maintenance says when to come back."""
        page = answer_bytes("503 Service Unavailable", b"<html>", "Content-Type: text/html", "Retry-After: 11")
        with OddServer(page) as server:
            error = failed(both(which, f"http://{server.address}", request_))
        assert (error.kind, error.retry_after) == (ErrorKind.TRANSIENT, 11)

    @pytest.mark.parametrize(
        ("asked", "seconds"), [("1500", 1.5), ("99999999999", 600.0), ("0", None), ("\u00b2", None)]
    )
    def test_alibabas_own_word_for_come_again_later(
        self, which: str, request_: ApiRequest, asked: str, seconds: float | None
    ) -> None:
        body = b'{"Code": "Throttling", "error_code": "APIGW.0308", "Message": "", "error_msg": ""}'
        page = answer_bytes("429 Too Many", body, "Content-Type: application/json", f"x-acs-retry-after: {asked}")
        with OddServer(page) as server:
            error = failed(both(which, f"http://{server.address}", request_))
        assert (error.kind, error.retry_after) == (ErrorKind.THROTTLED, seconds if which == "alibaba" else None)

    def test_a_body_that_stops_coming(self, which: str, request_: ApiRequest) -> None:
        with OddServer(answer_bytes("200 OK", b'{"a": ', length=100), then="stall") as server:
            error = failed(both(which, f"http://{server.address}", request_, read_timeout=0.3))
        assert (error.kind, error.ambiguous) == (ErrorKind.TRANSIENT, True)

    @pytest.mark.parametrize("body", [b"[]", b"[1]", b"null", b'"x"', b"5", b"true", b"\xff\xfe{", b"{", b" \n"])
    def test_json_that_is_no_object(self, which: str, request_: ApiRequest, body: bytes) -> None:
        with OddServer(answer_bytes("200 OK", body, "Content-Type: application/json")) as server:
            error = failed(both(which, f"http://{server.address}", request_))
        assert (error.kind, error.ambiguous) == (ErrorKind.TRANSIENT, True)

    def test_no_content_is_an_answer(self, which: str, request_: ApiRequest) -> None:
        """What HTTP calls a success without a body is none of those that were cut off."""
        with OddServer(b"HTTP/1.1 204 No Content\r\n\r\n") as server:
            outcome = both(which, f"http://{server.address}", request_)
        assert isinstance(outcome, dict)

    def test_garbage(self, which: str, request_: ApiRequest) -> None:
        with OddServer(b"SSH-2.0-OpenSSH_9.6\r\n") as server:
            error = failed(both(which, f"http://{server.address}", request_))
        assert (error.kind, error.ambiguous) == (ErrorKind.TRANSIENT, True)

    def test_a_redirect_is_not_followed(self, which: str, request_: ApiRequest, cloud: LocalCloud) -> None:
        """The signature is for one host, and another one must not get the token."""
        moved = answer_bytes("302 Found", b"", f"Location: {cloud.url}/")
        with OddServer(moved) as server:
            error = failed(both(which, f"http://{server.address}", request_))
        assert error.http_status == 302
        assert cloud.control.stats()["connections"]["total"] == 0

    def test_cookies_are_not_kept(self, which: str, request_: ApiRequest) -> None:
        """A load balancer's cookie would tie all waits of a process to one back end."""
        answer = answer_bytes("200 OK", b'{"a": 1}', "Set-Cookie: route=1; Path=/")
        with OddServer(answer) as server:
            client = client_of(which, f"http://{server.address}")
            for driver in DRIVERS.values():
                driver(client, request_)
                driver(client, request_)
            assert len(server.requests) == 4
            assert not any(b"cookie:" in request.lower() for request in server.requests)


def _half_open(address: tuple[str, int]) -> socket.socket:
    """A connection that nobody accepts, to fill the queue of a listener."""
    each = socket.socket()
    each.setblocking(False)
    each.connect_ex(address)
    return each


@pytest.fixture(params=["alibaba", "huawei"])
def captured(request: pytest.FixtureRequest) -> Iterator[tuple[str, OddServer]]:
    body = json.dumps({"ok": True}).encode()
    with OddServer(answer_bytes("200 OK", body)) as server:
        yield request.param, server


AWKWARD = [
    "plain",
    "a b",
    "a+b",
    "~",
    "a,b",
    "%2F",
    "/",
    "ü",
    "日本",
    "",
    "a=b&c",
    "'\"",
    "*",
    ":@!$()",
    "\n",
    "😀",
    "a%20b",
]


@pytest.mark.parametrize("text", AWKWARD)
def test_what_is_sent_is_what_was_signed(captured: tuple[str, OddServer], text: str) -> None:
    """To the byte: method, path, query and every signed header, by both drivers."""
    which, server = captured
    client = client_of(which, f"http://{server.address}")
    query = {"JobKey": text, "Tid": "-1"}
    if which == "alibaba":
        request = ApiRequest("dms-enterprise", "GetUserUploadFileJob", query=query)
    else:
        request = ApiRequest("dli", "ListQueues", "GET", "/v1.0/{project_id}/queues", query)
    signed: list[Any] = []
    sign = client.sign

    def spy(request: ApiRequest, credential: Any) -> Any:
        signed.append(sign(request, credential))
        return signed[-1]

    client.sign = spy  # type: ignore[method-assign]  # to know what was signed; it is still what signs
    for driver in DRIVERS.values():
        assert driver(client, request) == driver(client, request)
    assert len(signed) == len(server.requests) == 4
    for wanted, sent in zip(signed, server.requests, strict=True):
        first, *lines = sent.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
        target = wanted.url.removeprefix(f"http://{server.address}")
        assert first == f"{wanted.method} {target} HTTP/1.1"
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        for name, value in wanted.headers.items():
            assert headers[name.lower()] == value
        if which == "alibaba":
            assert "content-type" not in headers  # it would be unsigned
