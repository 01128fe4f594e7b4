# SPDX-License-Identifier: Apache-2.0
"""What a request carries besides its address: its body as bytes, and headers of the caller's own."""

from __future__ import annotations

import json
import re
from collections.abc import Container
from urllib.parse import urlencode

from airflow_cloudjobs.jobs.request import ApiRequest, plain

FORM = "application/x-www-form-urlencoded"

TRANSPORT_HEADERS = frozenset({"host", "authorization", "content-length", "transfer-encoding", "connection"})
"""What only the client may say, since it decides who is asked, by whom, and where a request ends."""

_NAME = re.compile(r"[A-Za-z0-9-]+").fullmatch
_VALUE = re.compile(r"[\x20-\x7e]*").fullmatch


def content(request: ApiRequest, json_type: str) -> tuple[bytes | None, str]:
    """A request's body and its ``Content-Type``; None and an empty text if it has none.

    :param json_type: the type of a JSON body.
    :raises ValueError: for more than one kind of body.
    :raises TypeError: for a body that holds what JSON cannot.
    """
    if request.body is None and request.form is None and request.file is None:
        return None, ""  # as polls are; looking at them one by one costs a part of a poll
    kinds = [kind for kind in ("body", "form", "file") if getattr(request, kind) is not None]
    if len(kinds) > 1:
        raise ValueError(f"{request.operation}: {' and '.join(map(repr, kinds))} are given; a request carries one")
    if request.file is not None:
        from urllib3.filepost import encode_multipart_formdata  # which polls do without

        part = (request.file.file_name, request.file.content, "application/octet-stream")
        return encode_multipart_formdata({request.file.name: part})
    if request.form is not None:
        return urlencode(sorted(request.form.items())).encode(), FORM
    return json.dumps(request.body, ensure_ascii=False, default=plain).encode(), json_type


def further_headers(request: ApiRequest, reserved: Container[str]) -> dict[str, str]:
    """A request's own headers, names in lower case.

    :param reserved: those that the client sets, in lower case, besides :data:`TRANSPORT_HEADERS`.
    :raises ValueError: naming the header that is reserved, stands twice, or cannot be signed as it would travel.
    """
    headers: dict[str, str] = {}
    for written, value in request.headers.items():
        name = written.lower()
        where = f"{request.operation}: header {written!r}"
        if not _NAME(written):
            raise ValueError(f"{where} is no name: allowed are letters, digits and '-'")
        if name in TRANSPORT_HEADERS or name in reserved:
            raise ValueError(f"{where} is set by the client; leave it out")
        if name in headers:
            raise ValueError(f"{where} stands twice")
        if not isinstance(value, str) or not _VALUE(value):
            # Headers travel as ASCII; a line break would begin another. The value may be a secret.
            raise ValueError(f"{where} has a value that is no line of ASCII text")
        headers[name] = value.strip()
    return headers
