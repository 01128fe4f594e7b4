# SPDX-License-Identifier: Apache-2.0
"""What Huawei Cloud's error codes ask of a caller.

Codes come first, the HTTP status second: DLI answers its own failures and DRS an unknown job with HTTP 400.
Sources: API Gateway (https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-errorcode.html),
DLI (https://support.huaweicloud.com/api-dli/dli_02_0056.html), DRS error codes, IAM (iam_30_0001).
"""

from __future__ import annotations

from airflow_cloudjobs.jobs.errors import ErrorKind

_KINDS: dict[str, ErrorKind] = {
    "APIGW.0308": ErrorKind.THROTTLED,
    "APIGW.0303": ErrorKind.CLOCK,
    "APIGW.0307": ErrorKind.EXPIRED,
    "APIGW.0301": ErrorKind.DENIED,
    "APIGW.0302": ErrorKind.DENIED,
    "APIGW.0305": ErrorKind.DENIED,
    "APIGW.0306": ErrorKind.DENIED,
    "APIGW.0101": ErrorKind.INVALID,
    "APIGW.0103": ErrorKind.INVALID,
    "APIGW.0104": ErrorKind.INVALID,
    "APIGW.0105": ErrorKind.INVALID,
    "APIGW.0106": ErrorKind.INVALID,
    "APIGW.0201": ErrorKind.INVALID,
    "DLI.0001": ErrorKind.INVALID,
    "DLI.0002": ErrorKind.NOT_FOUND,
    "DLI.0003": ErrorKind.DENIED,
    "DLI.0004": ErrorKind.INVALID,
    "DLI.0005": ErrorKind.INVALID,
    "DLI.0006": ErrorKind.INVALID,
    "DLI.0007": ErrorKind.INVALID,
    "DLI.0009": ErrorKind.INVALID,
    "DLI.0011": ErrorKind.DENIED,
    "DLI.0012": ErrorKind.TRANSIENT,
    "DLI.0013": ErrorKind.EXPIRED,
    "DLI.0014": ErrorKind.EXPIRED,
    "DLI.0015": ErrorKind.DENIED,
    "DLI.0016": ErrorKind.DENIED,
    "DLI.0018": ErrorKind.INVALID,
    "DLI.0019": ErrorKind.TRANSIENT,
    "DLI.0023": ErrorKind.NOT_FOUND,
    "DLI.0100": ErrorKind.INVALID,
    "DLI.0999": ErrorKind.TRANSIENT,
    "DLI.1028": ErrorKind.INVALID,
    "DRS.10000010": ErrorKind.NOT_FOUND,
    "DRS.M00289": ErrorKind.NOT_FOUND,
    "DRS.M05004": ErrorKind.NOT_FOUND,
    "DRS.M00202": ErrorKind.INVALID,
}

_HINTS: dict[str, str] = {
    "APIGW.0301": "The AK, the SK or the token is wrong: check login and password of the connection",
    "APIGW.0302": "The IAM user may not do this: check its permission {action} and its status in IAM",
    "APIGW.0303": "This machine's clock is off: set it (NTP)",
    "APIGW.0307": "The token has expired or was invalidated by a change of permissions",
    "DLI.0003": "The IAM user lacks the permission {action}, or the right on the data",
}

# No rule leads from an operation to its action; these are the ones that the pages of DLI name (docs/connections.md).
_ACTIONS: dict[str, str] = {
    "CreateSqlJob": "'dli:queue:submitJob'",
    "ShowSqlJobStatus": "'dli:jobs:get'",
    "ListSqlJobs": "'dli:jobs:get'",
    "CancelSqlJob": "'dli:queue:cancelJob'",
}


def classify(code: str, http_status: int, message: str) -> ErrorKind:
    """What an error asks of the caller.

    :param code: the vendor's code, empty if none; the gateway's ``APIG.`` spelling is one with ``APIGW.``.
    :param http_status: decides where no table lists the code.
    :param message: tells an expired security token from a wrong key, which share ``APIGW.0301``.
    """
    code = _spelled(code)
    words = message.lower()
    # Not in the words of a service: an SQL error may speak of tokens too.
    gateway = code.startswith(("APIGW.", "IAM.")) or http_status == 401
    if gateway and "token" in words and ("must be updated" in words or "expire" in words):
        return ErrorKind.EXPIRED
    # The gateway tells of a back end that did not answer in time with codes that else mean a bad request.
    if code in _KINDS and not (http_status >= 500 and _KINDS[code] is ErrorKind.INVALID):
        return _KINDS[code]
    if http_status == 429:
        return ErrorKind.THROTTLED
    if http_status >= 500:
        return ErrorKind.TRANSIENT
    if http_status == 404:
        return ErrorKind.NOT_FOUND
    if http_status in (401, 403):
        return ErrorKind.DENIED
    return ErrorKind.UNKNOWN


def of_a_stale_credential(code: str) -> bool:
    """True for the refusal of a credential that another login may mend: one the gateway cannot make out.

    :param code: the vendor's code.
    """
    return _spelled(code) == "APIGW.0301"


def hint(code: str, kind: ErrorKind, service: str, operation: str) -> str:
    """What a person can do about an error; empty where nothing is known.

    :param code: the vendor's code.
    :param kind: what the error asks of the caller.
    :param service: the service that was called; with the operation it names the permission.
    :param operation: the vendor's name of the operation.
    """
    if kind is ErrorKind.EXPIRED and _spelled(code) == "APIGW.0301":
        return "The security token has expired: put a fresh AK, SK and token into the connection"
    action = _ACTIONS.get(operation, f"of '{service}' for {operation}")
    return _HINTS.get(_spelled(code), "").replace("{action}", action)


def _spelled(code: str) -> str:
    return "APIGW." + code[5:] if code.startswith("APIG.") else code
