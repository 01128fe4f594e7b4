# SPDX-License-Identifier: Apache-2.0
"""What grants access is replaced wherever it stands; everything else is left as it is."""

from __future__ import annotations

import json
from collections import UserList
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cloudjobs.jobs.redact import signatures, text_without_signatures, without_signatures

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
    "API key": "id=5&api_key=k",
    "key": "key=k",
    "CDN, Huawei": "auth_info=x&wsSecret=00ff",
    "CDN, Akamai": "hdnts=exp=1~hmac=00ff",
    "CloudFront": "Policy=p&Key-Pair-Id=k",
    "password": "user=u&password=p",
    "JWT": "jwt=e30.e30.x",
}


@pytest.mark.parametrize("query", SIGNED.values(), ids=SIGNED)
@pytest.mark.parametrize("around", ["{}", "see {} now", '{{"url": "{}"}}', "<a href='{}'>", "first {}\nsecond {}\n"])
def test_the_query_of_a_signed_address_is_replaced(query: str, around: str) -> None:
    text = around.replace("{}", f"{BASE}?{query}").replace("{{", "{").replace("}}", "}")
    shown = without_signatures(text)
    assert query not in shown
    assert f"{BASE}?***" in shown
    assert shown.replace("?***", f"?{query}") == text
    assert set(signatures(text)) == {query}


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
    assert signatures(value) == []


@pytest.mark.parametrize("login", ["user:pa55", "t0ken", "user:p@55"])
@pytest.mark.parametrize("rest", ["h/f.txt", "h:8080/f@g?version=3", "[::1]/f"])
def test_a_login_in_an_address_is_replaced(login: str, rest: str) -> None:
    text = f"see https://{login}@{rest} and {BASE}"
    assert without_signatures(text) == f"see https://***@{rest} and {BASE}"
    assert signatures(text) == [f"{login}@"]


def test_structures_are_searched() -> None:
    url = f"{BASE}?Signature=s3cr3t"
    value = {"a": [{"b": url}, (url, 5), UserList([url])], "c": {"d": None}}
    shown = f"{BASE}?***"
    assert without_signatures(value) == {"a": [{"b": shown}, [shown, 5], [shown]], "c": {"d": None}}
    assert signatures(value) == ["Signature=s3cr3t"] * 3
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
    assert signatures(shown) == []
    json.dumps(shown)


@given(st.text(), st.text())
def test_a_signature_never_survives(before: str, after: str) -> None:
    shown = without_signatures(f"{before} {BASE}?Expires=1&Signature=S1GNED {after}")
    assert "S1GNED" not in shown.replace(before, "").replace(after, "")


ODD = [
    "https://m.example/who's.mp4",
    "https://m.example/a film.mp4",
    'https://m.example/the "best".mp4',
    "https://m.example/<1>.mp4",
    "https://m.example/no#1.mp4",
    "https://m.example/你好 (1)!*.mp4",
]
"""Addresses of files whose names people have given."""


@pytest.mark.parametrize("around", ["{}", "see {} now", "GET {} answered 403", "<a href='{}'>", '{{"url": "{}"}}'])
@pytest.mark.parametrize("address", ODD)
def test_no_sign_of_a_path_ends_an_address(address: str, around: str) -> None:
    query = "OSSAccessKeyId=LTAI&Expires=1&Signature=S3cretSig"
    text = around.replace("{}", f"{address}?{query}")
    assert without_signatures(text) == around.replace("{}", f"{address}?***")
    assert signatures(text) == [query]


@pytest.mark.parametrize(
    "query",
    [
        "response-content-disposition=attachment; filename=a b.mp4&Signature=S3cret",
        "name=who's&Signature=S3cret",
        "Signature=S3cret&name=who is 'that'",
        "Signature=S3 S3cret",
        "to=https://other.example/b?c=d&Signature=S3cret",
        "to=https://u:S3cret@other.example/b",
        "a=b#access_token=S3cret",
    ],
)
def test_the_query_of_a_whole_address_is_hidden_to_its_end(query: str) -> None:
    for text in (f"{BASE}?{query}", f" {BASE}?{query}\n"):
        shown = without_signatures(text)
        assert "S3cret" not in shown
        assert shown.strip().startswith(BASE)
        assert not any("S3cret" in text.replace(part, "") for part in signatures(text))


def test_a_fragment_may_grant_access_too() -> None:
    assert without_signatures(f"{BASE}#access_token=S3cret") == f"{BASE}#***"


def test_words_that_begin_with_an_address_stay() -> None:
    text = f"{BASE}?Signature=S3cret answered 403, and so did {BASE}?Signature=S3cret"
    assert text_without_signatures(text) == f"{BASE}?*** answered 403, and so did {BASE}?***"


@pytest.mark.parametrize("login", ["it's:me", "a b:c", 'say "hi":<x>'])
def test_the_login_of_a_whole_address_is_hidden(login: str) -> None:
    assert without_signatures(f"https://{login}@h/f.txt?a=b") == "https://***@h/f.txt?a=b"


PATHS = st.text(st.characters(exclude_characters="?#\r\n", exclude_categories=["Cs"]))
VALUES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))


@given(PATHS, VALUES, VALUES)
def test_a_whole_address_is_hidden_by_its_structure(path: str, value: str, more: str) -> None:
    shown = without_signatures(f"https://h/{path}?name={value}&Signature=S1GNED{more}")
    assert shown.startswith(f"https://h/{path}?")
    assert "S1GNED" not in shown
    assert without_signatures(shown) == shown


@given(PATHS, st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])))
def test_in_running_text_the_path_does_not_end_an_address(path: str, after: str) -> None:
    for text in (without_signatures, text_without_signatures):
        assert "S1GNED" not in text(f"see https://h/{path}?Expires=1&Signature=S1GNED {after}").replace(after, "")
