# SPDX-License-Identifier: Apache-2.0
"""What Alibaba Cloud's error codes ask of a caller.

Codes come first, the HTTP status second: throttling arrives as HTTP 400 at some services.
Sources: the common error codes (https://www.alibabacloud.com/help/doc-detail/25491.htm), STS
(https://help.aliyun.com/zh/ram/developer-reference/api-sts-2015-04-01-errorcodes) and the tables of DMS
(api-dms-enterprise-2018-11-01-errorcodes) and VOD (doc-detail/52841.htm), whose codes ICE shares.
"""

from __future__ import annotations

from airflow_cloudjobs.jobs.errors import ErrorKind

# Compared in lower case, longest prefix first: "throttling" covers Throttling.User, Throttling.Api, ...
_KINDS: dict[str, ErrorKind] = {
    "throttling": ErrorKind.THROTTLED,
    "rejected.throttling": ErrorKind.THROTTLED,
    "serviceunavailable": ErrorKind.TRANSIENT,
    "internalerror": ErrorKind.TRANSIENT,
    "signaturenonceused": ErrorKind.TRANSIENT,
    "invalidtimestamp": ErrorKind.CLOCK,
    "illegaltimestamp": ErrorKind.CLOCK,
    "invalidsecuritytoken.expired": ErrorKind.EXPIRED,
    "invalidsecuritytoken": ErrorKind.DENIED,
    "missingsecuritytoken": ErrorKind.DENIED,
    "signaturedoesnotmatch": ErrorKind.DENIED,
    "incompletesignature": ErrorKind.DENIED,
    "invalidaccesskeyid": ErrorKind.DENIED,
    "authenticationfail": ErrorKind.DENIED,
    "entitynotexist.role": ErrorKind.DENIED,
    "forbidden": ErrorKind.DENIED,
    "nopermission": ErrorKind.DENIED,
    "operationdenied": ErrorKind.DENIED,
    "usernotexist": ErrorKind.DENIED,
    "userstatusillegal": ErrorKind.DENIED,
    "tenantnotexist": ErrorKind.DENIED,
    "tenantexpired": ErrorKind.DENIED,
    "tenantstatusillegal": ErrorKind.DENIED,
    "notsupportyet": ErrorKind.INVALID,
    "missingparameter": ErrorKind.INVALID,
    "invalidparameter": ErrorKind.INVALID,
    "unsupportedoperation": ErrorKind.INVALID,
    "nosuchversion": ErrorKind.INVALID,
    "invalidversion": ErrorKind.INVALID,
    "invalidaction": ErrorKind.INVALID,
}
_LONGEST_FIRST = sorted(_KINDS, key=len, reverse=True)

_HINTS: dict[str, str] = {
    "signaturedoesnotmatch": "The AccessKey secret is wrong: check the connection's password",
    "invalidaccesskeyid.notfound": "The AccessKey ID does not exist: check the connection's login",
    "invalidaccesskeyid.inactive": "The AccessKey is disabled: enable it or use another one",
    "invalidsecuritytoken.expired": "The STS security token has expired: put a fresh one into the connection",
    "invalidsecuritytoken": "Key, secret and security token must come from one STS answer",
    "missingsecuritytoken": "A temporary AccessKey needs its token: set auth to 'sts' and give 'security_token'",
    "invalidtimestamp": "This machine's clock is off: set it (NTP)",
    "illegaltimestamp": "This machine's clock is off: set it (NTP)",
    "authenticationfail.nopermission": "The OIDC provider is not registered, or the role does not trust it",
    "authenticationfail.oidctoken.expired": "The token in 'oidc_token_file' has expired: its issuer must renew it",
    "authenticationfail.oidctoken": "The token in 'oidc_token_file' is not one that the OIDC provider in RAM accepts",
    "entitynotexist.role": "The role in 'role_arn' does not exist",
    "forbidden.ram": "The RAM user lacks the permission '{action}': grant it in RAM",
    "forbidden": "The account may not do this: check its permission '{action}' in RAM",
    "nopermission": "The account may not do this: check its permission '{action}' in RAM, and in the service",
    "usernotexist": "The caller is not a DMS user: a DMS administrator must add it",
    "tenantnotexist": "Check the argument 'tid'",
}

_RAM_NAMES = {"dms-enterprise": "dms"}
"""What RAM calls a service where that is not what its hosts begin with."""


def classify(code: str, http_status: int) -> ErrorKind:
    """What an error asks of the caller.

    :param code: the vendor's code, empty if none.
    :param http_status: decides where no table lists the code.
    """
    word = code.lower()
    for prefix in _LONGEST_FIRST:
        if word.startswith(prefix):
            return _KINDS[prefix]
    if http_status == 429:
        return ErrorKind.THROTTLED
    if http_status >= 500:
        return ErrorKind.TRANSIENT
    if word.endswith((".notfound", "notfound", "notexist", "notexists")) or http_status == 404:
        return ErrorKind.NOT_FOUND
    if http_status in (401, 403):
        return ErrorKind.DENIED
    return ErrorKind.UNKNOWN


def of_a_temporary_key(code: str) -> bool:
    """True for refusals of a temporary key that another login may mend: its token, or a key the cloud has forgotten.

    :param code: the vendor's code.
    """
    return code.lower().startswith(("invalidsecuritytoken", "invalidaccesskeyid"))


def hint(code: str, service: str, operation: str) -> str:
    """What a person can do about an error; empty where nothing is known.

    :param code: the vendor's code.
    :param service: the service that was called; with the operation it names the permission. A policy's actions are
        ``<service>:<operation>`` (https://www.alibabacloud.com/help/doc-detail/93738.htm).
    :param operation: the vendor's name of the operation.
    """
    word = code.lower()
    words = next((_HINTS[prefix] for prefix in sorted(_HINTS, key=len, reverse=True) if word.startswith(prefix)), "")
    return words.replace("{action}", f"{_RAM_NAMES.get(service, service)}:{operation}")
