# SPDX-License-Identifier: Apache-2.0
"""What a Huawei Cloud connection says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_cloudjobs.connection.fields import METADATA
from airflow_cloudjobs.connection.settings import (
    CloudSettings,
    ConnectionFields,
    FieldReader,
    InvalidConnection,
    common_settings,
)
from airflow_cloudjobs.huawei.fields import DLI, FIELDS
from airflow_cloudjobs.transport.credential import Credential

EU_SITE = frozenset({"eu-west-101"})
"""Regions of the European site, whose hosts end in ``.eu``."""

CHINA = "myhuaweicloud.cn"
ODD_HOSTS = {
    ("dayu-dlf", "cn-east-4"): "dayu.cn-east-4.myhuaweicloud.com",
    ("dayu-dlf", "eu-west-101"): "dayu-dlf.eu-west-101.myhuaweicloud.com",
    ("functiongraph", "eu-west-101"): "functiongraph.eu-west-101.myhuaweicloud.com",
    ("mpc", "cn-north-1"): "mts.cn-north-1.myhuaweicloud.com",
    ("modelarts", "ap-southeast-1"): f"modelarts.ap-southeast-1.{CHINA}",
    **{("mrs", region): f"mrs.{region}.{CHINA}" for region in ("ap-southeast-1", "ap-southeast-4", "ru-northwest-2")},
    **{
        ("dws", region): f"dws.{region}.{CHINA}"
        for region in ("ap-southeast-4", "cn-east-4", "cn-north-12", "cn-south-4", "tr-west-1")
    },
}
"""Hosts that follow no rule, by service and region, as the region tables of the vendor's SDK packages have them."""

PREFIXES = {"aos": "rfs", "dataartsstudio": "dayu", "dgc": "dayu-dlf", "sis": "sis-ext"}
"""How the hosts of a service begin whose SDK has another name."""


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
class Agency:
    """The agency attached to the ECS instance that runs Airflow."""


@dataclass(frozen=True, slots=True)
class IdToken:
    """An ID token of an OpenID Connect identity provider that IAM trusts.

    :param idp_id: the identity provider's name in IAM.
    :param file: where the token is; whoever mounts it replaces it before it expires.
    """

    idp_id: str
    file: str


@dataclass(frozen=True, slots=True)
class VendorChain:
    """The default credential chain of the vendor's SDK."""


Source = IamUser | Agency | IdToken | VendorChain
"""What gives temporary credentials."""


@dataclass(frozen=True, slots=True)
class HuaweiSettings(CloudSettings):
    """A Huawei Cloud connection, checked.

    :param project_id: the project; empty to look it up by region.
    :param credential: the AK and SK; None where the mode has none.
    :param source: where credentials come from; None if the AK and SK themselves sign.
    :param database: the database of SQL that is run with the connection; empty leaves it to DLI.
    :param queue_name: the queue that it runs in; empty leaves it to DLI.
    """

    project_id: str
    credential: Credential | None
    source: Source | None
    database: str
    queue_name: str

    cloud = "huawei"

    metadata = "http://169.254.169.254"

    login_services = ("iam", METADATA)

    vendor_domains = ("myhuaweicloud.com", "myhuaweicloud.eu", CHINA)

    @property
    def sends_token(self) -> bool:
        """An IAM user's password gives a token; every other mode gives a key that signs."""
        return isinstance(self.source, IamUser)

    def vendor_host(self, service: str) -> str:
        """``<service>.<region>.myhuaweicloud.com``, and ``.eu`` in the European site; few are called otherwise.

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
        prefix = PREFIXES.get(service, service)
        if odd := ODD_HOSTS.get((prefix, self.region)):
            return odd
        world, europe, _ = self.vendor_domains
        domain = europe if self.region in EU_SITE else world
        return f"{prefix}.{self.region}.{domain}"

    @property
    def namespace(self) -> str:
        """The region, and the project where the connection names it."""
        return "/".join(filter(None, (self.region, self.project_id)))

    def token_files(self) -> Mapping[str, str]:
        """The ID token."""
        return {"id_token_file": self.source.file} if isinstance(self.source, IdToken) else {}


def huawei_settings(fields: ConnectionFields, region: str | None) -> HuaweiSettings:
    """Read and check a connection of this provider, or one of the huawei provider's layout.

    :param fields: the connection.
    :param region: the task's region, which wins over the connection's.
    :raises InvalidConnection: naming the field, the mode and what is allowed.
    """
    read = FieldReader(fields, FIELDS)
    if "project_name" in read.extra.not_asked_for() and not read["project_id"]:
        raise fields.invalid(
            "project_name", "is not read: give the project's id in 'project_id' (IAM console, My Credentials)"
        )
    common = common_settings(read, region)
    auth = read.auth
    if not re.fullmatch(r"[A-Za-z0-9_-]*", read["project_id"]):
        raise fields.invalid(
            "project_id", "is no id, which has letters and digits only: copy it (IAM console, My Credentials)"
        )
    # A project belongs to one region: the connection's does not fit a task's other region.
    elsewhere = bool(region) and region != read["region"] and bool(read["region"])
    project_id = "" if elsewhere else read.key("project_id")
    if not (project_id or common["region"]):
        raise fields.invalid(
            "project_id", "is missing: give it, or a 'region' by which it can be looked up (e.g. cn-north-4)"
        )
    credential = None
    if auth == "aksk":
        credential = Credential(
            key=read.key("login"),
            secret=read.key("password"),
            security_token=read.key("security_token"),
            project_id=project_id,
        )
    return HuaweiSettings(
        auth=auth,
        project_id=project_id,
        credential=credential,
        source=_source(read),
        database=read["database"] if fields.conn_type == DLI else "",
        queue_name=read["queue_name"] if fields.conn_type == DLI else "",
        warnings=read.warnings(),
        **common,
    )


def _source(read: FieldReader) -> Source | None:
    if read.auth == "token":
        # The password as it is, since it may begin or end with a blank; reading it sees that there is one.
        name, password = read["login"], read["password"] and read.fields.password
        return IamUser(name=name, password=password, domain=read["domain"])
    if read.auth == "oidc":
        return IdToken(idp_id=read["idp_id"], file=read["id_token_file"])
    if read.auth == "ecs_agency":
        return Agency()
    return VendorChain() if read.auth == "default" else None
