# SPDX-License-Identifier: Apache-2.0
"""Security Token Service 2015-04-01: who am I, and temporary keys of a role."""

from __future__ import annotations

import re
from typing import Any

from airflow_cloudjobs.localcloud.accounts import (
    ALIBABA_ACCOUNT_ID,
    ALIBABA_OIDC_PROVIDER_ARN,
    ALIBABA_ROLES,
    Key,
)
from airflow_cloudjobs.localcloud.alibaba.rpc import answer, required
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.clock import iso
from airflow_cloudjobs.localcloud.operation import Operation

VERSION = "2015-04-01"
_USER = "216959339000654321"
_SHORTEST, _LONGEST, _USUAL = 900, 43_200, 3_600


def get_caller_identity(call: Call) -> Answer:
    """GetCallerIdentity: the account and user of the access key."""
    return answer(
        call,
        {
            "AccountId": ALIBABA_ACCOUNT_ID,
            "Arn": f"acs:ram::{ALIBABA_ACCOUNT_ID}:user/engineer",
            "IdentityType": "RAMUser",
            "PrincipalId": _USER,
            "UserId": _USER,
        },
    )


def assume_role(call: Call) -> Answer:
    """AssumeRole: a temporary key of a role, for a RAM user or role that it trusts."""
    arn, session = required(call, "RoleArn"), _session_name(call)
    seconds = _duration(call)
    _known(arn)
    if call.state.accounts.refuses("alibaba") or ALIBABA_ROLES[arn] not in ("", call.parameters.get("ExternalId", "")):
        raise Refused(403, "NoPermission", "You are not authorized to do this action. You should be authorized by RAM.")
    return answer(call, {"AssumedRoleUser": _assumed(arn, session), "Credentials": _credentials(call, seconds)})


def assume_role_with_oidc(call: Call) -> Answer:
    """AssumeRoleWithOIDC: the same for the bearer of an identity provider's token; it is not signed."""
    provider, arn = required(call, "OIDCProviderArn"), required(call, "RoleArn")
    token, session = call.parameters.get("OIDCToken", ""), _session_name(call)
    seconds = _duration(call)
    if not token:
        raise Refused(401, "AuthenticationFail.OIDCToken.Invalid", "The OIDCToken can not empty.")
    if provider != ALIBABA_OIDC_PROVIDER_ARN:
        raise Refused(401, "AuthenticationFail.NoPermission", "No such OIDC Provider registered.")
    expires = call.state.accounts.id_tokens.get(token)
    if expires is None:
        raise Refused(
            401,
            "AuthenticationFail.OIDCToken.Invalid",
            "The Jwt content is invalid that cannot be recognized.",
        )
    if call.state.clock.shown() >= expires:
        raise Refused(401, "AuthenticationFail.OIDCToken.Expired", "This JsonWebToken is expired.")
    _known(arn)
    if call.state.accounts.refuses("alibaba"):
        raise Refused(401, "AuthenticationFail.NoPermission", "There is no permission")
    return answer(
        call,
        {
            "AssumedRoleUser": _assumed(arn, session),
            "Credentials": _credentials(call, seconds),
            "OIDCTokenInfo": {"ClientIds": "sts.aliyuncs.com", "Issuer": "https://localcloud", "Subject": "airflow"},
        },
    )


def handed_out(key: Key) -> dict[str, str]:
    """A temporary key under the names that STS, the metadata service and a credentials URI use.

    :param key: the key.
    """
    return {
        "AccessKeyId": key.access_key,
        "AccessKeySecret": key.secret,
        "SecurityToken": key.security_token,
        "Expiration": iso(key.expires_at or 0.0),
    }


OPERATIONS = (
    Operation("alibaba", "sts", "GetCallerIdentity", "read", get_caller_identity),
    Operation("alibaba", "sts", "AssumeRole", "login", assume_role),
    Operation("alibaba", "sts", "AssumeRoleWithOIDC", "login", assume_role_with_oidc, signed=False),
)


def _credentials(call: Call, seconds: float) -> dict[str, Any]:
    life = min(seconds, call.state.settings.key_seconds)
    return handed_out(call.state.accounts.issue_key("alibaba", call.state.clock.shown() + life))


def _known(arn: str) -> None:
    if not re.fullmatch(r"acs:ram::\d+:role/[\w.-]+", arn):
        raise Refused(400, "InvalidParameter.RoleArn", "The parameter RoleArn is wrongly formed.")
    if arn not in ALIBABA_ROLES:
        raise Refused(404, "EntityNotExist.Role", f"The role not exists: {arn}.")


def _session_name(call: Call) -> str:
    name = required(call, "RoleSessionName")
    if not re.fullmatch(r"[\w.@-]{2,64}", name, re.ASCII):
        raise Refused(400, "InvalidParameter.RoleSessionName", "The parameter RoleSessionName is wrongly formed.")
    return name


def _duration(call: Call) -> int:
    text = call.parameters.get("DurationSeconds", str(_USUAL))
    if not text.isdigit() or not _SHORTEST <= int(text) <= _LONGEST:
        raise Refused(
            400,
            "InvalidParameter.DurationSeconds",
            f"The Min/Max value of DurationSeconds is {_SHORTEST}/{_LONGEST}.",
        )
    return int(text)


def _assumed(arn: str, session: str) -> dict[str, str]:
    return {"Arn": f"{arn}/{session}", "AssumedRoleId": f"300000000000000001:{session}"}
