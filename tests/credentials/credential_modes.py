# SPDX-License-Identifier: Apache-2.0
"""Each credential mode as a connection to a local cloud, and what it takes to use it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_cloudjobs.alibaba.hook import AlibabaCloudHook
from airflow_cloudjobs.connection.settings import ConnectionFields
from airflow_cloudjobs.hook import CloudHook
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.localcloud import LocalCloud, accounts
from airflow_cloudjobs.transport.aio import AsyncCaller, session_for
from airflow_cloudjobs.transport.flow import CloudClient
from airflow_cloudjobs.transport.sync import SyncCaller

CONN_ID = "tested"

SEEN: dict[tuple[str, str, str], str] = {}
"""What came of a mode, a driver and a case; printed at the end."""

PROBES = {
    "alibaba": ApiRequest("dms-enterprise", "ListUserTenants", idempotent=True),
    "huawei": ApiRequest("dli", "ListQueues", "GET", "/v1.0/{project_id}/queues", idempotent=True),
}
"""A read-only call that needs nothing but a credential."""


@dataclass(frozen=True)
class Mode:
    """A credential mode.

    :param cloud: ``alibaba`` or ``huawei``.
    :param auth: its name.
    :param fields: the fields of the extra that it needs.
    :param logins: the calls that one login makes; the first is made once a login. Empty if it makes none.
    :param environment: environment variables that it needs.
    :param key: True if login and password of the connection are used.
    :param issued: True if they and a security token are issued for the connection, which then ends with them.
    """

    cloud: str
    auth: str
    fields: Callable[[LocalCloud, Path], dict[str, Any]] = lambda cloud, file: {}
    logins: tuple[str, ...] = ()
    environment: Callable[[LocalCloud, Path], dict[str, str]] = lambda cloud, file: {}
    key: bool = False
    issued: bool = False

    @property
    def name(self) -> str:
        return f"{self.cloud} {self.auth}{' with token' if self.issued and self.auth == 'aksk' else ''}"

    @property
    def temporary(self) -> bool:
        return bool(self.logins)

    def connection(self, cloud: LocalCloud, token_file: Path, **more: Any) -> dict[str, Any]:
        """The connection, in Airflow's JSON form."""
        extra = {**self.fields(cloud, token_file), **more}
        own = {}
        if self.issued:
            issued = cloud.control.issue_credentials(self.cloud)
            extra["security_token"] = issued["security_token"]
            own = {"login": issued["access_key"], "password": issued["secret"]}
        if self.cloud == "alibaba":
            connection = cloud.alibaba_connection(auth=self.auth, **extra)
        else:
            connection = cloud.huawei_connection(self.auth, **extra)
        connection |= own
        if not self.key:
            connection = {name: value for name, value in connection.items() if name not in ("login", "password")}
        return connection

    def hook(self) -> CloudHook:
        return AlibabaCloudHook(CONN_ID) if self.cloud == "alibaba" else HuaweiCloudHook(CONN_ID)

    def client(self, connection: Mapping[str, Any]) -> CloudClient:
        """A client as the hook makes one."""
        hook = self.hook()
        return hook.make_client(hook.read_settings(fields_of(connection)))

    def made(self, cloud: LocalCloud) -> int:
        """How many logins the cloud has seen."""
        operations = cloud.control.stats(0)["operations"]
        return operations.get(self.logins[0], {}).get("calls", 0) if self.logins else 0


def fields_of(connection: Mapping[str, Any]) -> ConnectionFields:
    """A connection in Airflow's JSON form as the hooks read it."""
    plain = {name: value for name, value in connection.items() if name != "extra"}
    return ConnectionFields(conn_id=CONN_ID, extra=json.dumps(connection.get("extra", {})), **plain)


def write_token(cloud: LocalCloud, file: Path, life: float = 3600.0) -> None:
    """Mount a fresh token, in one step as a kubelet does."""
    fresh = file.with_suffix(".new")
    fresh.write_text(cloud.control.issue_id_token(life) + "\n")
    fresh.replace(file)


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Blocking:
    """The blocking driver."""

    name = "blocking"

    def __init__(self, client: CloudClient) -> None:
        self._caller = SyncCaller(client)

    async def call(self, request: ApiRequest) -> dict[str, Any]:
        return await asyncio.to_thread(self._caller.call, request)


class OnLoop:
    """The asyncio driver."""

    name = "asyncio"

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def call(self, request: ApiRequest) -> dict[str, Any]:
        return await self._caller.call(request)


DRIVERS = (Blocking.name, OnLoop.name)


@asynccontextmanager
async def driver(name: str, client: CloudClient) -> AsyncIterator[Blocking | OnLoop]:
    """A client's calls by one of the drivers."""
    if name == Blocking.name:
        yield Blocking(client)
    else:
        async with session_for(client.transport) as session:
            yield OnLoop(AsyncCaller(client, session))


def _metadata(cloud: LocalCloud, file: Path) -> dict[str, Any]:
    return {"endpoints": {"metadata": cloud.url}}


MODES = (
    Mode("alibaba", "ak", key=True),
    Mode("alibaba", "sts", key=True, issued=True),
    Mode(
        "alibaba",
        "ram_role_arn",
        lambda cloud, file: {
            "role_arn": accounts.ALIBABA_PARTNER_ROLE_ARN,
            "external_id": accounts.ALIBABA_EXTERNAL_ID,
            "role_session_name": "tests",
        },
        ("AssumeRole",),
        key=True,
    ),
    Mode(
        "alibaba",
        "oidc_role_arn",
        lambda cloud, file: {
            "role_arn": accounts.ALIBABA_ROLE_ARN,
            "oidc_provider_arn": accounts.ALIBABA_OIDC_PROVIDER_ARN,
            "oidc_token_file": str(file),
        },
        ("AssumeRoleWithOIDC",),
    ),
    Mode(
        "alibaba",
        "ecs_ram_role",
        _metadata,
        ("alibaba metadata key", "alibaba metadata role", "alibaba metadata token"),
    ),
    Mode(
        "alibaba",
        "credentials_uri",
        lambda cloud, file: {"credentials_uri": f"{cloud.url}/credentials-uri"},
        ("alibaba credentials URI",),
    ),
    Mode(
        "alibaba",
        "default",
        logins=("alibaba credentials URI",),
        environment=lambda cloud, file: {"ALIBABA_CLOUD_CREDENTIALS_URI": f"{cloud.url}/credentials-uri"},
    ),
    Mode("huawei", "aksk", key=True),
    Mode("huawei", "aksk", key=True, issued=True),
    Mode("huawei", "token", logins=("KeystoneCreateUserTokenByPassword",), key=True),
    Mode("huawei", "ecs_agency", _metadata, ("huawei metadata key", "huawei metadata token")),
    Mode(
        "huawei",
        "oidc",
        lambda cloud, file: {"idp_id": accounts.HUAWEI_IDP_ID, "id_token_file": str(file)},
        ("CreateTokenWithIdToken", "CreateTemporaryAccessKeyByToken"),
    ),
    Mode(
        "huawei",
        "default",
        logins=("CreateTokenWithIdToken", "CreateTemporaryAccessKeyByToken"),
        environment=lambda cloud, file: {
            "HUAWEICLOUD_SDK_IDP_ID": accounts.HUAWEI_IDP_ID,
            "HUAWEICLOUD_SDK_ID_TOKEN_FILE": str(file),
        },
    ),
)

TEMPORARY = tuple(mode for mode in MODES if mode.temporary)


def mode_ids(mode: Mode) -> str:
    return mode.name.replace(" ", "-")
