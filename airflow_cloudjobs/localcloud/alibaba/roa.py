# SPDX-License-Identifier: Apache-2.0
"""What the ROA services share: bodies are JSON, and names begin small."""

from __future__ import annotations

import json
from typing import Any

from airflow_cloudjobs.localcloud.alibaba import rpc
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call


def answer(call: Call, fields: dict[str, Any]) -> Answer:
    """A success with these fields and a request id.

    :param call: the call.
    :param fields: what the operation answers.
    """
    return rpc.answer(call, fields, id_name="requestId")


def json_object(call: Call) -> dict[str, Any]:
    """The body of a call, a JSON object.

    :param call: the call.
    :raises Refused: ``UnsupportedMediaType`` or ``InvalidParameter`` if it is none.
    """
    if not call.received.header("content-type").startswith("application/json"):
        raise Refused(400, "UnsupportedMediaType", "The request body must be JSON.")
    try:
        body = json.loads(call.received.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise rpc.invalid("body", "it is not a JSON object")
    return body
