# SPDX-License-Identifier: Apache-2.0
"""Huawei Cloud's API gateway: which operation a path means, who calls, and how an error looks.

A caller signs with SDK-HMAC-SHA256 or sends a user token in ``X-Auth-Token``. The project in the path has to
be the caller's.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import unquote

from airflow_cloudjobs.localcloud.accounts import Key
from airflow_cloudjobs.localcloud.answers import Answer, Refused, encode
from airflow_cloudjobs.localcloud.call import Call, Received
from airflow_cloudjobs.localcloud.clock import TOLERATED_SKEW, parse
from airflow_cloudjobs.localcloud.huawei import (
    cdm,
    dgc,
    dli,
    dli_export,
    dli_spark,
    drs,
    drs_batch,
    functiongraph,
    iam,
    metadata,
    modelarts,
    mrs,
    oms,
)
from airflow_cloudjobs.localcloud.operation import Operation
from airflow_cloudjobs.localcloud.signatures import (
    SDK_HMAC,
    UNSIGNED_PAYLOAD,
    Authorization,
    huawei_string_to_sign,
    parse_authorization,
    same,
    sign,
)
from airflow_cloudjobs.localcloud.state import State

_IAM_ERROR = "Incorrect IAM authentication information: "
_EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_MODULES = (dli, dli_export, dli_spark, drs, drs_batch, mrs, cdm, dgc, modelarts, oms, functiongraph, iam, metadata)
_ROUTES = tuple(
    (method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template) + "/?"), operation)
    for module in _MODULES
    for method, template, operation in module.ROUTES
)
_DEFAULT_CODES = {
    400: "APIGW.0201",
    401: "APIGW.0301",
    403: "APIGW.0302",
    404: "APIGW.0101",
    413: "APIGW.0201",
    429: "APIGW.0308",
}
_SERVICE_FAILURES = {
    "dli": "DLI.0999",
    "drs": "DRS.10000001",
    "iam": "500",
    "cdm": "Cdm.0000",
    "functiongraph": "FSS.0500",
}


def route(received: Received, state: State) -> tuple[Operation[Call], Call]:
    """Find the operation a request calls.

    :param received: the request.
    :param state: the state of the clouds.
    :raises Refused: ``APIGW.0101`` if no API has this path and method.
    """
    for method, pattern, operation in _ROUTES:
        if method == received.method and (found := pattern.fullmatch(received.path)):
            path = {name: unquote(value) for name, value in found.groupdict().items()}
            return operation, Call(received, state, dict(received.query), path)
    raise Refused(404, "APIGW.0101", "The API does not exist or has not been published in the environment.")


def authenticate(operation: Operation[Call], call: Call) -> None:
    """Check who calls, and that the project is theirs.

    :param operation: what is called.
    :param call: the call.
    :raises Refused: with the code of the gateway's error table.
    """
    if operation.kind == "login":
        return
    received, state = call.received, call.state
    token = received.header("x-auth-token")
    authorization = parse_authorization(received.header("authorization"), SDK_HMAC)
    scope = ""
    if token:
        known = state.accounts.tokens.get(token)
        if known is None:
            raise Refused(401, "APIGW.0301", _IAM_ERROR + "decrypt token fail")
        if state.clock.shown() >= known.expires_at:
            raise Refused(401, "APIGW.0307", "The token must be updated.")
        scope = known.project or "a domain-scoped token has no project"
    elif authorization is not None:
        _check_signature(received, state, authorization)
    else:
        raise Refused(401, "APIGW.0301", _IAM_ERROR + "x-auth-token not found")
    project = call.path.get("project_id")
    if project is not None and (project not in state.accounts.projects or scope not in {"", project}):
        raise Refused(403, "APIGW.0302", f"The project {project} does not belong to the caller.")


def refusal(received: Received, operation: Operation[Call] | None, refused: Refused) -> Answer:
    """Put an error into the envelope of the service that answers it.

    :param received: the request.
    :param operation: what was called, if that is known.
    :param refused: the error; without a code it gets the usual one of its status.
    """
    service = operation.service if operation else ""
    if service == "metadata":
        return metadata.refusal(refused)
    code = refused.code or _DEFAULT_CODES.get(refused.status) or _SERVICE_FAILURES.get(service, "APIGW.0201")
    message = refused.message or "The system is busy. Please try again later."
    if service == "dli" and refused.status == 200:
        body: dict[str, object] = {"is_success": False, "message": message}
    elif service == "iam" and not code.startswith("APIGW."):
        body = iam.error_body(refused.status, message)
    elif service == "cdm" and not code.startswith("APIGW."):
        body = {"errCode": code, "externalMessage": message}
    else:
        body = {"error_msg": message, "error_code": code}
        if code.startswith("APIGW."):
            body["request_id"] = received.request_id
    headers = {"X-Request-Id": received.request_id, **refused.headers}
    return Answer(refused.status, encode(body), "application/json", headers, code)


def throttled(retry_after: str | None) -> Refused:
    """Huawei Cloud's throttling.

    :param retry_after: value of ``Retry-After``; without it the header is left out.
    """
    message = "The throttling threshold has been reached: policy user over ratelimit,limit:60,time:1 minute"
    return Refused(429, "APIGW.0308", message, {"Retry-After": retry_after} if retry_after is not None else {})


def _check_signature(received: Received, state: State, authorization: Authorization) -> None:
    key = state.accounts.keys["huawei"].get(authorization.access_key)
    if key is None or key.access_key in state.accounts.disabled:
        raise Refused(401, "APIGW.0301", f"{_IAM_ERROR}ak {authorization.access_key} not exist")
    date = received.header("x-sdk-date")
    moment = parse(date, "%Y%m%dT%H%M%SZ")
    if moment is None:
        raise Refused(401, "APIGW.0301", _IAM_ERROR + "x-sdk-date is missing or not of the form YYYYMMDDTHHMMSSZ")
    if abs(moment - state.clock.shown()) > TOLERATED_SKEW:
        raise Refused(
            401,
            "APIGW.0303",
            f"{_IAM_ERROR}the value of x-sdk-date differs from the current time by more than 15min",
        )
    _check_security_token(received, state, key)
    needed = {"host", "x-sdk-date"} | ({"x-security-token"} & set(received.headers))
    unsigned = needed - set(authorization.signed_headers)
    if unsigned:
        raise Refused(401, "APIGW.0301", f"{_IAM_ERROR}header {', '.join(sorted(unsigned))} is not signed")
    to_sign = huawei_string_to_sign(
        received.method,
        received.path,
        received.query,
        received.headers,
        authorization.signed_headers,
        _payload_hash(received),
        date,
    )
    if not same(authorization.signature, sign(key.secret, to_sign)):
        raise Refused(401, "APIGW.0301", _IAM_ERROR + "verify aksk signature fail")


def _payload_hash(received: Received) -> str:
    """The body's hash, or the literal that stands for it where the body is not signed.

    Only a body that is not JSON may be left unsigned.
    """
    if not received.body:
        return _EMPTY_HASH
    unsigned = received.header("x-sdk-content-sha256") == UNSIGNED_PAYLOAD
    if unsigned and not received.header("content-type").startswith("application/json"):
        return UNSIGNED_PAYLOAD
    return hashlib.sha256(received.body).hexdigest()


def _check_security_token(received: Received, state: State, key: Key) -> None:
    token = received.header("x-security-token")
    if token != key.security_token:
        if any(token == other.security_token for other in state.accounts.keys["huawei"].values()):
            state.stats.mixed_pairs += 1
        wrong = "the security token is not that of the ak" if token else "x-security-token not found"
        raise Refused(401, "APIGW.0301", _IAM_ERROR + wrong)
    if key.expires_at is not None and state.clock.shown() >= key.expires_at:
        raise Refused(401, "APIGW.0301", _IAM_ERROR + "The security token has expired")
