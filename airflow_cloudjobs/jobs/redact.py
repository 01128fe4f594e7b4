# SPDX-License-Identifier: Apache-2.0
"""Keep what grants access out of what people and databases see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from airflow_cloudjobs.jobs.many import is_sequence

_SCHEME = re.compile(r"https?://", re.IGNORECASE)

_LOGIN = re.compile(r"https?://([^/?#]+)@", re.IGNORECASE)
_LOGIN_IN_TEXT = re.compile(r"https?://([^\s\"<>/?#]+)@", re.IGNORECASE)

_GRANT = re.compile(
    r"[?#&;](?:[a-z0-9]+[-_])*(?:signature|sign|sig|expires|credentials?|ossaccesskeyid|accesskeyid|accessid|"
    r"key-pair-id|policy|[a-z]{0,8}(?:key|secret|token)|jwt|auth|passw(?:or)?d|pwd|hdn[a-z]{2})=",
    re.IGNORECASE,
)
"""A parameter of a query that grants access, by the names that clouds and content networks have for it."""

_QUERY = re.compile(r"[?#]")
_ELSEWHERE = re.compile(r"[\r\n]|(?<=[\s\"'<>])https?://", re.IGNORECASE)
"""Where running text has certainly left an address; a blank, an apostrophe or a quote may be part of its path."""

_QUOTE = re.compile(r"[\"<>]")
_END = re.compile(r"[\s\"<>]|'(?![\w%&=+/-])")
"""Where the last parameter of a query ends in running text."""


class _Secret(NamedTuple):
    """What grants access in a text: from where to where, and what is shown instead."""

    start: int
    end: int
    shown: str


def without_signatures(value: Any) -> Any:
    """The same value with what grants access replaced by ``***`` in every address: a login, and a query that signs.

    :param value: JSON-able; texts are looked at wherever they stand in it. One that begins as an address is taken for
        an address as a whole, whatever signs are in it; in all others addresses are searched for.
    """
    if isinstance(value, str):
        return _replaced(value, _secrets_of(value))
    if isinstance(value, Mapping):
        return {name: without_signatures(item) for name, item in value.items()}
    if is_sequence(value):
        return [without_signatures(item) for item in value]
    return value


def text_without_signatures(text: str) -> str:
    """The same for words about addresses, which may begin with one: what they say behind it stays.

    :param text: a message, or a reason in the vendor's words.
    """
    return _replaced(text, _secrets_in(text))


def signatures(value: Any) -> list[str]:
    """The logins and signing queries of all addresses in a value: what a log must not show."""
    if isinstance(value, str):
        return [value[secret.start : secret.end] for secret in _secrets_of(value)]
    if isinstance(value, Mapping):
        return [part for item in value.values() for part in signatures(item)]
    if is_sequence(value):
        return [part for item in value for part in signatures(item)]
    return []


def _replaced(text: str, secrets: Iterable[_Secret]) -> str:
    parts, done = [], 0
    for secret in secrets:
        parts += [text[done : secret.start], secret.shown]
        done = secret.end
    return "".join([*parts, text[done:]]) if done else text


def _secrets_of(text: str) -> Iterator[_Secret]:
    """What grants access in a text that may be one address: a line that begins as one."""
    line = text.strip()
    if not _SCHEME.match(line) or "\n" in line or "\r" in line:
        yield from _secrets_in(text)
        return
    end = len(text.rstrip())
    query = _signing_query(text, 0, end)
    yield from _logins(_LOGIN, text, 0, query[0] if query else end)
    if query:
        yield _Secret(query[0], end, "***")


def _secrets_in(text: str) -> Iterator[_Secret]:
    """What grants access in running text."""
    done = 0
    while scheme := _SCHEME.search(text, done):
        elsewhere = _ELSEWHERE.search(text, scheme.end())
        done = elsewhere.start() if elsewhere else len(text)
        query = _signing_query(text, scheme.start(), done)
        yield from _logins(_LOGIN_IN_TEXT, text, scheme.start(), query[0] if query else done)
        if query:
            start, grant = query
            quote = _QUOTE.search(text, grant, done)
            *_, last = _GRANT.finditer(text, grant, quote.start() if quote else done)
            end = _END.search(text, last.end(), done)
            yield _Secret(start, end.start() if end else done, "***")


def _signing_query(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Where the part of an address begins that grants access, and where its first parameter that does so; or None."""
    query = _QUERY.search(text, start, end)
    grant = _GRANT.search(text, query.start(), end) if query else None
    if not grant:
        return None
    # A path may hold a "#", and a query an address with a query of its own.
    mark = max(text.rfind(sign, start, grant.start() + 1) for sign in "?#")
    return mark + 1, grant.start()


def _logins(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[_Secret]:
    for login in pattern.finditer(text, start, end):
        if login[1] != "***":
            yield _Secret(login.start(1), login.end(), "***@")
