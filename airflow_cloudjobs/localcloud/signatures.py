# SPDX-License-Identifier: Apache-2.0
"""The signatures of both clouds, recomputed from a request as it was received. Pure functions.

Written from the vendors' descriptions: Alibaba Cloud "V3 request body and signature mechanism"
(ACS3-HMAC-SHA256), Huawei Cloud "AK/SK signing" (SDK-HMAC-SHA256), Alibaba Cloud OSS "Add signatures to URLs"
(version 1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

ACS3 = "ACS3-HMAC-SHA256"
SDK_HMAC = "SDK-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Authorization:
    """What an ``Authorization`` header says: which key signed which headers, and the result."""

    access_key: str
    signed_headers: tuple[str, ...]
    signature: str


def parse_authorization(value: str, algorithm: str) -> Authorization | None:
    """Take an ``Authorization`` header apart; None if it is not of that algorithm or a piece is missing.

    :param value: the header.
    :param algorithm: :data:`ACS3` or :data:`SDK_HMAC`.
    """
    scheme, _, rest = value.partition(" ")
    if scheme != algorithm:
        return None
    pieces = dict(piece.strip().partition("=")[::2] for piece in rest.split(","))
    access_key = pieces.get("Credential" if algorithm == ACS3 else "Access", "")
    signed, signature = pieces.get("SignedHeaders", ""), pieces.get("Signature", "")
    if not (access_key and signed and signature):
        return None
    return Authorization(access_key, tuple(signed.split(";")), signature)


def same(one: str, other: str) -> bool:
    """Compare two signatures in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def acs3_string_to_sign(
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    headers: Mapping[str, Sequence[str]],
    signed_headers: Sequence[str],
    payload_hash: str,
) -> str:
    """The string Alibaba Cloud's version 3 signature covers.

    :param method: HTTP method.
    :param path: path of the request.
    :param query: decoded query parameters.
    :param headers: values by lower-case header name.
    :param signed_headers: lower-case names of the headers that were signed, in their order.
    :param payload_hash: hexadecimal SHA-256 of the body.
    """
    canonical_headers = "".join(
        f"{name}:{','.join(sorted(value.strip() for value in headers.get(name, ())))}\n" for name in signed_headers
    )
    # Part by part: a slash that is encoded belongs to its part, as the vendor's clients sign it.
    uri = "/".join(quote(unquote(segment), safe="~") for segment in path.split("/"))
    canonical = "\n".join(
        (
            method,
            uri,
            _canonical_query(query),
            canonical_headers,
            ";".join(signed_headers),
            payload_hash,
        )
    )
    return f"{ACS3}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def huawei_string_to_sign(
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    headers: Mapping[str, Sequence[str]],
    signed_headers: Sequence[str],
    payload_hash: str,
    date: str,
) -> str:
    """The string Huawei Cloud's AK/SK signature covers.

    :param method: HTTP method.
    :param path: path of the request; it is signed with a slash at its end even if it has none.
    :param query: decoded query parameters.
    :param headers: values by lower-case header name.
    :param signed_headers: lower-case names of the headers that were signed, in their order.
    :param payload_hash: hexadecimal SHA-256 of the body, or :data:`UNSIGNED_PAYLOAD`.
    :param date: the request's ``X-Sdk-Date``.
    """
    uri = "/".join(quote(segment, safe="~") for segment in unquote(path).split("/"))
    canonical_headers = "".join(f"{name}:{','.join(headers.get(name, ())).strip()}\n" for name in signed_headers)
    canonical = "\n".join(
        (
            method,
            uri if uri.endswith("/") else uri + "/",
            _canonical_query(query),
            canonical_headers,
            ";".join(signed_headers),
            payload_hash,
        )
    )
    return f"{SDK_HMAC}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def sign(secret: str, string_to_sign: str) -> str:
    """Hexadecimal HMAC-SHA256, the last step of both clouds' signatures.

    :param secret: the secret of the access key.
    :param string_to_sign: what it covers.
    """
    return hmac.new(secret.encode(), string_to_sign.encode(), hashlib.sha256).hexdigest()


def oss_url_signature(secret: str, resource: str, expires: int) -> str:
    """The ``Signature`` parameter of a signed OSS download URL (version 1: base64 of an HMAC-SHA1).

    :param secret: the secret of the access key in the URL.
    :param resource: ``/bucket/object``.
    :param expires: when the URL ends, in seconds since the epoch.
    """
    digest = hmac.new(secret.encode(), f"GET\n\n\n{expires}\n{resource}".encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def _canonical_query(query: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{quote(key, safe='~')}={quote(value, safe='~')}" for key, value in sorted(query))
