# SPDX-License-Identifier: Apache-2.0
"""What only this machine is answered is never asked through a proxy, the connection's or the environment's."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from credential_modes import DRIVERS, MODES, PROBES, Mode, driver, mode_ids

from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.localcloud import LocalCloud
from airflow_cloudjobs.transport import environment

LOCAL = [mode for mode in MODES if mode.auth in ("ecs_ram_role", "credentials_uri", "ecs_agency")]


@pytest.fixture
def dead_proxy() -> str:
    """The address of a proxy that is not there."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("place", ["connection", "environment"])
@pytest.mark.parametrize("name", DRIVERS)
@pytest.mark.parametrize("mode", LOCAL, ids=mode_ids)
def test_login_needs_no_proxy(
    mode: Mode,
    name: str,
    place: str,
    cloud: LocalCloud,
    dead_proxy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment._from_environment.cache_clear()
    if place == "environment":
        monkeypatch.setenv("http_proxy", dead_proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
    more = {"proxy": dead_proxy} if place == "connection" else {}
    client = mode.client(mode.connection(cloud, tmp_path / "none", **more))

    async def call() -> None:
        async with driver(name, client) as calls:
            await calls.call(PROBES[mode.cloud])

    try:
        with pytest.raises(CloudApiError) as caught:
            asyncio.run(call())
    finally:
        environment._from_environment.cache_clear()
    assert mode.made(cloud) == 1
    # The login went through, and the first request to the cloud's API met the proxy.
    assert caught.value.code == "<proxy>"
