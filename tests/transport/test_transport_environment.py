# SPDX-License-Identifier: Apache-2.0
"""Which hosts the environment's proxy is for: the same that requests takes it for; which certificates are trusted."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
from requests.utils import should_bypass_proxies

from airflow_cloudjobs.transport import environment
from airflow_cloudjobs.transport.config import TransportConfig
from airflow_cloudjobs.transport.environment import proxy_for, trusting, trusting_as_before

PROXY = "http://proxy.example.com:3128"


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What was read of the environment before, or is read here, is not what other tests find."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    environment._from_environment.cache_clear()
    yield
    environment._from_environment.cache_clear()


@pytest.mark.parametrize("no_proxy", ["10.0.0.0/8", "example.test, 10.0.0.0/8", "10.1.2.3", "10.0.0.0/33"])
@pytest.mark.parametrize("host", ["10.1.2.3", "10.1.2.3:8443", "192.168.0.1", "dli.example.com", "10.example.com"])
def test_a_network_is_read_as_requests_reads_it(monkeypatch: pytest.MonkeyPatch, no_proxy: str, host: str) -> None:
    monkeypatch.setenv("NO_PROXY", no_proxy)
    direct = should_bypass_proxies(f"https://{host}/", None)
    assert (proxy_for("https", host, TransportConfig()) is None) is direct


@pytest.mark.parametrize(("host", "direct"), [("[fd00::1]", True), ("[fd00::1]:443", True), ("[fe80::1]", False)])
def test_a_network_of_version_6(monkeypatch: pytest.MonkeyPatch, host: str, direct: bool) -> None:
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,fd00::/8")
    assert (proxy_for("https", host, TransportConfig()) is None) is direct


AUTHORITIES = re.findall("-----BEGIN.+?-----END CERTIFICATE-----", certifi.contents(), re.DOTALL)


def test_certificates_are_read_once(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text(AUTHORITIES[0])
    assert trusting_as_before(str(bundle)) is trusting_as_before(str(bundle))
    assert trusting(str(bundle)) is not trusting_as_before(str(bundle))


def test_a_file_of_certificates_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    for authority in AUTHORITIES[:3]:
        bundle.write_text(authority)
        assert trusts(bundle) == [authority]


def test_mounted_certificates_that_were_replaced_are_read_anew(tmp_path: Path) -> None:
    """By a link that leads elsewhere, to files that may be of one size and age."""
    mounted = tmp_path / "ca.pem"
    for number, authority in enumerate(AUTHORITIES[:3]):
        file = tmp_path / f"{number}.pem"
        file.write_text(authority.ljust(9000))
        os.utime(file, (0, 0))
        mounted.unlink(missing_ok=True)
        mounted.symlink_to(file)
        assert trusts(mounted) == [authority]


def trusts(bundle: Path) -> list[str]:
    """The certificates that are trusted."""
    context = trusting_as_before(str(bundle))
    return [ssl.DER_cert_to_PEM_cert(one).strip() for one in context.get_ca_certs(binary_form=True)]
