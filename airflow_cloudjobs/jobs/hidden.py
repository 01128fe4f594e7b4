# SPDX-License-Identifier: Apache-2.0
"""SQL where it is shown: not its text, but enough to tell one statement from another."""

from __future__ import annotations

import hashlib
import re
from typing import Any

_FIRST_WORD = re.compile(r"(?:\s+|\(|--[^\n]*\n|/\*(?s:.*?)\*/)*+([A-Za-z]{2,20})(?=[\s(*])")
"""The word that says what a statement does, below the comments that tools put before it."""


def digest(text: str) -> str:
    """What is shown of a text that is hidden: its first word, length and hash, ``SELECT … (1,234 characters, sha256
    1a2b3c4d)``. The hash is the beginning of what ``sha256sum`` tells of the same text."""
    word = _FIRST_WORD.match(text)
    sha = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{word[1] + ' ' if word else ''}… ({len(text):,} characters, sha256 {sha})"


class Hidden(str):
    """A text that works as any, but reads as its digest where a program shows it.

    Airflow shows ``str()`` of what a task's arguments were rendered to. Should a version of it show the text itself,
    that shows ``***``, since the text is also one that Airflow's logs hide.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return digest(plain(self))

    def __repr__(self) -> str:
        return repr(str(self))

    def __format__(self, spec: str) -> str:
        return format(plain(self), spec)  # in an f-string another statement may be made of it


def plain(value: Any) -> Any:
    """A value with the texts in it as they are, and no longer hidden."""
    if isinstance(value, Hidden):
        return str.__str__(value)
    if type(value) is dict:
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if type(value) is list else value
