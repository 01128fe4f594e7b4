# SPDX-License-Identifier: Apache-2.0
"""What the REST services share: reading parameters as documented, writing answers."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from airflow_cloudjobs.localcloud.answers import Answer, Refused, encode
from airflow_cloudjobs.localcloud.call import Call


def answer(call: Call, fields: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """A success with this JSON body.

    :param call: the call.
    :param fields: what the operation answers.
    :param status: HTTP status.
    :param headers: further headers.
    """
    return Answer(status, encode(fields), "application/json", {**request_header(call), **(headers or {})})


def binary(call: Call, content: bytes, name: str) -> Answer:
    """A success with a file.

    :param call: the call.
    :param content: the file.
    :param name: its name.
    """
    headers = {**request_header(call), "Content-Disposition": f'attachment; filename="{name}"'}
    return Answer(200, content, "application/octet-stream", headers)


def request_header(call: Call) -> dict[str, str]:
    """The header with the request id that every answer of Huawei Cloud carries.

    :param call: the call.
    """
    return {"X-Request-Id": call.received.request_id}


def json_object(call: Call, code: str) -> dict[str, Any]:
    """The body of a request that has to be a JSON object.

    :param call: the call.
    :param code: the service's error code for a bad parameter.
    :raises Refused: if it is none.
    """
    try:
        body = json.loads(call.received.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(400, code, "The request body is not a JSON object.")
    return body


def number(call: Call, name: str, default: int, least: int, most: int, code: str) -> int:
    """An optional query parameter of type integer.

    :param call: the call.
    :param name: its name.
    :param default: its value if it is not there.
    :param least: smallest value allowed.
    :param most: largest value allowed.
    :param code: the service's error code for a bad parameter.
    :raises Refused: if it is no integer in these bounds.
    """
    text = call.parameters.get(name, "")
    if not text:
        return default
    if not text.isdigit() or not least <= int(text) <= most:
        raise Refused(400, code, f"The value of parameter {name} must be an integer from {least} to {most}.")
    return int(text)


def one_of(call: Call, name: str, allowed: Collection[str], code: str) -> str:
    """A required query parameter with a closed set of values.

    :param call: the call.
    :param name: its name.
    :param allowed: its values.
    :param code: the service's error code for a bad parameter.
    :raises Refused: if it is not there or has another value.
    """
    value = call.parameters.get(name, "")
    if value not in allowed:
        wrong = f"is invalid: {value}" if value else "is required"
        raise Refused(400, code, f"The parameter {name} {wrong}; valid values are {', '.join(allowed)}.")
    return value
