# SPDX-License-Identifier: Apache-2.0
"""An operation of an API as one text, as the vendors' pages name it: ``GetJobRun GET /api/v1/jobRuns/{jobRunId}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from airflow_cloudjobs.jobs.request import path_part

PROJECT = "project_id"
"""The placeholder that the client fills, from the credential."""

_FORM = re.compile(r"([A-Za-z]\w*)(?:\s+(GET|POST|PUT|PATCH|DELETE)\s+(/[^\s?#]*))?", re.ASCII)
_PLACEHOLDER = re.compile(r"\{([\w.-]+)\}", re.ASCII)
_READING = re.compile(r"(Describe|Get|List|Query|Show)(?![a-z])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Operation:
    """What an API can be asked for.

    :param name: the vendor's name of it.
    :param method: the HTTP method.
    :param path: the path with its placeholders, ``{name}``; ``/`` for Alibaba Cloud's RPC.
    """

    name: str
    method: str = "POST"
    path: str = "/"

    @classmethod
    def of(cls, text: str) -> Self:
        """From ``Name`` (RPC) or ``Name METHOD /path``.

        :raises ValueError: for any other form.
        """
        found = _FORM.fullmatch(text.strip())
        if found is None or set("{}") & set(_PLACEHOLDER.sub("", found[3] or "")):
            raise ValueError(
                f"operation {text!r} is none: write 'Name', or 'Name METHOD /path' with {{placeholders}} and without a "
                "query, e.g. 'GetJobRun GET /api/v1/jobRuns/{jobRunId}'"
            )
        return cls(found[1], found[2] or "POST", found[3] or "/")

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names that the path needs values for, in their order; not the project's."""
        return tuple(dict.fromkeys(name for name in _PLACEHOLDER.findall(self.path) if name != PROJECT))

    @property
    def reads(self) -> bool:
        """True if method or name say that it changes nothing; False says nothing."""
        return self.method == "GET" or _READING.match(self.name) is not None

    def filled(self, values: Mapping[str, Any]) -> str:
        """The path with these values in it, each in its own part; ``{project_id}`` stays.

        :raises ValueError: naming the placeholder whose value is missing, or is no part of a path.
        """

        def part(found: re.Match[str]) -> str:
            name = found[1]
            return found[0] if name == PROJECT else path_part(name, values.get(name))

        return _PLACEHOLDER.sub(part, self.path)
