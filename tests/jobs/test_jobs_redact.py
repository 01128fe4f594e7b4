# SPDX-License-Identifier: Apache-2.0
"""What grants access is replaced wherever it stands; everything else is left as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cloudjobs.jobs.redact import signed_queries, without_signatures

BASE = "https://bucket.example.com/dir/file.zip"
SIGNED = {
    "OSS, version 1": "OSSAccessKeyId=LTAI&Expires=1700000000&Signature=abc%2Bd%3D",
    "OSS, version 4": "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=k&x-oss-signature=00ff",
    "OSS with a token": "security-token=CAIS&a=b",
    "OBS": "AccessKeyId=HPUA&Expires=1700000000&Signature=abc",
    "S3, version 4": "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=c&X-Amz-Signature=00ff",
    "S3 with a token": "x=1&X-Amz-Security-Token=t",
    "CDN, type A": "auth_key=1700000000-0-0-00ff",
    "Azure": "sv=2024&se=2026-01-01&sig=abc%3D",
    "Google": "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=c&X-Goog-Signature=00ff",
    "Tencent": "q-sign-algorithm=sha1&q-ak=AKID&q-signature=00ff",
    "plain token": "id=5&token=t0p",
    "access token": "access_token=t0p",
}


@pytest.mark.parametrize("query", SIGNED.values(), ids=SIGNED)
@pytest.mark.parametrize("around", ["{}", "see {} now", '{{"url": "{}"}}', "<a href='{}'>", "first {}\nsecond {}\n"])
def test_the_query_of_a_signed_address_is_replaced(query: str, around: str) -> None:
    text = around.replace("{}", f"{BASE}?{query}").replace("{{", "{").replace("}}", "}")
    shown = without_signatures(text)
    assert query not in shown
    assert f"{BASE}?***" in shown
    assert shown.replace("?***", f"?{query}") == text
    assert set(signed_queries(text)) == {query}


@pytest.mark.parametrize("scheme", ["http", "HTTPS", "Http"])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    assert without_signatures(f"{scheme}://h/f?Signature=s") == f"{scheme}://h/f?***"


@pytest.mark.parametrize(
    "value",
    [
        "plain text",
        f"{BASE}",
        f"{BASE}?version=3&name=a",
        f"{BASE}?design=1&resignature=2",
        "Signature=abc without an address",
        "obs://bucket/a?Signature=x",
        5,
        None,
        True,
        1.5,
        "",
    ],
)
def test_what_grants_nothing_is_left_alone(value: Any) -> None:
    assert without_signatures(value) == value
    assert signed_queries(value) == []


def test_structures_are_searched() -> None:
    url = f"{BASE}?Signature=s3cr3t"
    value = {"a": [{"b": url}, (url, 5)], "c": {"d": None}}
    assert without_signatures(value) == {"a": [{"b": f"{BASE}?***"}, [f"{BASE}?***", 5]], "c": {"d": None}}
    assert signed_queries(value) == ["Signature=s3cr3t"] * 2
    assert value["a"][0]["b"] == url  # the value itself is not changed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([f"{BASE}?{q}" for q in SIGNED.values()]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_hiding_is_stable_and_complete(value: Any) -> None:
    shown = without_signatures(value)
    assert without_signatures(shown) == shown
    assert signed_queries(shown) == []
    json.dumps(shown)


@given(st.text(), st.text())
def test_a_signature_never_survives(before: str, after: str) -> None:
    shown = without_signatures(f"{before} {BASE}?Expires=1&Signature=S1GNED {after}")
    assert "S1GNED" not in shown.replace(before, "").replace(after, "")
