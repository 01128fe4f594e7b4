# SPDX-License-Identifier: Apache-2.0
"""What an ECS instance finds at 169.254.169.254 about its agency; a request without a fresh token is refused."""

from __future__ import annotations

import secrets

from airflow_cloudjobs.localcloud.answers import Answer, Refused, encode
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei.iam import handed_out
from airflow_cloudjobs.localcloud.operation import Operation

_LONGEST = 21_600


def put_token(call: Call) -> Answer:
    """A token for the requests that follow."""
    life = call.received.header("x-metadata-token-ttl-seconds")
    if not life.isdigit() or not 1 <= int(life) <= _LONGEST:
        raise Refused(400, "400", "Bad Request")
    token = secrets.token_urlsafe(40)
    call.state.accounts.metadata_tokens[token] = call.state.clock.shown() + int(life)
    return Answer(200, token.encode(), "text/plain")


def get_security_key(call: Call) -> Answer:
    """A temporary key of the agency."""
    token = call.received.header("x-metadata-token")
    if call.state.accounts.metadata_tokens.get(token, 0.0) <= call.state.clock.shown():
        raise Refused(401, "401", "Unauthorized")
    if call.state.accounts.refuses("huawei"):
        raise Refused(401, "401", "Please configure Cloud Service Agency first")
    body = {"credential": handed_out(call, call.state.settings.key_seconds)}
    return Answer(200, encode(body), "application/json")


def refusal(refused: Refused) -> Answer:
    """An error as plain text.

    :param refused: the error.
    """
    return Answer(refused.status, refused.message.encode(), "text/plain", refused.headers, refused.code)


ROUTES = (
    (
        "PUT",
        "/meta-data/latest/api/token",
        Operation("huawei", "metadata", "huawei metadata token", "login", put_token),
    ),
    (
        "GET",
        "/openstack/latest/securitykey",
        Operation("huawei", "metadata", "huawei metadata key", "login", get_security_key),
    ),
)
