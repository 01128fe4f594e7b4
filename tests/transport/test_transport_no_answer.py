# SPDX-License-Identifier: Apache-2.0
"""Why there is no connection, by what the system says, however it is wrapped by the library that was told."""

from __future__ import annotations

import errno
import os
import socket

import pytest
import urllib3
from urllib3.connection import HTTPConnection

from airflow_cloudjobs.jobs.errors import ErrorKind
from airflow_cloudjobs.transport.no_answer import NoAnswer

WHY = NoAnswer("Poll", "cloud.example:443", lambda host: f"'host' ({host})")
NOBODYS = NoAnswer("Poll", "cloud.example", lambda host: "")

CAUSES: list[tuple[BaseException, str, bool]] = [
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "host not found", True),
    (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "no dns", False),
    (UnicodeError("label too long"), "host not found", True),
    (OSError(errno.ECONNREFUSED, "x"), "refused", False),
    (OSError(errno.ECONNRESET, "x"), "reset", False),
    (OSError(errno.EPIPE, "x"), "reset", False),
    (OSError(errno.ETIMEDOUT, "x"), "connect timeout", False),
    (OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH)), "unreachable", False),
    (OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH)), "unreachable", False),
    (OSError(errno.EMFILE, "x"), "no connection", False),
    (OSError("Multiple exceptions: ..."), "no connection", False),
]


def plain(error: BaseException) -> BaseException:
    return error


def caused(error: BaseException) -> BaseException:
    outer = urllib3.exceptions.NewConnectionError(HTTPConnection("h"), "Failed to establish a new connection")
    outer.__cause__ = error
    return outer


def reasoned(error: BaseException) -> BaseException:
    return OSError(urllib3.exceptions.MaxRetryError(urllib3.HTTPConnectionPool("h"), "/", caused(error)))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrapped", [plain, caused, reasoned])
@pytest.mark.parametrize(("cause", "code", "misdirected"), CAUSES)
def test_the_cause_is_told(cause: BaseException, code: str, misdirected: bool, wrapped: object) -> None:
    error = WHY.no_connection(wrapped(cause), 5.0)  # type: ignore[operator]
    assert (error.code, error.misdirected) == (f"<{code}>", misdirected)
    assert (error.kind, error.ambiguous, error.http_status) == (ErrorKind.TRANSIENT, False, 0)
    assert "(host cloud.example:443)" in error.message
    assert "'host' (cloud.example:443)" in error.hint


def test_a_host_that_is_the_vendors_own_has_another_advice() -> None:
    error = NOBODYS.no_connection(CAUSES[0][0], 5.0)
    assert "'proxy'" in error.hint
    assert "'endpoints'" in error.hint


def test_an_error_in_a_circle_is_looked_at_once() -> None:
    one, other = OSError("one"), OSError("other")
    one.__cause__, other.__cause__ = other, one
    assert WHY.no_connection(one, 5.0).code == "<no connection>"
