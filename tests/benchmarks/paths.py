# SPDX-License-Identifier: Apache-2.0
"""The other ways to poll a job from an event loop: the floor, the vendors' clients, a peer's hook."""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import certifi
from server import HOST, Cloud
from waiting import Go

Poll = Callable[[int], Awaitable[Any]]

PEER = ("apache-airflow-providers-huawei==1.7.0", "huaweicloudsdkiam")


def tolerated(poll: Poll, failed: Counter[str], name: str) -> Poll:
    """A poll that may fail: clients that are saturated run into their own timeouts.

    :param failed: counts failures by name.
    """

    async def tried(number: int) -> None:
        try:
            await poll(number)
        except Exception:
            failed[name] += 1

    return tried


def again_and_again(poll: Poll, pause: float) -> Go:
    """Poll, rest for about as long as our waits do, poll again.

    :param pause: seconds; the same jitter as ours has. Some clients block the loop while they poll, so without any
        the loop would never have its turn.
    """

    async def go(number: int) -> None:
        while True:
            await poll(number)
            await asyncio.sleep(pause * (1.0 - 0.2 * random.random()))

    return go


@asynccontextmanager
async def floor(cloud: Cloud) -> AsyncIterator[Poll]:
    """An unsigned GET of the same answer on a shared aiohttp session: the least that Python's usual tool can do."""
    context = ssl.create_default_context(cafile=cloud.ca_file)
    url = f"{cloud.url}/plain"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200, ssl=context)) as session:

        async def poll(number: int) -> None:
            async with session.get(url) as answer:
                json.loads(await answer.read())

        yield poll


def trust(cloud: Cloud, folder: Path) -> None:
    """Have the vendors' clients trust the server, by the stores that they read anyway.

    :param folder: for the bundle, which is the usual one with the server's authority added.
    """
    usual = ssl.get_default_verify_paths().cafile
    for name, source in (("SSL_CERT_FILE", usual), ("REQUESTS_CA_BUNDLE", certifi.where())):
        bundle = folder / f"{name}.pem"
        bundle.write_text((Path(source).read_text() if source else "") + Path(cloud.ca_file).read_text())
        os.environ[name] = str(bundle)


def alibaba_client(cloud: Cloud) -> Any:
    """The vendor's typed client of DMS, kept."""
    from alibabacloud_dms_enterprise20181101.client import Client
    from alibabacloud_tea_openapi.models import Config

    config = Config(
        "AKEXAMPLE", "SKEXAMPLE", protocol="https", endpoint=f"{HOST}:{cloud.port}", region_id="cn-shanghai"
    )
    return Client(config)


def alibaba_async(cloud: Cloud) -> Poll:
    """The vendor's async client, as it is shipped."""
    from alibabacloud_dms_enterprise20181101.models import GetUserUploadFileJobRequest

    client = alibaba_client(cloud)
    return lambda number: client.get_user_upload_file_job_async(GetUserUploadFileJobRequest(job_key=f"job-{number}"))


def alibaba_threads(cloud: Cloud) -> Poll:
    """The vendor's blocking client in threads."""
    from alibabacloud_dms_enterprise20181101.models import GetUserUploadFileJobRequest

    client = alibaba_client(cloud)
    return lambda number: asyncio.to_thread(
        client.get_user_upload_file_job, GetUserUploadFileJobRequest(job_key=f"job-{number}")
    )


def _huawei_client(cloud: Cloud, kind: str) -> Any:
    import huaweicloudsdkdli.v1 as dli
    from huaweicloudsdkcore.auth.credentials import BasicCredentials

    credentials = BasicCredentials("AKEXAMPLE", "SKEXAMPLE", "0123456789abcdef0123456789abcdef")
    return getattr(dli, kind).new_builder().with_credentials(credentials).with_endpoint(cloud.url).build()


def huawei_async(cloud: Cloud) -> Poll:
    """The vendor's "async" client: a thread pool whose futures are awaited without blocking the loop."""
    from huaweicloudsdkdli.v1 import ShowSqlJobStatusRequest

    client = _huawei_client(cloud, "DliAsyncClient")

    async def poll(number: int) -> None:
        answer = client.show_sql_job_status_async(ShowSqlJobStatusRequest(f"job-{number}"))
        await asyncio.to_thread(answer.result)

    return poll


def huawei_threads(cloud: Cloud) -> Poll:
    """The vendor's blocking client in threads."""
    from huaweicloudsdkdli.v1 import ShowSqlJobStatusRequest

    client = _huawei_client(cloud, "DliClient")
    return lambda number: asyncio.to_thread(client.show_sql_job_status, ShowSqlJobStatusRequest(f"job-{number}"))


@asynccontextmanager
async def huawei_provider(cloud: Cloud) -> AsyncIterator[Poll | str]:
    """The hook that the huawei provider's trigger polls with; or why it cannot be had."""
    with tempfile.TemporaryDirectory(prefix="cloudjobs-bench-peer-") as folder:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, *PEER]
        installed = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
        if installed.returncode:
            yield f"{PEER[0]} could not be installed: {installed.stderr.strip().splitlines()[-1]}"
            return
        import airflow.providers

        airflow.providers.__path__.append(f"{folder}/airflow/providers")
        sys.path.append(folder)
        try:
            from airflow.providers.huawei.cloud.hooks import dli  # type: ignore[import-not-found]  # just installed
            from huaweicloudsdkcore.region.region import Region
        except ImportError as error:
            yield f"{PEER[0]} does not import: {error!r}"
            return
        dli.DliRegion.value_of = lambda region: Region(region, cloud.url)
        extra = {"region": "cn-north-4", "project_id": "0123456789abcdef0123456789abcdef"}
        connection = {"conn_type": "huaweicloud", "login": "AKEXAMPLE", "password": "SKEXAMPLE", "extra": extra}
        os.environ["AIRFLOW_CONN_HUAWEI_PEER"] = json.dumps(connection)
        hook = dli.DLIAsyncHook(huaweicloud_conn_id="huawei_peer")
        yield lambda number: hook.show_sql_job_status(f"job-{number}")
