# SPDX-License-Identifier: Apache-2.0
"""What an ECS instance finds at 100.100.100.200, and an address for credentials of the user's own.

Only the security hardening mode of the metadata service: a request without a fresh token is refused.
"""

from __future__ import annotations

import secrets

from airflow_cloudjobs.localcloud.accounts import ALIBABA_INSTANCE_ROLE
from airflow_cloudjobs.localcloud.alibaba.sts import handed_out
from airflow_cloudjobs.localcloud.answers import Answer, Refused, encode
from airflow_cloudjobs.localcloud.call import Call, Received
from airflow_cloudjobs.localcloud.clock import iso
from airflow_cloudjobs.localcloud.operation import Operation

#: Where the credentials URI is; a user's own service may be anywhere.
CREDENTIALS_URI = "/credentials-uri"
_TOKEN = "/latest/api/token"
_ROLES = "/latest/meta-data/ram/security-credentials/"
_LONGEST = 21_600


def serves(path: str) -> bool:
    """Whether a path is one of these.

    :param path: the path as sent.
    """
    return path in (CREDENTIALS_URI, _TOKEN) or path.startswith(_ROLES)


def route(received: Received) -> Operation[Call]:
    """The operation that a request calls.

    :param received: the request.
    :raises Refused: a method that the path does not have.
    """
    if received.path == _TOKEN:
        method, operation = "PUT", _TOKEN_OPERATION
    elif received.path == CREDENTIALS_URI:
        method, operation = "GET", _URI_OPERATION
    else:
        method, operation = "GET", _ROLE_OPERATION if received.path == _ROLES else _KEY_OPERATION
    if received.method != method:
        raise Refused(405, "", "Method Not Allowed")
    return operation


def refusal(refused: Refused) -> Answer:
    """An error as plain text.

    :param refused: the error.
    """
    return Answer(refused.status, refused.message.encode(), "text/plain", refused.headers, refused.code)


def _put_token(call: Call) -> Answer:
    life = call.received.header("x-aliyun-ecs-metadata-token-ttl-seconds")
    if not life.isdigit() or not 1 <= int(life) <= _LONGEST:
        raise Refused(400, "", "Bad Request")
    token = secrets.token_urlsafe(40)
    call.state.accounts.metadata_tokens[token] = call.state.clock.shown() + int(life)
    return _text(token)


def _get_role(call: Call) -> Answer:
    _check_token(call)
    _check_role(call, ALIBABA_INSTANCE_ROLE)
    return _text(ALIBABA_INSTANCE_ROLE)


def _get_key(call: Call) -> Answer:
    _check_token(call)
    _check_role(call, call.received.path.removeprefix(_ROLES))
    return _key(call)


def _get_uri(call: Call) -> Answer:
    if call.state.accounts.refuses("alibaba"):
        raise Refused(403, "", "Forbidden")
    return _key(call)


def _check_token(call: Call) -> None:
    token = call.received.header("x-aliyun-ecs-metadata-token")
    if call.state.accounts.metadata_tokens.get(token, 0.0) <= call.state.clock.shown():
        raise Refused(403, "", "Forbidden")


def _check_role(call: Call, name: str) -> None:
    if name != ALIBABA_INSTANCE_ROLE or call.state.accounts.refuses("alibaba"):
        raise Refused(404, "", "Not Found")


def _key(call: Call) -> Answer:
    now = call.state.clock.shown()
    key = call.state.accounts.issue_key("alibaba", now + call.state.settings.key_seconds)
    body = {**handed_out(key), "LastUpdated": iso(now), "Code": "Success"}
    return Answer(200, encode(body), "application/json")


def _text(text: str) -> Answer:
    return Answer(200, text.encode(), "text/plain")


_TOKEN_OPERATION = Operation("alibaba", "metadata", "alibaba metadata token", "login", _put_token, signed=False)
_ROLE_OPERATION = Operation("alibaba", "metadata", "alibaba metadata role", "login", _get_role, signed=False)
_KEY_OPERATION = Operation("alibaba", "metadata", "alibaba metadata key", "login", _get_key, signed=False)
_URI_OPERATION = Operation("alibaba", "credentials-uri", "alibaba credentials URI", "login", _get_uri, signed=False)
