# SPDX-License-Identifier: Apache-2.0
"""What to ask of a cloud, before it has a host, a credential and a signature."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from airflow_cloudjobs.jobs.many import as_list, is_sequence


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file to send as the one part of a ``multipart/form-data`` body.

    It holds the content, since the APIs that take files take small ones, and since what was checked is sent then, by
    every attempt.

    :param name: the form field's name.
    :param file_name: the file's name, without its folder.
    :param content: what is in it.
    """

    name: str
    file_name: str
    content: bytes = field(repr=False)


@dataclass(slots=True)
class ApiRequest:
    """One call of a cloud's API. One is made for each poll; frozen, that would cost three times as much.

    :param service: the vendor's short name of the service, the first part of its host (``dli``).
    :param operation: the vendor's name of the operation; for Alibaba Cloud it is sent, for Huawei Cloud
        it is the SDK's name and only for people.
    :param method: the HTTP method; ``POST`` for nearly every RPC operation of Alibaba Cloud.
    :param path: the path, its parts encoded (:func:`path_part`): ``/`` for Alibaba Cloud's RPC, any other for its ROA;
        ``{project_id}`` in it stands for the project of a Huawei Cloud credential.
    :param query: query parameters as text; None values are left out by :func:`parameters`.
    :param body: what to send as JSON, or None.
    :param file: a file to send as a form, or None.
    :param idempotent: True if making the call twice does no harm, so that it may be repeated where its fate is unknown.
    :param version: the version of Alibaba Cloud's API; empty for the services whose version the client knows.
    :param headers: further headers, which are signed too; see :func:`further_headers`.
    :param form: fields to send as ``application/x-www-form-urlencoded``, as text, or None.
    :param lax: True if an answer may also be a JSON list, or empty where it is no ``GET``'s; else that is no answer.
    :param exact: True reads numbers with a point as ``Decimal``: a float is not all that the answer says.
    :param raw: True if the answer is a file, which is given as its bytes: a small one, since it is held whole.
    """

    service: str
    operation: str
    method: str = "POST"
    path: str = "/"
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = field(default=None, repr=False)
    file: FormFile | None = None
    idempotent: bool = False
    version: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    lax: bool = False
    exact: bool = False
    raw: bool = False


_as_it_is = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch
_path_as_it_is = re.compile(r"[A-Za-z0-9_.~/-]*").fullmatch


SERVICES = "a service is what its hosts begin with, of small letters, digits and '-', e.g. 'ecs' or 'dli'"


@lru_cache(maxsize=256)
def is_service(name: str) -> bool:
    """True for what can be the name of a service; a host begins with it, so nothing else may."""
    return re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name) is not None


def encoded(text: str) -> str:
    """A part of a path, or a name or value of a query, as it travels: percent-encoded but for unreserved characters."""
    # Nearly all are so already, and looking costs a tenth of encoding.
    return text if _as_it_is(text) else quote(text, safe="~")


def encoded_path(path: str) -> str:
    """A path as it travels; its slashes stay."""
    return path if _path_as_it_is(path) else quote(path, safe="~/")


def path_part(name: str, value: Any) -> str:
    """A value as one part of a path, which it cannot leave: encoded, its slashes too.

    :param name: what it is, for the message.
    :param value: text, or what :func:`as_text` makes text of.
    :raises ValueError: for what is no part of a path: nothing, ``.`` and ``..``.
    """
    text = "" if value is None else as_text(value)
    if text in ("", ".", ".."):
        raise ValueError(f"{name!r} is {text!r}, which cannot be a part of a path: it must name something")
    return encoded(text)


def parameters(**values: Any) -> dict[str, str]:
    """Request parameters as the text that travels: without the absent ones, structures as compact JSON.

    :param values: parameters by the API's own names; None means absent.
    """
    return {name: as_text(value) for name, value in values.items() if value is not None}


def as_text(value: Any) -> str:
    """One parameter as text: JSON for structures, ``true``/``false`` for booleans, else its ``str``.

    :raises TypeError: for a structure that holds what JSON cannot.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping) or is_sequence(value):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=plain)
    return str(value)


def plain(value: Any) -> Any:
    """What JSON has no form of its own for, as that which it has one for; raises TypeError for all else."""
    if isinstance(value, Mapping):
        return dict(value)
    if is_sequence(value):
        return as_list(value)
    raise TypeError(f"a {type(value).__name__} is neither text, number, list nor mapping")
