# SPDX-License-Identifier: Apache-2.0
"""What an administrator sets for all processes of a machine: proxies, exceptions from them, certificates.

Each case is a process of its own, since a process reads its environment once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from network_authority import Authority
from network_ways import CONN_ID, WAYS
from network_world import HIDDEN, SILENCED, connection
from support.proxy import WRONG_PASSWORD, Proxy

from airflow_cloudjobs.localcloud import LocalCloud


@dataclass(frozen=True)
class Case:
    """A machine.

    :param schema: how the cloud is spoken to.
    :param env: its environment; ``{proxy}``, ``{wrong}`` (its password is), ``{bare}`` (no scheme, no password)
        and ``{ca}`` are filled in.
    :param extra: fields of the connection, filled in likewise.
    :param hidden: True asks for the cloud by the name that only the proxy knows.
    :param cloud: which cloud.
    :param proxied: whether the proxy is asked.
    :param code: how it fails; empty if it does not.
    """

    schema: str
    env: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    hidden: bool = True
    cloud: str = "huawei"
    proxied: bool = True
    code: str = ""


CASES = {
    "tunnel and bundle": Case("https", {"HTTPS_PROXY": "{proxy}", "REQUESTS_CA_BUNDLE": "{ca}"}),
    "forwarded": Case("http", {"http_proxy": "{proxy}"}, cloud="alibaba"),
    "for all schemes": Case("https", {"ALL_PROXY": "{proxy}", "SSL_CERT_FILE": "{ca}"}, cloud="alibaba"),
    "an exception": Case(
        "https",
        {"HTTPS_PROXY": "{wrong}", "NO_PROXY": "example.test, 127.0.0.1", "SSL_CERT_FILE": "{ca}"},
        hidden=False,
        proxied=False,
    ),
    "exceptions for others": Case(
        "https", {"HTTPS_PROXY": "{proxy}", "NO_PROXY": ".example.test,notcloud.invalid", "SSL_CERT_FILE": "{ca}"}
    ),
    "the connection wins": Case(
        "https",
        {"HTTPS_PROXY": "{wrong}", "NO_PROXY": "*", "REQUESTS_CA_BUNDLE": "/no/such/file"},
        {"proxy": "{proxy}", "ca_bundle": "{ca}"},
    ),
    "only the other scheme": Case("http", {"HTTPS_PROXY": "{proxy}"}, proxied=False, code="<host not found>"),
    "a wrong password": Case("https", {"HTTPS_PROXY": "{wrong}", "SSL_CERT_FILE": "{ca}"}, code="<proxy>"),
    "no bundle": Case("https", {"HTTPS_PROXY": "{proxy}"}, code="<tls>"),
    "without scheme": Case("https", {"HTTPS_PROXY": "{bare}", "SSL_CERT_FILE": "{ca}"}, code="<proxy>"),
}


@dataclass
class Ran:
    """What a process told and what its proxy saw."""

    told: dict[str, Any]
    output: str
    proxy: Proxy
    direct: int


@pytest.fixture(scope="module")
def ran(authority: Authority) -> Iterator[dict[str, Ran]]:
    """All cases, as many at once as the machine has processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield dict(zip(CASES, pool.map(lambda case: run_case(case, authority), CASES.values()), strict=True))


def run_case(case: Case, authority: Authority) -> Ran:
    tls = {"tls_cert": authority.cert, "tls_key": authority.key} if case.schema == "https" else {}
    with LocalCloud(**tls) as cloud, Proxy({HIDDEN: (cloud.host, cloud.port)}) as proxy:
        fills = {
            "{proxy}": proxy.url(),
            "{wrong}": proxy.url(password=WRONG_PASSWORD),
            "{bare}": proxy.address,
            "{ca}": authority.ca,
        }
        extra = {name: fills.get(value, value) for name, value in case.extra.items()}
        made = connection({case.schema: cloud}, case.cloud, case.schema, hidden=case.hidden, **extra)
        silent = {*SILENCED, *map(str.lower, SILENCED)}
        env = {name: value for name, value in os.environ.items() if name not in silent}
        env |= {name: fills.get(value, value) for name, value in case.env.items()}
        env |= {
            f"AIRFLOW_CONN_{CONN_ID.upper()}": json.dumps(made),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        child = Path(__file__).with_name("network_child.py")
        done = subprocess.run(
            [sys.executable, str(child), case.cloud], env=env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        total = cloud.control.stats()["connections"]["total"]
    return Ran(json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr, proxy, total - len(proxy.passed))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
def test_the_environment_is_obeyed(name: str, way: str, ran: dict[str, Ran]) -> None:
    case, seen = CASES[name], ran[name]
    error = seen.told[way]["error"]
    assert (seen.told[way].get("code") or "") == case.code, error
    assert bool(seen.proxy.asked) is case.proxied
    if case.proxied:
        assert seen.direct <= 0, "something went past the proxy"
    if case.code == "<proxy>":
        assert "407" in error


@pytest.mark.parametrize("name", CASES)
def test_the_password_shows_nowhere(name: str, ran: dict[str, Ran]) -> None:
    seen = ran[name]
    assert [form for form, secret in seen.proxy.secrets.items() if secret in seen.output] == []
