# SPDX-License-Identifier: Apache-2.0
"""What an answer may be: an object, and of a call that says so a list, or nothing where nothing was asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_cloudjobs.alibaba.client import AlibabaClient
from airflow_cloudjobs.alibaba.settings import alibaba_settings
from airflow_cloudjobs.connection.settings import ConnectionFields
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


@pytest.mark.parametrize(
    "said",
    [
        {"Success": False, "ErrorCode": "Refused", "ErrorMessage": "no"},
        {"success": False, "errorCode": "Refused", "errorMessage": "no"},
        {"success": False, "code": "Refused", "message": "no"},
    ],
)
def test_a_refusal_of_alibaba_cloud_under_a_status_of_success(said: dict[str, Any]) -> None:
    client = AlibabaClient(alibaba_settings(ConnectionFields("c", "", login="k", password="s"), None))
    request = ApiRequest("ververica", "StartJob", "POST", "/api/v2/jobs", version="2022-07-18", lax=True)
    with pytest.raises(CloudApiError, match="StartJob Refused: no"):
        client.read(request, HttpAnswer(200, {}, json.dumps(said).encode(), "h"))
    said = {**said, "Success": True, "success": True}
    assert client.read(request, HttpAnswer(200, {}, json.dumps(said).encode(), "h")) == said
