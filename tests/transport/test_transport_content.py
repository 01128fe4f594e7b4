# SPDX-License-Identifier: Apache-2.0
"""What an answer may be: an object, and of a call that says so a list, or nothing where nothing was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.transport.message import HttpAnswer
from airflow_cloudjobs.transport.parsing import json_answer

UNREADABLE = "<not json>"


def read(body: bytes, status: int = 200, method: str = "POST", *, lax: bool = True) -> Any:
    try:
        return json_answer(ApiRequest("x", "Op", method, "/a", lax=lax), HttpAnswer(status, {}, body, "h"))
    except CloudApiError as error:
        return error.code


@pytest.mark.parametrize(
    ("body", "status", "method", "strict", "lax"),
    [
        (b'{"a": 1}', 200, "GET", {"a": 1}, {"a": 1}),
        (b"{}", 200, "GET", {}, {}),
        (b"", 204, "GET", {}, {}),
        (b"", 204, "DELETE", {}, {}),
        (b'[{"a": 1}]', 200, "GET", UNREADABLE, [{"a": 1}]),
        (b" \n[]", 200, "GET", UNREADABLE, []),
        (b"", 200, "DELETE", UNREADABLE, {}),
        (b"", 202, "POST", UNREADABLE, {}),
        (b"", 200, "GET", UNREADABLE, UNREADABLE),
        (b'[{"a": 1}', 200, "GET", UNREADABLE, UNREADABLE),
        (b"[" * 100_000, 200, "GET", UNREADABLE, UNREADABLE),
        (b'"text"', 200, "GET", UNREADABLE, UNREADABLE),
        (b"<html>", 200, "POST", UNREADABLE, UNREADABLE),
        (b"", 302, "POST", UNREADABLE, UNREADABLE),
        (b"", 503, "POST", UNREADABLE, UNREADABLE),
        (b"[]", 503, "POST", UNREADABLE, UNREADABLE),
    ],
)
def test_what_is_an_answer(body: bytes, status: int, method: str, strict: Any, lax: Any) -> None:
    assert read(body, status, method, lax=False) == strict
    assert read(body, status, method) == lax
