# SPDX-License-Identifier: Apache-2.0
"""What an Alibaba Cloud connection says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_cloudjobs.alibaba.fields import FIELDS
from airflow_cloudjobs.alibaba.regions import CENTRAL, host
from airflow_cloudjobs.connection.fields import METADATA
from airflow_cloudjobs.connection.settings import (
    CloudSettings,
    ConnectionFields,
    FieldReader,
    InvalidConnection,
    common_settings,
)
from airflow_cloudjobs.transport.credential import Credential


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

    cloud = "alibaba"

    metadata = "http://100.100.100.200"

    login_services = ("sts", METADATA)

    vendor_domains = ("aliyuncs.com",)

    def vendor_host(self, service: str) -> str:
        """By the vendor's rule and its exceptions, see :mod:`.regions`."""
        if not self.region and service not in CENTRAL:
            raise InvalidConnection(
                self.conn_id,
                "region",
                f"is missing: {service!r} needs one, e.g. cn-shanghai (or the task's 'region', or 'endpoints')",
            )
        return host(service, self.region)

    def token_files(self) -> Mapping[str, str]:
        """The OIDC token."""
        return {"oidc_token_file": self.source.token_file} if isinstance(self.source, OidcRole) else {}


def alibaba_settings(fields: ConnectionFields, region: str | None) -> AlibabaSettings:
    """Read and check a connection of this provider, or one of the alibaba provider's layout.

    :param fields: the connection.
    :param region: the task's region, which wins over the connection's.
    :raises InvalidConnection: naming the field, the mode and what is allowed.
    """
    read = FieldReader(fields, FIELDS)
    common = common_settings(read, region)
    auth = read.auth
    peer = read.extra.text("auth_type")
    if peer not in ("", "AK"):
        raise fields.invalid("auth_type", f"is {peer!r}; allowed is 'AK', or 'auth': {', '.join(FIELDS.modes)}")
    if peer and auth not in ("ak", "sts"):
        raise read.invalid("auth_type", f"is {peer!r} beside another 'auth': give only 'auth'")
    secret = read.key("password")
    credential = Credential(key=read.key("login"), secret=secret, security_token=read.key("security_token"))
    tid = read["tid"]
    if tid and not re.fullmatch("[0-9]+", tid):
        raise fields.invalid("tid", f"is {tid!r}; it must be a whole number")
    return AlibabaSettings(
        auth=auth, credential=credential, source=_source(read), tid=tid, warnings=read.warnings(), **common
    )


def _source(read: FieldReader) -> Source | None:
    if read.auth == "ram_role_arn":
        return AssumedRole(
            arn=read["role_arn"], session_name=read["role_session_name"], external_id=read["external_id"]
        )
    if read.auth == "oidc_role_arn":
        return OidcRole(
            arn=read["role_arn"],
            session_name=read["role_session_name"],
            provider_arn=read["oidc_provider_arn"],
            token_file=read["oidc_token_file"],
        )
    if read.auth == "ecs_ram_role":
        return InstanceRole(name=read["ecs_role_name"])
    if read.auth == "credentials_uri":
        uri = read["credentials_uri"]
        if not uri.startswith(("http://", "https://")):
            raise read.invalid("credentials_uri", "must begin with http:// or https://")
        return CredentialsUri(uri)
    return VendorChain() if read.auth == "default" else None
