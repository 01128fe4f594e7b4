# SPDX-License-Identifier: Apache-2.0
"""Alibaba Cloud's gateway: which operation is called, who calls, and how an error looks.

An RPC call is ``POST /`` with the operation in ``x-acs-action`` and the version in ``x-acs-version``; the
parameters are in the query string or in a form body. A ROA call says the same, at the method and the path where
its operation is served. The signature is ACS3-HMAC-SHA256. What needs none may name them ``Action`` and ``Version`` in
the query, as callers of the older style do.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import parse_qsl, unquote

from airflow_cloudjobs.localcloud.accounts import Key
from airflow_cloudjobs.localcloud.alibaba import (
    adb,
    dms,
    ecs,
    emr,
    fc,
    green,
    ice,
    ice_producing,
    imm,
    metadata,
    mps,
    oos,
    oss,
    sts,
)
from airflow_cloudjobs.localcloud.alibaba.rpc import missing, request_id
from airflow_cloudjobs.localcloud.answers import Answer, Refused, encode
from airflow_cloudjobs.localcloud.call import Call, Received
from airflow_cloudjobs.localcloud.clock import TOLERATED_SKEW, parse
from airflow_cloudjobs.localcloud.operation import Operation
from airflow_cloudjobs.localcloud.signatures import ACS3, acs3_string_to_sign, parse_authorization, same, sign
from airflow_cloudjobs.localcloud.state import State

_RPC = (adb, dms, ecs, green, ice, ice_producing, imm, mps, oos, sts)
_ROA = (emr, fc)
_OPERATIONS = {(module.VERSION, operation.name): operation for module in _RPC for operation in module.OPERATIONS}
_VERSIONS = {version for version, _ in _OPERATIONS}
_ROUTES = tuple(
    (module.VERSION, method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)), operation)
    for module in _ROA
    for method, template, operation in module.ROUTES
)
_DEFAULT_CODES = {
    400: "InvalidParameter",
    403: "Forbidden.RAM",
    404: "InvalidAction.NotFound",
    413: "InvalidParameter",
    429: "Throttling",
    500: "InternalError",
    503: "ServiceUnavailable",
}


def serves(received: Received) -> bool:
    """Whether a request is for this cloud.

    :param received: the request.
    """
    return (
        received.path == "/"
        or received.header("x-acs-action") != ""
        or oss.serves(received.path)
        or metadata.serves(received.path)
    )


def route(received: Received, state: State) -> tuple[Operation[Call], Call]:
    """Find the operation a request calls.

    :param received: the request.
    :param state: the state of the clouds.
    :raises Refused: an unknown action or version (``InvalidAction.NotFound``, ``InvalidVersion``).
    """
    if oss.serves(received.path):
        return oss.GET_OBJECT, Call(received, state, dict(received.query))
    if metadata.serves(received.path):
        return metadata.route(received), Call(received, state, dict(received.query))
    query = dict(received.query)
    action = received.header("x-acs-action") or query.get("Action", "")
    version = received.header("x-acs-version") or query.get("Version", "")
    for name, value in (("Action", action), ("Version", version)):
        if not value:
            raise missing(name)
    if received.path != "/":
        return _routed(received, state, version, action)
    if version not in _VERSIONS:
        raise Refused(404, "InvalidVersion", "Specified parameter Version is not valid.")
    operation = _OPERATIONS.get((version, action))
    if operation is None:
        raise _not_found()
    parameters = dict(received.query)
    if received.header("content-type").startswith("application/x-www-form-urlencoded"):
        parameters.update(parse_qsl(received.body.decode(errors="replace"), keep_blank_values=True))
    return operation, Call(received, state, parameters)


def authenticate(operation: Operation[Call], call: Call) -> None:
    """Check the signature of a call.

    :param operation: what is called.
    :param call: the call.
    :raises Refused: with the code of Alibaba Cloud's table of common errors.
    """
    if operation is oss.GET_OBJECT:
        oss.authenticate(call)
        return
    if not operation.signed:
        return
    received, state = call.received, call.state
    authorization = parse_authorization(received.header("authorization"), ACS3)
    if authorization is None:
        raise Refused(400, "IncompleteSignature", "The request signature does not conform to Alibaba Cloud standards.")
    key = state.accounts.keys["alibaba"].get(authorization.access_key)
    if key is None:
        raise Refused(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
    if key.access_key in state.accounts.disabled:
        raise Refused(403, "InvalidAccessKeyId.Inactive", "Specified access key is disabled.")
    _check_date(received, state)
    _check_security_token(received, state, key)
    unsigned = {
        name
        for name in received.headers
        if (name == "host" or name.startswith("x-acs-")) and name not in authorization.signed_headers
    }
    if unsigned:
        raise Refused(
            400,
            "IncompleteSignature",
            f"These headers are sent but not signed: {', '.join(sorted(unsigned))}.",
        )
    body_hash = hashlib.sha256(received.body).hexdigest()
    to_sign = acs3_string_to_sign(
        received.method,
        received.path,
        received.query,
        received.headers,
        authorization.signed_headers,
        body_hash,
    )
    genuine = same(authorization.signature, sign(key.secret, to_sign))
    if received.header("x-acs-content-sha256") != body_hash or not genuine:
        raise Refused(
            403,
            "SignatureDoesNotMatch",
            f"Specified signature is not matched with our calculation. server string to sign is:{to_sign}",
        )
    nonce = received.header("x-acs-signature-nonce")
    if not nonce:
        raise missing("SignatureNonce")
    if not state.nonces.fresh(f"{key.access_key} {nonce}", call.now):
        state.stats.nonces_replayed += 1
        raise Refused(400, "SignatureNonceUsed", "Specified signature nonce was used already.")


def refusal(received: Received, operation: Operation[Call] | None, refused: Refused) -> Answer:
    """Put an error into the envelope of the service that answers it.

    :param received: the request.
    :param operation: what was called, if that is known.
    :param refused: the error; without a code it gets the usual one of its status.
    """
    code = refused.code or _DEFAULT_CODES.get(refused.status, "InternalError")
    message = refused.message or "The request processing has failed due to some unknown error."
    service = operation.service if operation else ""
    if service == "oss":
        xml = oss.error_body(received, code, message)
        return Answer(refused.status, xml, "application/xml", refused.headers, code)
    if metadata.serves(received.path):
        return metadata.refusal(refused)
    identifier = request_id(received)
    if service == "dms" and refused.status == 200:
        body: dict[str, object] = {
            "RequestId": identifier,
            "Success": False,
            "ErrorMessage": message,
            "ErrorCode": code,
        }
    elif service == "green" and refused.status == 200:
        body = {"RequestId": identifier, "Code": int(code) if code.isdigit() else 500, "Message": message}
    else:
        body = {
            "RequestId": identifier,
            "HostId": received.header("host"),
            "Code": code,
            "Message": message,
            "Recommend": f"https://api.aliyun.com/troubleshoot?q={code}&requestId={identifier}",
        }
    headers = {"x-acs-request-id": identifier, **refused.headers}
    return Answer(refused.status, encode(body), "application/json;charset=utf-8", headers, code)


def throttled(retry_after: str | None) -> Refused:
    """Alibaba Cloud's throttling, which is HTTP 400.

    :param retry_after: value of ``x-acs-retry-after``; without it the header is left out.
    """
    headers = {"x-acs-retry-after": retry_after} if retry_after is not None else {}
    return Refused(400, "Throttling.User", "Request was denied due to user flow control.", headers)


def _routed(received: Received, state: State, version: str, action: str) -> tuple[Operation[Call], Call]:
    for served, method, pattern, operation in _ROUTES:
        found = pattern.fullmatch(received.path)
        if found and (served, method, operation.name) == (version, received.method, action):
            path = {name: unquote(value) for name, value in found.groupdict().items()}
            return operation, Call(received, state, dict(received.query), path)
    raise _not_found()


def _not_found() -> Refused:
    return Refused(404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")


def _check_date(received: Received, state: State) -> None:
    date = received.header("x-acs-date")
    if not date:
        raise Refused(400, "IllegalTimestamp", "The input parameter Timestamp is not supplied.")
    moment = parse(date, "%Y-%m-%dT%H:%M:%SZ")
    if moment is None:
        raise Refused(400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.")
    if abs(moment - state.clock.shown()) > TOLERATED_SKEW:
        raise Refused(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")


def _check_security_token(received: Received, state: State, key: Key) -> None:
    token = received.header("x-acs-security-token")
    if not token:
        if key.security_token:
            raise Refused(400, "MissingSecurityToken", "SecurityToken is mandatory for this action.")
        return
    if token != key.security_token:
        if any(token == other.security_token for other in state.accounts.keys["alibaba"].values()):
            state.stats.mixed_pairs += 1
            raise Refused(
                400,
                "InvalidSecurityToken.MismatchWithAccessKey",
                "Specified SecurityToken mismatch with the AccessKey.",
            )
        raise Refused(400, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.")
    if key.expires_at is not None and state.clock.shown() >= key.expires_at:
        raise Refused(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
