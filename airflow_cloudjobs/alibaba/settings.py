# SPDX-License-Identifier: Apache-2.0
"""What an Alibaba Cloud connection says."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_cloudjobs import regions
from airflow_cloudjobs.http.exchange import Credential
from airflow_cloudjobs.settings import (
    CloudSettings,
    ConnectionFields,
    Extra,
    InvalidConnection,
    common_settings,
)

SERVICES = ("dms-enterprise", "ice", "sts")
AUTH_MODES = ("ak", "sts")

ICE_REGIONS = ("cn-beijing", "cn-hangzhou", "cn-shanghai", "cn-shenzhen", "ap-southeast-1", "us-west-1")
"""https://www.alibabacloud.com/help/en/ims/developer-reference/api-ice-2020-11-09-endpoint"""


@dataclass(frozen=True, slots=True)
class AlibabaSettings(CloudSettings):
    """An Alibaba Cloud connection, checked.

    :param credential: its AccessKey, with the token of a temporary one.
    :param tid: the DMS tenant of calls that name none; empty leaves the choice to DMS.
    """

    credential: Credential
    tid: str

    def vendor_host(self, service: str) -> str:
        """DMS and STS are central hosts; ICE is regional in the six regions it documents."""
        if service != "ice":
            return f"{service}.aliyuncs.com"
        if not self.region:
            raise InvalidConnection(
                self.conn_id,
                "region",
                "is missing: ICE needs one, e.g. cn-shanghai (or the task's 'region', or 'endpoints')",
            )
        if self.region in regions.ALIBABA and self.region not in ICE_REGIONS:
            return "ice.aliyuncs.com"
        return f"ice.{self.region}.aliyuncs.com"


def alibaba_settings(fields: ConnectionFields, region: str | None) -> AlibabaSettings:
    """Read and check a connection of this provider, or one of the alibaba provider's layout.

    :param fields: the connection.
    :param region: the task's region, which wins over the connection's.
    :raises InvalidConnection: naming the field and what is allowed.
    """
    extra = Extra(fields)
    common = common_settings(fields, extra, region, SERVICES)
    if regions.foreign_region(common["region"], regions.ALIBABA, regions.HUAWEI):
        raise fields.invalid("region", f"is {common['region']!r}, a region of Huawei Cloud")
    peer = extra.text("auth_type")
    if peer not in ("", "AK"):
        raise fields.invalid("auth_type", f"is {peer!r}; allowed is 'AK', or 'auth': {', '.join(AUTH_MODES)}")
    auth = extra.choice("auth", AUTH_MODES, "ak")
    key = _either(fields, extra, "login", fields.login, "access_key_id", "the AccessKey ID")
    secret = _either(fields, extra, "password", fields.password, "access_key_secret", "the AccessKey secret")
    token = extra.text("security_token")
    if auth == "sts" and not token:
        raise fields.invalid("security_token", "is missing: auth 'sts' needs the token of the temporary AccessKey")
    credential = Credential(key=key, secret=secret, security_token=token)
    return AlibabaSettings(credential=credential, tid=extra.text("tid"), **common)


def _either(fields: ConnectionFields, extra: Extra, name: str, value: str, other: str, what: str) -> str:
    """A value from the connection's own field, or from the extra as the alibaba provider has it."""
    elsewhere = extra.text(other)
    if value and elsewhere and value != elsewhere:
        raise fields.invalid(name, f"and extra {other!r} differ: give {what} once")
    if not (value or elsewhere):
        raise fields.invalid(name, f"is missing: give {what} (or extra {other!r})")
    return value or elsewhere
