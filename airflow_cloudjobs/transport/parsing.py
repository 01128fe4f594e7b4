# SPDX-License-Identifier: Apache-2.0
"""What the answers of both clouds are read with, and the time stamps of their requests written."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.transport.message import HttpAnswer


def parse_timestamp(text: Any) -> float | None:
    """A time stamp of a cloud (ISO 8601, UTC) as seconds since the epoch; None if it is no such thing."""
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


@lru_cache(maxsize=8)
def format_utc(second: int, form: str) -> str:
    """A second since the epoch as UTC; many requests are signed in the same one.

    :param form: as ``time.strftime`` takes it.
    """
    return time.strftime(form, time.gmtime(second))


def json_object(operation: str, answer: HttpAnswer) -> dict[str, Any]:
    """An answer's body as a JSON object; see :func:`_object`."""
    return _object(operation, answer, _loaded(answer))


def json_answer(request: ApiRequest, answer: HttpAnswer) -> Any:
    """An answer's body as what the request takes for one: a JSON object; of a lax one a list or nothing at all, too; of
    a raw one its bytes.

    :raises CloudApiError: see :func:`_object`.
    """
    if request.raw and answer.status == 200:
        return answer.body
    if request.lax and answer.status < 300 and not answer.body and request.method != "GET":
        return {}
    data = _loaded(answer, exact=request.exact)
    if request.lax and answer.status < 300 and isinstance(data, list):
        return data
    return _object(request.operation, answer, data)


def _object(operation: str, answer: HttpAnswer, data: Any) -> dict[str, Any]:
    """What was read of an answer, which must be a JSON object.

    What is no JSON object comes from something between us and the cloud (a proxy's page, a cut line).

    :raises CloudApiError: a transient, ambiguous one, since the call may have been carried out; for a status of 4xx one
        that is not ambiguous: such a page is a refusal, by what has not passed the call on.
    """
    if isinstance(data, dict) and (data or answer.status < 300):
        return data
    refused = 400 <= answer.status < 500
    content_type = answer.headers.get("content-type", "no content type")
    raise CloudApiError(
        f"the answer is not the API's JSON ({content_type}, {len(answer.body)} bytes, from {answer.host})",
        kind=_REFUSALS.get(answer.status, ErrorKind.UNKNOWN) if refused else ErrorKind.TRANSIENT,
        operation=operation,
        code="<not json>",
        http_status=answer.status,
        retry_after=answer.retry_after(time.time()),
        ambiguous=not refused,
        hint=_TOO_LARGE if answer.status in (413, 414, 431) else _IN_BETWEEN,
    )


_REFUSALS = {
    401: ErrorKind.DENIED,
    407: ErrorKind.DENIED,
    408: ErrorKind.TRANSIENT,
    413: ErrorKind.INVALID,
    414: ErrorKind.INVALID,
    429: ErrorKind.THROTTLED,
    431: ErrorKind.INVALID,
}
"""What a proxy or a foreign server refuses for good, and what it takes when it is asked again; every other refusal
lasts maybe only until somebody has mended what is in between."""

_TOO_LARGE = "The request is too large: fewer addresses or tables a task, or a shorter text"
_IN_BETWEEN = "Something between here and the cloud answered: check 'host', 'endpoints' and 'proxy' of the connection"


def _loaded(answer: HttpAnswer, *, exact: bool = False) -> Any:
    """The JSON; None if it is none."""
    if answer.status == 204:
        return {}
    try:
        return json.loads(answer.body, parse_float=Decimal if exact else None)
    except (ValueError, RecursionError):
        return None


def first_present(data: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that holds something, as text."""
    for name in names:
        if data.get(name) not in (None, ""):
            return str(data[name])
    return ""
