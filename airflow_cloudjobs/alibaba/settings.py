# SPDX-License-Identifier: Apache-2.0
"""What an Alibaba Cloud connection says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_cloudjobs import regions
from airflow_cloudjobs.http.credential import Credential
from airflow_cloudjobs.settings import (
    METADATA,
    CloudSettings,
    ConnectionFields,
    Extra,
    InvalidConnection,
    Mode,
    common_settings,
)

SERVICES = ("dms-enterprise", "ice", "sts", METADATA)

AUTH_MODES: dict[str, tuple[str, ...]] = {
    "ak": ("security_token",),
    "sts": ("security_token",),
    "ram_role_arn": ("role_arn", "role_session_name", "external_id", "security_token"),
    "oidc_role_arn": ("role_arn", "role_session_name", "oidc_provider_arn", "oidc_token_file"),
    "ecs_ram_role": ("ecs_role_name",),
    "credentials_uri": ("credentials_uri",),
    "default": (),
}
"""The credential modes, the default first, and the fields of the extra that belong to each."""

SESSION_NAME = "airflow-cloudjobs"
"""The name that a role's session has in the account's audit log unless the connection gives one."""


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """A RAM role that the connection's AccessKey takes on.

    :param arn: the role, ``acs:ram::<account>:role/<name>``.
    :param session_name: names the session in the audit log.
    :param external_id: what the role's trust policy may ask for; empty for none.
    """

    arn: str
    session_name: str
    external_id: str


@dataclass(frozen=True, slots=True)
class OidcRole:
    """A RAM role that the bearer of an OIDC token takes on (RRSA in a Kubernetes pod).

    :param arn: the role.
    :param session_name: names the session in the audit log.
    :param provider_arn: the identity provider in RAM, ``acs:ram::<account>:oidc-provider/<name>``.
    :param token_file: where the token is; whoever mounts it replaces it before it expires.
    """

    arn: str
    session_name: str
    provider_arn: str
    token_file: str


@dataclass(frozen=True, slots=True)
class InstanceRole:
    """The RAM role attached to the ECS instance that runs Airflow.

    :param name: the role; empty asks the instance which.
    """

    name: str


@dataclass(frozen=True, slots=True)
class CredentialsUri:
    """An address that hands out credentials.

    :param uri: an ``http`` or ``https`` URL.
    """

    uri: str


@dataclass(frozen=True, slots=True)
class VendorChain:
    """The default credential chain of the vendor's SDK."""


Source = AssumedRole | OidcRole | InstanceRole | CredentialsUri | VendorChain
"""What gives temporary credentials."""


@dataclass(frozen=True, slots=True)
class AlibabaSettings(CloudSettings):
    """An Alibaba Cloud connection, checked.

    :param credential: its AccessKey, with the token of a temporary one; empty where the mode has none.
    :param source: where credentials come from; None if the AccessKey itself signs.
    :param tid: the DMS tenant of calls that name none; empty leaves the choice to DMS.
    """

    credential: Credential
    source: Source | None
    tid: str

    metadata = "http://100.100.100.200"

    job_services = ("dms-enterprise", "ice")

    def vendor_host(self, service: str) -> str:
        """DMS and STS are central hosts; ICE is regional in the regions it documents."""
        if service != "ice":
            return f"{service}.aliyuncs.com"
        if not self.region:
            raise InvalidConnection(
                self.conn_id,
                "region",
                "is missing: ICE needs one, e.g. cn-shanghai (or the task's 'region', or 'endpoints')",
            )
        return "ice.aliyuncs.com" if self.region in regions.ICE_CENTRAL else f"ice.{self.region}.aliyuncs.com"

    def token_files(self) -> Mapping[str, str]:
        """The OIDC token."""
        return {"oidc_token_file": self.source.token_file} if isinstance(self.source, OidcRole) else {}


def alibaba_settings(fields: ConnectionFields, region: str | None) -> AlibabaSettings:
    """Read and check a connection of this provider, or one of the alibaba provider's layout.

    :param fields: the connection.
    :param region: the task's region, which wins over the connection's.
    :raises InvalidConnection: naming the field, the mode and what is allowed.
    """
    extra = Extra(fields)
    common = common_settings(fields, extra, region, SERVICES)
    if regions.foreign_region(common["region"], regions.ALIBABA, regions.HUAWEI):
        raise fields.invalid("region", f"is {common['region']!r}, a region of Huawei Cloud")
    mode = Mode(fields, extra, AUTH_MODES)
    peer = extra.text("auth_type")
    if peer not in ("", "AK"):
        raise fields.invalid("auth_type", f"is {peer!r}; allowed is 'AK', or 'auth': {', '.join(AUTH_MODES)}")
    if peer and mode.name not in ("ak", "sts"):
        raise mode.invalid("auth_type", f"is {peer!r} beside another 'auth': give only 'auth'")
    credential = Credential()
    if mode.name in ("ak", "sts", "ram_role_arn"):
        secret = _either(fields, extra, mode, "password", fields.password, "access_key_secret", "the AccessKey secret")
        credential = Credential(
            key=_either(fields, extra, mode, "login", fields.login, "access_key_id", "the AccessKey ID"),
            secret=secret,
            security_token=fields.in_header(
                "security_token",
                mode.needed("security_token", "the token of the temporary AccessKey")
                if mode.name == "sts"
                else extra.text("security_token"),
            ),
        )
    tid = extra.text("tid")
    if tid and not re.fullmatch("[0-9]+", tid):
        raise fields.invalid("tid", f"is {tid!r}; it must be a whole number")
    return AlibabaSettings(auth=mode.name, credential=credential, source=_source(mode), tid=tid, **common)


def _source(mode: Mode) -> Source | None:
    if mode.name == "ram_role_arn":
        return AssumedRole(
            arn=mode.needed("role_arn", "the ARN of the RAM role"),
            session_name=mode.optional("role_session_name") or SESSION_NAME,
            external_id=mode.optional("external_id"),
        )
    if mode.name == "oidc_role_arn":
        # The variables are those that the vendor's webhook puts into a pod.
        return OidcRole(
            arn=mode.needed("role_arn", "the ARN of the RAM role", "ALIBABA_CLOUD_ROLE_ARN"),
            session_name=mode.optional("role_session_name", "ALIBABA_CLOUD_ROLE_SESSION_NAME") or SESSION_NAME,
            provider_arn=mode.needed(
                "oidc_provider_arn", "the ARN of the OIDC identity provider", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"
            ),
            token_file=mode.needed("oidc_token_file", "the path of the OIDC token", "ALIBABA_CLOUD_OIDC_TOKEN_FILE"),
        )
    if mode.name == "ecs_ram_role":
        return InstanceRole(name=mode.optional("ecs_role_name"))
    if mode.name == "credentials_uri":
        uri = mode.needed("credentials_uri", "the address that hands out credentials")
        if not uri.startswith(("http://", "https://")):
            raise mode.invalid("credentials_uri", "must begin with http:// or https://")
        return CredentialsUri(uri)
    return VendorChain() if mode.name == "default" else None


def _either(fields: ConnectionFields, extra: Extra, mode: Mode, name: str, value: str, other: str, what: str) -> str:
    """A value from the connection's own field, or from the extra as the alibaba provider has it."""
    value = value.strip()
    elsewhere = extra.text(other)
    if value and elsewhere and value != elsewhere:
        raise fields.invalid(name, f"and extra {other!r} differ: give {what} once")
    if not (value or elsewhere):
        raise mode.invalid(name, f"is missing: give {what} (or extra {other!r})")
    return fields.in_header(name if value else other, value or elsewhere)
