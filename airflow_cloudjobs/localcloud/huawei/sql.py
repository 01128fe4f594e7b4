# SPDX-License-Identifier: Apache-2.0
"""What DLI has to know of an SQL statement: its job type, which its first word decides."""

from __future__ import annotations

import re

_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_WORDS = {
    "QUERY": "SELECT WITH VALUES TABLE FROM EXPLAIN",
    "DDL": (
        "CREATE DROP ALTER TRUNCATE SHOW DESC DESCRIBE USE MSCK REFRESH ANALYZE CACHE UNCACHE CLEAR SET "
        "RESET ADD REPAIR OPTIMIZE VACUUM"
    ),
    "DCL": "GRANT REVOKE",
    "INSERT": "INSERT MERGE",
    "IMPORT": "LOAD IMPORT",
    "EXPORT": "EXPORT",
    "UPDATE": "UPDATE",
    "DELETE": "DELETE",
}
_TYPES = {word: job_type for job_type, words in _WORDS.items() for word in words.split()}


def job_type(sql: str) -> str | None:
    """``QUERY``, ``DDL``, ``INSERT`` ...; None if the statement begins with no known word.

    :param sql: the statement, comments included.
    """
    word = re.match(r"[\s(]*([A-Za-z]+)", _COMMENTS.sub(" ", sql))
    return _TYPES.get(word.group(1).upper()) if word else None


def first_word(sql: str) -> str:
    """The first word of a statement, for the message of a syntax error.

    :param sql: the statement, comments included.
    """
    words = _COMMENTS.sub(" ", sql).split()
    return words[0] if words else "<EOF>"
