# SPDX-License-Identifier: Apache-2.0
"""Who may call: permanent and temporary access keys, IAM tokens, projects.

The credentials below open nothing but this server; they are constants so that a connection can be written
down once.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from typing import Literal

Cloud = Literal["alibaba", "huawei"]

ALIBABA_ACCESS_KEY = "LTAI5tLOCALCLOUD"
ALIBABA_SECRET = "localcloud-alibaba-secret"
ALIBABA_ACCOUNT_ID = "1234567890123456"
HUAWEI_ACCESS_KEY = "HPUALOCALCLOUD"
HUAWEI_SECRET = "localcloud-huawei-secret"
IAM_DOMAIN = "localcloud"
IAM_USER = "engineer"
IAM_PASSWORD = "localcloud-huawei-password"
ALIBABA_ROLE_ARN = f"acs:ram::{ALIBABA_ACCOUNT_ID}:role/airflow"
ALIBABA_PARTNER_ROLE_ARN = f"acs:ram::{ALIBABA_ACCOUNT_ID}:role/partner"
ALIBABA_EXTERNAL_ID = "localcloud-partner"
ALIBABA_OIDC_PROVIDER_ARN = f"acs:ram::{ALIBABA_ACCOUNT_ID}:oidc-provider/localcloud"
ALIBABA_INSTANCE_ROLE = "AirflowInstanceRole"
HUAWEI_IDP_ID = "localcloud-idp"
OSS_ACCESS_KEY = "LTAI5tLOCALOSS"
OSS_SECRET = "localcloud-oss-secret"

#: The roles there are, each with the external id that its trust policy asks for; empty if it asks for none.
ALIBABA_ROLES = {ALIBABA_ROLE_ARN: "", ALIBABA_PARTNER_ROLE_ARN: ALIBABA_EXTERNAL_ID}

DEFAULT_ALIBABA_REGION = "cn-shanghai"
DEFAULT_HUAWEI_REGION = "cn-north-4"

#: The projects: one for each region the vendor's DRS client knows.
_REGIONS = (
    "eu-west-101",
    "cn-north-4",
    "cn-north-1",
    "cn-south-1",
    "cn-east-3",
    "cn-east-2",
    "cn-north-2",
    "ap-southeast-3",
    "ap-southeast-1",
    "ap-southeast-2",
    "sa-brazil-1",
    "la-south-2",
    "la-north-2",
    "na-mexico-1",
    "af-south-1",
    "cn-north-9",
    "cn-southwest-2",
    "cn-south-2",
    "cn-south-4",
    "tr-west-1",
    "ap-southeast-4",
    "eu-west-0",
    "ru-moscow-1",
    "ae-ad-1",
    "my-kualalumpur-1",
    "ru-northwest-2",
    "ap-southeast-5",
    "cn-east-5",
    "cn-north-12",
    "cn-east-4",
    "cn-southwest-3",
    "cn-north-11",
    "af-north-1",
    "me-east-1",
)


def project_id(name: str) -> str:
    """The id of the project of a region: the MD5 of its name, 32 hexadecimal digits.

    :param name: region name, for example ``cn-north-4``.
    """
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Key:
    """An access key; with a security token and an end (seconds since the epoch) if it is temporary."""

    access_key: str
    secret: str
    security_token: str = ""
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """An IAM user token, bound to one project unless it was asked for the whole domain."""

    value: str
    expires_at: float
    project: str


class Accounts:
    """Everything that authenticates a caller, for both clouds."""

    def __init__(self) -> None:
        self.keys: dict[Cloud, dict[str, Key]] = {
            "alibaba": {ALIBABA_ACCESS_KEY: Key(ALIBABA_ACCESS_KEY, ALIBABA_SECRET)},
            "huawei": {HUAWEI_ACCESS_KEY: Key(HUAWEI_ACCESS_KEY, HUAWEI_SECRET)},
        }
        self.tokens: dict[str, Token] = {}
        self.id_tokens: dict[str, float] = {}
        """When each token of the identity provider ends."""
        self.metadata_tokens: dict[str, float] = {}
        """When each token of the metadata services ends."""
        self._refusing: set[Cloud] = set()
        self.disabled: set[str] = set()
        """Access keys that their owner has disabled."""
        self.projects: dict[str, str] = {project_id(name): name for name in _REGIONS}

    def project(self, name: str) -> str:
        """The id of the project of that name; empty if there is none, as for a region that the cloud does not have.

        :param name: region name.
        """
        identifier = project_id(name)
        return identifier if identifier in self.projects else ""

    def issue_key(self, cloud: Cloud, expires_at: float) -> Key:
        """Make a temporary access key with a security token, as the clouds' token services do.

        :param cloud: whose key.
        :param expires_at: when it ends, in seconds since the epoch.
        """
        prefix = "STS.L" if cloud == "alibaba" else "HSTL"
        key = Key(
            access_key=prefix + secrets.token_hex(8).upper(),
            secret=secrets.token_urlsafe(24),
            security_token="CAIS" + secrets.token_urlsafe(48),
            expires_at=expires_at,
        )
        self.keys[cloud][key.access_key] = key
        return key

    def expire_key(self, access_key: str, at: float) -> bool:
        """End a temporary access key; says whether there was one.

        :param access_key: its id.
        :param at: the end, in seconds since the epoch.
        """
        for keys in self.keys.values():
            key = keys.get(access_key)
            if key is not None and key.security_token:
                keys[access_key] = replace(key, expires_at=at)
                return True
        return False

    def expire_keys(self, cloud: Cloud, at: float) -> int:
        """End every temporary access key of a cloud; says how many that were alive.

        :param cloud: whose keys.
        :param at: the end, in seconds since the epoch.
        """
        alive = [key for key in self.keys[cloud].values() if key.expires_at is not None and key.expires_at > at]
        for key in alive:
            self.keys[cloud][key.access_key] = replace(key, expires_at=at)
        return len(alive)

    def revoke(self, cloud: Cloud, at: float) -> None:
        """Take the right to log in away, and end what logins have given.

        :param cloud: where.
        :param at: the end, in seconds since the epoch.
        """
        self._refusing.add(cloud)
        self.expire_keys(cloud, at)
        if cloud == "huawei":
            self.expire_tokens(at)

    def refuses(self, cloud: Cloud) -> bool:
        """Whether logins are refused.

        :param cloud: where.
        """
        return cloud in self._refusing

    def issue_id_token(self, expires_at: float) -> str:
        """Make a token of the identity provider that both clouds trust.

        :param expires_at: when it ends, in seconds since the epoch.
        """
        token = ".".join(secrets.token_urlsafe(48) for _ in range(3))
        self.id_tokens[token] = expires_at
        return token

    def issue_token(self, project: str, expires_at: float) -> Token:
        """Make an IAM user token.

        :param project: id of the project it is scoped to, or an empty string for the domain.
        :param expires_at: when it ends, in seconds since the epoch.
        """
        token = Token("MIILOCAL" + secrets.token_urlsafe(180), expires_at, project)
        self.tokens[token.value] = token
        return token

    def expire_tokens(self, at: float) -> int:
        """End every IAM token, as any change of permissions in a real account does; says how many.

        :param at: the end, in seconds since the epoch.
        """
        self.tokens = {value: replace(token, expires_at=at) for value, token in self.tokens.items()}
        return len(self.tokens)
