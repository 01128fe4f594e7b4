# SPDX-License-Identifier: Apache-2.0
"""The package's clients of the local clouds, or of another address, without Airflow."""

from __future__ import annotations

import json
from typing import Any

from airflow_cloudjobs.alibaba.client import AlibabaClient
from airflow_cloudjobs.alibaba.settings import alibaba_settings
from airflow_cloudjobs.connection.settings import ConnectionFields
from airflow_cloudjobs.huawei.client import HuaweiClient
from airflow_cloudjobs.huawei.settings import huawei_settings
from airflow_cloudjobs.localcloud import LocalCloud, accounts

PROJECT = accounts.project_id(accounts.DEFAULT_HUAWEI_REGION)


def fields(connection: dict[str, Any]) -> ConnectionFields:
    """A connection in Airflow's JSON form, as the package reads it."""
    plain = {name: value for name, value in connection.items() if name != "extra"}
    return ConnectionFields(conn_id="c", extra=json.dumps(connection.get("extra", {})), **plain)


def alibaba(cloud: LocalCloud | str, *, login: str = "", password: str = "", **extra: Any) -> AlibabaClient:
    """A client of Alibaba Cloud on localhost, or at another address."""
    return AlibabaClient(
        alibaba_settings(fields(_changed(_connection(cloud, "alibaba"), login, password, extra)), None)
    )


def huawei(
    cloud: LocalCloud | str, *, login: str = "", password: str = "", auth: str = "aksk", **extra: Any
) -> HuaweiClient:
    """A client of Huawei Cloud on localhost, or at another address; the project is looked up unless given."""
    connection = _connection(cloud, "huawei", auth)
    return HuaweiClient(huawei_settings(fields(_changed(connection, login, password, extra)), None))


def _connection(cloud: LocalCloud | str, which: str, auth: str = "aksk") -> dict[str, Any]:
    home = cloud if isinstance(cloud, LocalCloud) else LocalCloud(port=1)
    connection = home.alibaba_connection()
    if which == "huawei":
        connection = home.huawei_connection("token" if auth == "token" else "aksk")
    if isinstance(cloud, str):
        connection |= {"host": cloud, "port": None}
    return connection


def _changed(connection: dict[str, Any], login: str, password: str, extra: dict[str, Any]) -> dict[str, Any]:
    connection["login"] = login or connection["login"]
    connection["password"] = password or connection["password"]
    connection["extra"] = {**connection["extra"], **extra}
    return connection
