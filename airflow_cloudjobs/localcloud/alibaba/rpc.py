# SPDX-License-Identifier: Apache-2.0
"""What the RPC services share: reading parameters as documented, writing answers."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from airflow_cloudjobs.localcloud.answers import Answer, Refused, encode
from airflow_cloudjobs.localcloud.call import Call, Received


def request_id(received: Received) -> str:
    """A request id in Alibaba Cloud's form, an upper-case UUID.

    :param received: the request.
    """
    digits = received.request_id.upper()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def answer(call: Call, fields: dict[str, Any], id_name: str = "RequestId") -> Answer:
    """A success with these fields and a request id.

    :param call: the call.
    :param fields: what the operation answers.
    :param id_name: the name of the request id.
    """
    identifier = request_id(call.received)
    body = encode({id_name: identifier, **fields})
    return Answer(200, body, "application/json;charset=utf-8", {"x-acs-request-id": identifier})


def required(call: Call, name: str) -> str:
    """A parameter that has to be there.

    :param call: the call.
    :param name: its name.
    :raises Refused: ``MissingParameter``.
    """
    value = call.parameters.get(name, "")
    if not value:
        raise missing(name)
    return value


def missing(name: str) -> Refused:
    """The error for a parameter that has to be there and is not.

    :param name: its name.
    """
    message = f'The input parameter "{name}" that is mandatory for processing this request is not supplied.'
    return Refused(400, "MissingParameter", message)


def invalid(name: str, why: str) -> Refused:
    """The error for a parameter whose value is not allowed.

    :param name: its name.
    :param why: what is wrong.
    """
    return Refused(400, "InvalidParameter", f'The specified parameter "{name}" is not valid: {why}.')


def one_of(call: Call, name: str, allowed: Collection[str]) -> str:
    """A required parameter with a closed set of values.

    :param call: the call.
    :param name: its name.
    :param allowed: its values.
    :raises Refused: ``MissingParameter`` or ``InvalidParameter``.
    """
    value = required(call, name)
    if value not in allowed:
        raise invalid(name, f"valid values are {', '.join(allowed)}")
    return value


def long(call: Call, name: str) -> int | None:
    """An optional parameter of type long; None if it is not there.

    :param call: the call.
    :param name: its name.
    :raises Refused: ``InvalidParameter`` if it is no integer.
    """
    value = call.parameters.get(name, "")
    if not value:
        return None
    try:
        return int(value)
    except ValueError:
        raise invalid(name, "it is not a number") from None


def structured(call: Call, name: str, kind: type[list[Any]] | type[dict[str, Any]]) -> Any:
    """An optional parameter whose value is JSON in one string; None if it is not there.

    :param call: the call.
    :param name: its name.
    :param kind: ``list`` or ``dict``.
    :raises Refused: ``InvalidParameter`` if it is no such JSON.
    """
    value = call.parameters.get(name, "")
    if not value:
        return None
    try:
        decoded = json.loads(value)
    except ValueError:
        decoded = None
    if not isinstance(decoded, kind):
        raise invalid(name, f"it is not a JSON {'array' if kind is list else 'object'}")
    return decoded


def given(call: Call) -> dict[str, Any]:
    """All parameters of a submit but its token, by name; ``Name.1`` and ``Name.1.Field`` put together to lists.

    :param call: the call.
    :raises Refused: ``InvalidParameter`` if a list is written in both ways.
    """
    fields: dict[str, Any] = {}
    lists: dict[str, dict[int, Any]] = {}
    for name, value in call.parameters.items():
        found = re.fullmatch(r"(\w+)\.(\d+)(?:\.(\w+))?", name)
        if found is None:
            if name != "ClientToken":
                fields[name] = value
            continue
        items, number = lists.setdefault(found[1], {}), int(found[2])
        if found[3] is None:
            items[number] = value
        elif isinstance(item := items.setdefault(number, {}), dict):
            item[found[3]] = value
        else:
            raise invalid(name, "it is a text and an object")
    return fields | {name: [items[number] for number in sorted(items)] for name, items in lists.items()}
