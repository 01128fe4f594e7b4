# SPDX-License-Identifier: Apache-2.0
"""TLS with a company's own authority: the same on a worker and on a triggerer."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from network_authority import Authority, make_authority
from network_ways import APIS, CLOUDS, WAYS, Way, hook_of
from network_world import Connect

from airflow_cloudjobs.connection.settings import InvalidConnection
from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.outcome import Outcome
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.localcloud import LocalCloud

Clouds = dict[str, LocalCloud]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_bundle_in_the_connection(
    clouds: Clouds, authority: Authority, connect: Connect, way: Way, cloud: str
) -> None:
    connect(cloud, "https", ca_bundle=authority.ca)
    assert isinstance(way.asks(cloud), dict)
    key = clouds["https"].control.create_job(APIS[cloud], "tls-job")["key"]
    assert way.watches(cloud, key).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_bundle_in_the_environment(
    authority: Authority, connect: Connect, way: Way, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect("huawei", "https")
    monkeypatch.setenv(name, authority.ca)
    assert isinstance(way.asks("huawei"), dict)


def test_a_folder_of_certificates_in_the_environment(
    authority: Authority, connect: Connect, way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``requests`` takes a folder, with names by ``openssl rehash``, wherever it takes a file."""
    (tmp_path / "ca.pem").write_bytes(Path(authority.ca).read_bytes())
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    connect("alibaba", "https")
    assert isinstance(way.asks("alibaba"), dict)


def test_certificates_are_read_once(
    authority: Authority, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that the public trusts takes 40 ms of CPU; a task looks at it and connects to two hosts or three."""
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(Path(authority.ca).read_bytes())
    read = []
    load = ssl.SSLContext.load_verify_locations

    def counted(*given: Any, **named: Any) -> None:
        read.append(named)
        load(*given, **named)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counted)
    for cloud in ("huawei", "alibaba", "huawei"):
        connect(cloud, "https", ca_bundle=str(bundle))
        assert isinstance(WAYS["blocking"].asks(cloud), dict)
    assert len(read) == 1, read


def refused(way: Way, cloud: str) -> CloudApiError:
    error = way.asks(cloud)
    assert isinstance(error, CloudApiError), error
    assert not error.ambiguous
    return error


@pytest.mark.parametrize("cloud", CLOUDS)
def test_without_the_bundle_it_is_refused(clouds: Clouds, connect: Connect, way: Way, cloud: str) -> None:
    connect(cloud, "https")
    error = refused(way, cloud)
    assert error.code == "<tls>"
    assert [word for word in ("TLS", "certificate", "ca_bundle") if word not in str(error)] == []
    assert not error.retryable, "an authority that nobody trusts is not trusted in a moment either"
    assert clouds["https"].control.stats()["requests"] == []


def test_a_certificate_for_another_host(tmp_path: Path, connect: Connect, way: Way) -> None:
    _refused_with(make_authority(tmp_path, ["other.invalid"]), connect, way, "certificate")


def test_a_certificate_of_yesterday(tmp_path: Path, connect: Connect, way: Way) -> None:
    _refused_with(make_authority(tmp_path, ["127.0.0.1"], days=(-3, -1)), connect, way, "expired")


def _refused_with(authority: Authority, connect: Connect, way: Way, word: str) -> None:
    with LocalCloud(tls_cert=authority.cert, tls_key=authority.key) as cloud:
        connect("huawei", "https", ca_bundle=authority.ca, endpoints={"dli": cloud.url, "iam": cloud.url})
        error = refused(way, "huawei")
    assert error.code == "<tls>"
    assert word in str(error)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_address_is_in_the_message(connect: Connect, way: Way, cloud: str) -> None:
    """The address of a call holds its arguments, signed addresses of others among them."""
    connect(cloud, "https")
    with pytest.raises(CloudApiError) as caught:
        way.call(hook_of(cloud), with_a_signed_address(cloud))
    assert "CAN4RY" not in f"{caught.value} {caught.value!r} {caught.value.as_dict()}"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_address_is_logged(
    clouds: Clouds, connect: Connect, way: Way, cloud: str, everything_logged: pytest.LogCaptureFixture
) -> None:
    """Nor by the libraries below us, which log what they send at DEBUG."""
    connect(cloud, "http")
    with suppress(CloudApiError):
        way.call(hook_of(cloud), with_a_signed_address(cloud))
    assert clouds["http"].control.stats()["requests"] != []
    assert "CAN4RY" not in everything_logged.text


def with_a_signed_address(cloud: str) -> ApiRequest:
    query = {"UploadURL": "https://files.invalid/a?Signature=CAN4RY"}
    if cloud == "alibaba":
        return ApiRequest("dms-enterprise", "CreateUploadFileJob", query=query)
    return ApiRequest("dli", "ListQueues", "GET", "/v1.0/{project_id}/queues", query)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_check_can_be_turned_off_and_that_is_said_once(
    connect: Connect,
    way: Way,
    cloud: str,
    everything_logged: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    # Once in a process, so each case has a connection that nobody has used before.
    conn_id = f"unchecked_{way.name}_{cloud}"
    connect(cloud, "https", conn_id=conn_id, verify=False)
    assert isinstance(way.asks(cloud, conn_id), dict)
    assert isinstance(way.asks(cloud, conn_id), dict)
    # Hooks log through structlog in Airflow 3, which writes by itself, and through logging before, which writes too.
    texts = (everything_logged.text, capsys.readouterr().out)
    [said] = next(filter(None, ([line for line in text.splitlines() if "verify" in line] for text in texts)))
    assert [word for word in ("warning", conn_id) if word not in said.lower()] == []
    assert [str(each.message) for each in recwarn if "nverified" in str(each.message)] == []


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_bundle_of_the_environment_that_cannot_be_used(
    connect: Connect,
    way: Way,
    name: str,
    content: str | None,
    pem: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The message names the variable, since no field of the connection is wrong."""
    connect("huawei", "https")
    path = "/no/such/bundle.pem" if content is None else pem(content)
    monkeypatch.setenv(name, path)
    try:
        error: Exception | dict[str, object] = way.asks("huawei")
    except InvalidConnection as raised:
        error = raised
    assert not isinstance(error, dict)
    assert [word for word in (name, path) if word not in str(error)] == []
