# SPDX-License-Identifier: Apache-2.0
"""Local clouds with and without TLS, behind a proxy that alone knows where they are."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from network_authority import Authority, make_authority
from network_ways import CONN_ID, WAYS, Way
from network_world import HIDDEN, SILENCED, Connect, connection
from support.proxy import Proxy

from airflow_cloudjobs.localcloud import LocalCloud
from airflow_cloudjobs.transport import environment


@pytest.fixture(autouse=True)
def no_certificates_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the machine's environment says about proxies and certificates is not what is tested."""
    for name in SILENCED:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    environment._from_environment.cache_clear()
    yield
    environment._from_environment.cache_clear()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), ["127.0.0.1", HIDDEN])


@pytest.fixture(scope="session")
def clouds(authority: Authority) -> Iterator[dict[str, LocalCloud]]:
    """The local clouds by how they are spoken to: ``http`` or ``https``."""
    plain = LocalCloud(job_seconds=0.4)
    tls = LocalCloud(job_seconds=0.4, tls_cert=authority.cert, tls_key=authority.key)
    with plain, tls:
        yield {"http": plain, "https": tls}


@pytest.fixture(autouse=True)
def as_new(clouds: dict[str, LocalCloud]) -> None:
    for cloud in clouds.values():
        cloud.control.reset()


@pytest.fixture
def proxy(clouds: dict[str, LocalCloud]) -> Iterator[Callable[..., Proxy]]:
    """Starts a proxy before one of the clouds; it is ended with the test."""
    running: list[Proxy] = []

    def start(schema: str, **options: Any) -> Proxy:
        cloud = clouds[schema]
        running.append(Proxy({HIDDEN: (cloud.host, cloud.port)}, **options))
        return running[-1].__enter__()

    yield start
    for each in running:
        each.__exit__(None, None, None)


@pytest.fixture
def connect(clouds: dict[str, LocalCloud], monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Sets the connection under test, see :func:`connection`."""

    def set_it(cloud: str, schema: str, *, conn_id: str = CONN_ID, **options: Any) -> None:
        made = connection(clouds, cloud, schema, **options)
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(made))

    return set_it


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All that anybody logs, down to DEBUG."""
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.fixture
def pem(tmp_path: Path) -> Callable[[str], str]:
    """Writes a file and gives its path."""

    def write(text: str) -> str:
        path = tmp_path / "some.pem"
        path.write_text(text)
        return str(path)

    return write
