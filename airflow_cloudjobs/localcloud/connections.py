# SPDX-License-Identifier: Apache-2.0
"""The local clouds as Airflow connections, in Airflow's JSON form."""

from __future__ import annotations

from typing import Any

from airflow_cloudjobs.localcloud.accounts import (
    ALIBABA_ACCESS_KEY,
    ALIBABA_SECRET,
    DEFAULT_ALIBABA_REGION,
    DEFAULT_HUAWEI_REGION,
    HUAWEI_ACCESS_KEY,
    HUAWEI_SECRET,
    IAM_DOMAIN,
    IAM_PASSWORD,
    IAM_USER,
)

Connection = dict[str, Any]


def alibaba_connection(host: str, port: int, schema: str = "http", **extra: Any) -> Connection:
    """A connection of type ``alibaba_cloudjobs`` with the default access key.

    :param host: host of the local clouds.
    :param port: port of the local clouds.
    :param schema: ``http`` or ``https``.
    :param extra: further fields of the connection's extra, over the region.
    """
    return {
        "conn_type": "alibaba_cloudjobs",
        "login": ALIBABA_ACCESS_KEY,
        "password": ALIBABA_SECRET,
        "host": host,
        "port": port,
        "schema": schema,
        "extra": {"region": DEFAULT_ALIBABA_REGION, **extra},
    }


def huawei_connection(
    host: str,
    port: int,
    schema: str = "http",
    auth: str = "aksk",
    *,
    conn_type: str = "huawei_cloudjobs",
    **extra: Any,
) -> Connection:
    """A connection to Huawei Cloud with the default access key, or with the IAM user.

    :param host: host of the local clouds.
    :param port: port of the local clouds.
    :param schema: ``http`` or ``https``.
    :param auth: how to log in; ``token`` gives the IAM user and password instead of the access key.
    :param conn_type: its type; ``huawei_dli`` runs SQL too.
    :param extra: further fields of the connection's extra, over region, auth and domain.
    """
    by_token = auth == "token"
    # The default stays unsaid: Airflow warns of it, in every task's log, as of a secret that is too short to hide.
    fields = {"region": DEFAULT_HUAWEI_REGION, **({} if auth == "aksk" else {"auth": auth})}
    if by_token:
        fields["domain"] = IAM_DOMAIN
    return {
        "conn_type": conn_type,
        "login": IAM_USER if by_token else HUAWEI_ACCESS_KEY,
        "password": IAM_PASSWORD if by_token else HUAWEI_SECRET,
        "host": host,
        "port": port,
        "schema": schema,
        "extra": {**fields, **extra},
    }
