# SPDX-License-Identifier: Apache-2.0
"""Requests as they are sent, answers as they come, and what goes wrong between; nothing here knows a cloud."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind


@dataclass(slots=True)
class HttpRequest:
    """A request as it is sent, to the byte.

    :param operation: the vendor's name of what is asked, for messages.
    :param method: the HTTP method.
    :param url: the address, already encoded; it must not be encoded again, since it is signed.
    :param headers: all headers but those that the HTTP library must make (``Content-Length``).
    :param body: the body, or None.
    """

    operation: str
    method: str
    url: str
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


def network_error(operation: str, what: str, host: str, *, code: str, sent: bool) -> CloudApiError:
    """A request that got no answer.

    :param operation: the vendor's name of what was asked.
    :param what: what happened.
    :param host: where it was sent.
    :param code: a short name for it.
    :param sent: True if the cloud may have received the request.
    """
    return CloudApiError(
        f"{what} (host {host})",
        kind=ErrorKind.TRANSIENT,
        operation=operation,
        code=f"<{code}>",
        ambiguous=sent,
        hint="" if sent else "If this persists, check 'host', 'endpoints', 'region' and 'proxy' of the connection",
    )


def tls_error(operation: str, error: BaseException, host: str) -> CloudApiError:
    """A connection whose TLS failed; a certificate that is not trusted now is not trusted in a moment either.

    :param error: what the TLS library says; its own words are shown, not those of a library around it, which may
        hold the address with all arguments.
    """
    certificate = isinstance(error, ssl.SSLCertVerificationError)
    words = (getattr(error, "verify_message", "") if certificate else getattr(error, "reason", "")) or "no handshake"
    return CloudApiError(
        f"TLS failed: {'certificate not accepted: ' if certificate else ''}{words} (host {host})",
        kind=ErrorKind.DENIED if certificate else ErrorKind.TRANSIENT,
        operation=operation,
        code="<tls>",
        hint="Trust its authority with 'ca_bundle' of the connection, or check 'host' and 'endpoints'"
        if certificate
        else "Check 'schema', 'host' and 'endpoints' of the connection: is this a TLS port?",
    )


def proxy_error(operation: str, status: int, host: str, proxy: str) -> CloudApiError:
    """A proxy that passed nothing on.

    :param status: its answer's HTTP status; 0 if it gave none.
    :param host: what was asked for.
    :param proxy: its address; user and password are left out of the message.
    """
    where = proxy.rpartition("@")[2].rpartition("//")[2].rstrip("/")
    what = {0: "cannot be reached", 407: "refuses our user and password (HTTP 407)"}.get(status, f"says HTTP {status}")
    return CloudApiError(
        f"the proxy {where} {what} (host {host})",
        kind=ErrorKind.DENIED if status in (403, 407) else ErrorKind.TRANSIENT,
        operation=operation,
        code="<proxy>",
        http_status=status,
        hint="Check 'proxy' of the connection, or HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment",
    )
