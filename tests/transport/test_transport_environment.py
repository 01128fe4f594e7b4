# SPDX-License-Identifier: Apache-2.0
"""Which hosts the environment's proxy is for: the same that requests takes it for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from requests.utils import should_bypass_proxies

from airflow_cloudjobs.transport import environment
from airflow_cloudjobs.transport.config import TransportConfig
from airflow_cloudjobs.transport.environment import proxy_for

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
