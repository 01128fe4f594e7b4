# SPDX-License-Identifier: Apache-2.0
"""Keep what grants access out of what people and databases see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_URL_QUERY = re.compile(r"(https?://[^\s\"'<>?#]+)\?[^\s\"'<>]*", re.IGNORECASE)
_SIGNED = re.compile(
    r"[?&;](?:[a-z0-9]+-)*(?:signature|sig|expires|credential|security-?token|"
    r"ossaccesskeyid|accesskeyid|accessid|(?:access_)?token|auth_key)=",
    re.IGNORECASE,
)


def without_signatures(value: Any) -> Any:
    """The same value with the query of every signed address in it replaced by ``***``.

    :param value: JSON-able; texts are looked at wherever they stand in it.
    """
    if isinstance(value, str):
        return _URL_QUERY.sub(
            lambda match: f"{match.group(1)}?***" if _SIGNED.search(match.group(0)) else match.group(0), value
        )
    if isinstance(value, Mapping):
        return {name: without_signatures(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_signatures(item) for item in value]
    return value


def signed_queries(value: Any) -> list[str]:
    """The queries of all signed addresses in a value: what a log must not show."""
    if isinstance(value, str):
        return [
            match.group(0).partition("?")[2] for match in _URL_QUERY.finditer(value) if _SIGNED.search(match.group(0))
        ]
    if isinstance(value, Mapping):
        return [query for item in value.values() for query in signed_queries(item)]
    if isinstance(value, (list, tuple)):
        return [query for item in value for query in signed_queries(item)]
    return []
