# SPDX-License-Identifier: Apache-2.0
"""What the answers of both clouds are read with, and the time stamps of their requests written."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
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
    """An answer's body as a JSON object.

    What is no JSON object comes from something between us and the cloud (a proxy's page, a cut line): it
    says nothing about the call, which may have been carried out.

    :raises CloudApiError: a transient, ambiguous one.
    """
    try:
        data = {} if answer.status == 204 else json.loads(answer.body)
    except ValueError:
        data = None
    if isinstance(data, dict) and (data or answer.status < 300):
        return data
    kind = answer.headers.get("content-type", "no content type")
    raise CloudApiError(
        f"the answer is not the API's JSON ({kind}, {len(answer.body)} bytes, from {answer.host})",
        kind=_PAGES.get(answer.status, ErrorKind.TRANSIENT),
        operation=operation,
        code="<not json>",
        http_status=answer.status,
        retry_after=answer.retry_after(time.time()),
        ambiguous=answer.status not in _PAGES,
        hint="Something between here and the cloud answered: check 'host', 'endpoints' and 'proxy' of the connection",
    )


_PAGES = {
    401: ErrorKind.DENIED,
    403: ErrorKind.UNKNOWN,
    404: ErrorKind.UNKNOWN,
    405: ErrorKind.UNKNOWN,
    407: ErrorKind.DENIED,
}
"""A page with one of these is the refusal of a proxy or of a foreign server, which has not passed the call on: for good
where it asks who we are, else maybe only until somebody has mended it."""


def first_present(data: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that holds something, as text."""
    for name in names:
        if data.get(name) not in (None, ""):
            return str(data[name])
    return ""
