# SPDX-License-Identifier: Apache-2.0
"""An operation of an API as one text, as the vendors' pages name it: ``GetJobRun GET /api/v1/jobRuns/{jobRunId}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from airflow_cloudjobs.jobs.request import SERVICES, ApiRequest, is_service, parameters, path_part

PROJECT = "project_id"
"""The placeholder that the client fills, from the credential."""

_FORM = re.compile(r"(?:([A-Za-z]\w*)\s*)??(?:\b(GET|POST|PUT|PATCH|DELETE)\s+(/\S*))?", re.ASCII)
_PATH = re.compile(r"/[!\"$->@-~]*")  # visible ASCII without "?" and "#"
_PLACEHOLDER = re.compile(r"\{([\w.-]+)\}", re.ASCII)
_READING = re.compile(r"(Describe|Get|List|Query)(?![a-z])", re.ASCII)


def parts_of(text: str) -> tuple[str, str, str] | None:
    """Name (maybe none), method and path of ``Name``, ``Name METHOD /path`` or ``METHOD /path``; None for all else."""
    found = _FORM.fullmatch(text.strip())
    if found is None or not (found[1] or found[3]):
        return None
    return found[1] or "", found[2] or "POST", found[3] or "/"


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
        name, method, path = parts_of(text) or ("", "", "")
        if not name or not _PATH.fullmatch(path) or set("{}") & set(_PLACEHOLDER.sub("", path)):
            raise ValueError(
                f"operation {text!r} is none: write 'Name', or 'Name METHOD /path' with {{placeholders}} and without a "
                "query, e.g. 'GetJobRun GET /api/v1/jobRuns/{jobRunId}'"
            )
        return cls(name, method, path)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the path's placeholders, in their order."""
        return tuple(dict.fromkeys(_PLACEHOLDER.findall(self.path)))

    @property
    def reads(self) -> bool:
        """True if it says that it changes nothing: a ``GET`` of a path, or an RPC Describe…, Get…, List…, Query…"""
        # An RPC may be called with GET whatever it does.
        return self.method == "GET" if self.path != "/" else _READING.match(self.name) is not None

    def filled(self, values: Mapping[str, Any]) -> str:
        """The path with these values in it, each in its own part; ``{project_id}`` stays.

        :raises ValueError: naming the placeholder whose value is missing, or is no part of a path.
        """

        def part(found: re.Match[str]) -> str:
            name = found[1]
            if name == PROJECT and name not in values:
                return found[0]
            if values.get(name) is None:
                raise ValueError(f"{self.name} needs {name!r}: it is a part of its path {self.path}")
            return path_part(name, values[name])

        return _PLACEHOLDER.sub(part, self.path)


def request_for(
    service: str,
    operation: str,
    /,
    *,
    version: str = "",
    body: Any = None,
    form: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    idempotent: bool | None = None,
    **given: Any,
) -> ApiRequest:
    """A call of any operation.

    :param service: what the service's hosts begin with.
    :param operation: as :meth:`Operation.of` takes it.
    :param version: the version of Alibaba Cloud's API.
    :param body: what to send as JSON.
    :param form: fields to send as a form; structures as JSON text.
    :param headers: further headers.
    :param idempotent: True if making it twice does no harm; None takes what the operation says of itself.
    :param given: all other keywords are the API's own parameters: those that the path names fill it, the others are
        the query; None means absent.
    :raises ValueError: naming what is wrong.
    """
    if not is_service(service):
        raise ValueError(f"service {service!r} is none: {SERVICES}")
    made = Operation.of(operation)
    query = {name: value for name, value in given.items() if name not in made.names}
    return ApiRequest(
        service,
        made.name,
        made.method,
        made.filled(given),
        parameters(**query),
        body,
        idempotent=made.reads if idempotent is None else idempotent,
        version=version,
        headers=headers or {},
        form=None if form is None else parameters(**form),
        lax=True,
    )
