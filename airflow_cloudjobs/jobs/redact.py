# SPDX-License-Identifier: Apache-2.0
"""Keep what grants access out of what people and databases see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_cloudjobs.jobs.many import is_sequence

_URL = re.compile(r"(https?://)(?:([^\s\"'<>/?#]*)@)?([^\s\"'<>?#]*)(?:\?([^\s\"'<>]*))?", re.IGNORECASE)
"""An address: its scheme, who logs in, host and path, query."""

_GRANTS = re.compile(
    r"(?:^|[&;])(?:[a-z0-9]+[-_])*(?:signature|sign|sig|expires|credentials?|ossaccesskeyid|accesskeyid|accessid|"
    r"key-pair-id|policy|[a-z]{0,8}(?:key|secret|token)|jwt|auth|passw(?:or)?d|pwd|hdn[a-z]{2})=",
    re.IGNORECASE,
)
"""A parameter of a query that grants access, by the names that clouds and content networks have for it."""


def without_signatures(value: Any) -> Any:
    """The same value with what grants access replaced by ``***`` in every address: a login, and a query that signs.

    :param value: JSON-able; texts are looked at wherever they stand in it.
    """
    if isinstance(value, str):
        return _URL.sub(_shown, value) if "://" in value else value
    if isinstance(value, Mapping):
        return {name: without_signatures(item) for name, item in value.items()}
    if is_sequence(value):
        return [without_signatures(item) for item in value]
    return value


def _shown(match: re.Match[str]) -> str:
    scheme, login, place, query = match.groups()
    text = scheme + ("***@" if login is not None else "") + place
    if query is None:
        return text
    return f"{text}?{'***' if _GRANTS.search(query) else query}"


def signatures(value: Any) -> list[str]:
    """The logins and signing queries of all addresses in a value: what a log must not show."""
    if isinstance(value, str):
        return [
            part
            for _, login, _, query in (match.groups() for match in _URL.finditer(value))
            for part in (login and f"{login}@", query if query and _GRANTS.search(query) else None)
            if part and part != "***@"
        ]
    if isinstance(value, Mapping):
        return [part for item in value.values() for part in signatures(item)]
    if is_sequence(value):
        return [part for item in value for part in signatures(item)]
    return []
