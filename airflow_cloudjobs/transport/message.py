# SPDX-License-Identifier: Apache-2.0
"""Requests as they are sent and answers as they come; nothing here knows a cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(slots=True)
class HttpRequest:
    """A request as it is sent, to the byte.

    :param operation: the vendor's name of what is asked, for messages.
    :param method: the HTTP method.
    :param url: the address, already encoded; it must not be encoded again, since it is signed, and so never shown.
    :param headers: all headers but those that the HTTP library must make (``Content-Length``).
    :param body: the body, or None.
    """

    operation: str
    method: str
    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(slots=True)
class HttpAnswer:
    """An answer as it came.

    :param status: the HTTP status.
    :param headers: the headers; names in lower case.
    :param body: the body, whole.
    :param host: who was asked.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    host: str = ""

    def date(self) -> float | None:
        """The cloud's clock from the ``Date`` header, seconds since the epoch."""
        moment = http_date(self.headers.get("date"))
        return moment.timestamp() if moment else None

    def retry_after(self, now: float) -> float | None:
        """Seconds that the ``Retry-After`` header asks us to wait (RFC 9110, 10.2.3); ten minutes at most."""
        value = self.headers.get("retry-after", "").strip()
        if not value:
            return None
        if value.isdecimal():
            return min(float(value), LONGEST_RETRY_AFTER)
        moment = http_date(value)
        return min(max(0.0, moment.timestamp() - now), LONGEST_RETRY_AFTER) if moment else None


LONGEST_RETRY_AFTER = 600.0
"""Seconds; a header that asks for more is not believed, or a wrong one would stop a wait for days."""


def http_date(value: str | None) -> datetime | None:
    """An HTTP date, or None if it is none."""
    if not value:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
