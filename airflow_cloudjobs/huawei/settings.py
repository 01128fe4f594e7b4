# SPDX-License-Identifier: Apache-2.0
"""What a Huawei Cloud connection says."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_cloudjobs import regions
from airflow_cloudjobs.http.exchange import Credential
from airflow_cloudjobs.settings import (
    CloudSettings,
    ConnectionFields,
    Extra,
    InvalidConnection,
    common_settings,
)

SERVICES = ("dli", "drs", "iam")
AUTH_MODES = ("aksk", "token")


@dataclass(frozen=True, slots=True)
class IamUser:
    """Who logs in with a password.

    :param domain: the account's name.
    :param name: the IAM user's name.
    """

    domain: str
    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class HuaweiSettings(CloudSettings):
    """A Huawei Cloud connection, checked.

    :param project_id: the project; empty to look it up by region.
    :param credential: the AK and SK; None for ``auth=token``.
    :param user: the IAM user; None for ``auth=aksk``.
    """

    project_id: str
    credential: Credential | None
    user: IamUser | None

    def vendor_host(self, service: str) -> str:
        """``<service>.<region>.myhuaweicloud.com``, and ``.eu`` in the European sites.

        Source: https://developer.huaweicloud.com/intl/en-us/endpoint
        """
        if not self.region:
            if service == "iam":
                return "iam.myhuaweicloud.com"
            raise InvalidConnection(
                self.conn_id,
                "region",
                "is missing: give one, e.g. cn-north-4 (or the task's 'region', or 'endpoints' of the connection)",
            )
        domain = "myhuaweicloud.eu" if self.region in EU_SITE else "myhuaweicloud.com"
        return f"{service}.{self.region}.{domain}"


EU_SITE = frozenset({"eu-west-101"})


def huawei_settings(fields: ConnectionFields, region: str | None) -> HuaweiSettings:
    """Read and check a connection of this provider, or one of the huawei provider's layout.

    :param fields: the connection.
    :param region: the task's region, which wins over the connection's.
    :raises InvalidConnection: naming the field and what is allowed.
    """
    extra = Extra(fields)
    common = common_settings(fields, extra, region, SERVICES)
    if regions.foreign_region(common["region"], regions.HUAWEI, regions.ALIBABA):
        raise fields.invalid("region", f"is {common['region']!r}, a region of Alibaba Cloud")
    auth = extra.choice("auth", AUTH_MODES, "aksk")
    # A project belongs to one region: the connection's does not fit a task's other region.
    elsewhere = bool(region) and region != extra.text("region") and bool(extra.text("region"))
    project_id = "" if elsewhere else extra.text("project_id")
    if not (project_id or common["region"]):
        raise fields.invalid(
            "project_id", "is missing: give it, or a 'region' by which it can be looked up (e.g. cn-north-4)"
        )
    if auth == "token":
        user = IamUser(
            domain=extra.text("domain"),
            name=fields.login.strip(),
            password=fields.password,
        )
        for name, value, what in (
            ("login", user.name, "the IAM user's name"),
            ("password", user.password, "the IAM user's password"),
            ("domain", user.domain, "the account's name"),
        ):
            if not value:
                raise fields.invalid(name, f"is missing: auth 'token' needs {what}")
        return HuaweiSettings(project_id=project_id, credential=None, user=user, **common)
    for name, value, what in (("login", fields.login, "the AK"), ("password", fields.password, "the SK")):
        if not value.strip():
            raise fields.invalid(name, f"is missing: auth 'aksk' needs {what}")
    credential = Credential(
        key=fields.login.strip(),
        secret=fields.password.strip(),
        security_token=extra.text("security_token"),
        project_id=project_id,
    )
    return HuaweiSettings(project_id=project_id, credential=credential, user=None, **common)
