# SPDX-License-Identifier: Apache-2.0
"""Alibaba Cloud's calls, RPC and ROA: signature V3 (ACS3-HMAC-SHA256) and the two forms of its errors.

Source: https://help.aliyun.com/document_detail/159972.htm (request structure and signature V3).
"""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Any

from airflow_cloudjobs.alibaba import errors
from airflow_cloudjobs.alibaba.chain import DefaultChain
from airflow_cloudjobs.alibaba.credentials import obtain
from airflow_cloudjobs.alibaba.settings import AlibabaSettings
from airflow_cloudjobs.alibaba.signature import authorization
from airflow_cloudjobs.connection.authentication import RENEWAL_DID_NOT_HELP
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind, leaves_open
from airflow_cloudjobs.jobs.request import ApiRequest, encoded
from airflow_cloudjobs.transport.content import content, further_headers
from airflow_cloudjobs.transport.credential import Credential
from airflow_cloudjobs.transport.flow import CloudClient, Flow
from airflow_cloudjobs.transport.message import LONGEST_RETRY_AFTER, HttpAnswer, HttpRequest
from airflow_cloudjobs.transport.parsing import first_present, format_utc, json_answer

EMPTY_BODY = sha256(b"").hexdigest()

VERSIONS = {"dms-enterprise": "2018-11-01", "ice": "2020-11-09", "sts": "2015-04-01"}
"""The API version of each service that we speak; of every other the request says it."""

RESERVED = frozenset(
    {
        "content-type",
        "x-acs-action",
        "x-acs-version",
        "x-acs-date",
        "x-acs-signature-nonce",
        "x-acs-content-sha256",
        "x-acs-accesskey-id",
        "x-acs-security-token",
    }
)
"""The headers that no request sets itself."""


class AlibabaClient(CloudClient):
    """Calls of Alibaba Cloud.

    :param settings: the connection.
    :raises InvalidConnection: for a file that it names and that cannot be used.
    """

    def __init__(self, settings: AlibabaSettings) -> None:
        settings.check_files()
        super().__init__(settings.transport, settings.origin)
        self.settings = settings
        self.renewable = settings.source is not None
        self._chain = DefaultChain()

    def authenticate(self) -> Flow:
        """The connection's key, or what its mode gives for now."""
        return self.with_cooldown(obtain(self, self.settings, self._chain))

    def sign(self, request: ApiRequest, credential: Credential) -> HttpRequest:
        """RPC and ROA are signed alike, and sent as the vendor's SDK sends them; nothing is in a body unless asked for.

        :raises ValueError: for a request whose version is unknown, with a file, or with a header that it may not set.
        """
        if request.file is not None:
            raise ValueError(f"{request.operation}: no call of Alibaba Cloud carries a file in a form")
        if "{" in request.path:
            raise ValueError(f"{request.operation}: its path {request.path} has a placeholder that nothing fills")
        base = self.settings.endpoint(request.service)
        query = dict(request.query)
        if request.service == "dms-enterprise" and self.settings.tid:
            query.setdefault("Tid", self.settings.tid)
        headers = {
            "host": base.partition("://")[2],
            "accept": "application/json",
            "x-acs-action": request.operation,
            "x-acs-version": request.version or _known_version(request),
            "x-acs-date": format_utc(int(self.now()), "%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": secrets.token_hex(16),
        }
        body, kind = content(request, "application/json; charset=utf-8")
        if kind:
            headers["content-type"] = kind
        headers["x-acs-content-sha256"] = payload = EMPTY_BODY if body is None else sha256(body).hexdigest()
        if credential.security_token:
            headers["x-acs-accesskey-id"] = credential.key
            headers["x-acs-security-token"] = credential.security_token
        if request.headers:
            headers |= further_headers(request, RESERVED)
        pairs = "&".join([f"{encoded(name)}={encoded(query[name])}" for name in sorted(query)])
        headers["Authorization"] = authorization(
            request.method, request.path, pairs, headers, payload, credential.key, credential.secret
        )
        url = f"{base}{request.path}?{pairs}" if pairs else base + request.path
        return HttpRequest(request.operation, request.method, url, headers, body)

    def read(self, request: ApiRequest, answer: HttpAnswer) -> Any:
        """An error is a status of 400 and more, or ``Success: false`` (of ROA ``success``) under HTTP 200.

        The mere presence of ``ErrorCode`` is none: successful answers of DMS carry ``UnknownError``.
        """
        data = json_answer(request, answer)
        if not isinstance(data, dict):
            return data
        if answer.status < 400 and data.get("Success") is not False and data.get("success") is not False:
            return data
        code = first_present(data, "Code", "ErrorCode", "code", "errorCode")
        message = first_present(data, "Message", "ErrorMessage", "message", "errorMessage") or "no message"
        message = message.partition(" server string to sign is")[0]  # the whole request, which no reader compares
        kind = errors.classify(code, answer.status)
        hint = errors.hint(code, request.service, request.operation)
        hint = hint or self.settings.where_hint(request.service, answer.status)
        if self.renewable and errors.of_a_temporary_key(code):
            kind = ErrorKind.EXPIRED
            # STS is asked with what the connection holds, all others with what a login gave.
            hint = hint if request.service == "sts" else RENEWAL_DID_NOT_HELP
        raise CloudApiError(
            message,
            kind=kind,
            operation=request.operation,
            code=code,
            request_id=first_present(data, "RequestId", "requestId"),
            http_status=answer.status,
            retry_after=answer.retry_after(self.now()) or _throttled_for(answer),
            ambiguous=leaves_open(kind, answer.status),
            hint=hint,
        )


def _known_version(request: ApiRequest) -> str:
    version = VERSIONS.get(request.service)
    if version is None:
        raise ValueError(
            f"{request.operation}: the API version of {request.service!r} is not known here; give it as 'version', "
            "e.g. version='2014-05-26' for 'ecs' (it stands in the address of the API's page)"
        )
    return version


def _throttled_for(answer: HttpAnswer) -> float | None:
    """Seconds in ``x-acs-retry-after``, which the vendor's SDK reads as milliseconds."""
    value = answer.headers.get("x-acs-retry-after", "")
    return min(int(value) / 1000, LONGEST_RETRY_AFTER) if value.isdecimal() and int(value) > 0 else None
