# SPDX-License-Identifier: Apache-2.0
"""Huawei Cloud's calls: signature SDK-HMAC-SHA256 or an IAM token, and the project they are for.

Sources: https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html (signature),
https://support.huaweicloud.com/intl/en-us/api-iam/iam_30_0001.html (token),
https://support.huaweicloud.com/intl/en-us/api-iam/iam_06_0001.html (projects).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from airflow_cloudjobs.connection.authentication import RENEWAL_DID_NOT_HELP
from airflow_cloudjobs.huawei import errors
from airflow_cloudjobs.huawei.chain import DefaultChain
from airflow_cloudjobs.huawei.credentials import obtain
from airflow_cloudjobs.huawei.settings import HuaweiSettings, IamUser
from airflow_cloudjobs.huawei.signature import UNSIGNED, authorization, canonical_query
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind, leaves_open
from airflow_cloudjobs.jobs.request import ApiRequest, encoded
from airflow_cloudjobs.transport.content import content, further_headers
from airflow_cloudjobs.transport.credential import Credential
from airflow_cloudjobs.transport.flow import CloudClient, Flow
from airflow_cloudjobs.transport.message import HttpAnswer, HttpRequest
from airflow_cloudjobs.transport.parsing import first_present, format_utc, json_answer

JSON = "application/json"

RESERVED = frozenset({"content-type", "x-sdk-date", "x-sdk-content-sha256", "x-security-token", "x-auth-token"})
"""The headers that no request sets itself; a project or a workspace it may name."""


class HuaweiClient(CloudClient):
    """Calls of Huawei Cloud.

    :param settings: the connection.
    :raises InvalidConnection: for a file that it names and that cannot be used.
    """

    def __init__(self, settings: HuaweiSettings) -> None:
        settings.check_files()
        super().__init__(settings.transport, settings.origin)
        self.settings = settings
        self.renewable = settings.source is not None
        if isinstance(settings.source, IamUser):
            # An IAM token lives for 24 hours, and the vendor advises to renew it early.
            self.renew_ahead = 3600.0
        self._chain = DefaultChain(settings)

    def authenticate(self) -> Flow:
        """The connection's key, or what its mode gives for now, with the project that requests are for."""
        return self.with_cooldown(obtain(self, self.settings, self._chain))

    def sign(self, request: ApiRequest, credential: Credential) -> HttpRequest:
        """By key: a signature over a minimal set of headers. By token: none.

        :raises ValueError: for a request of Alibaba Cloud's style, or with a header that it may not set.
        """
        if request.version or request.path == "/":
            raise ValueError(
                f"{request.operation}: calls of Huawei Cloud have a path with their version: give 'Name METHOD /path', "
                "and no 'version'"
            )
        base = self.settings.endpoint(request.service)
        body, content_type = content(request, JSON)
        headers = {"Host": base.partition("://")[2], "Content-Type": content_type or JSON}
        if credential.project_id and request.service != "iam":
            headers["X-Project-Id"] = credential.project_id
        if request.headers:
            headers = _overlaid(headers, further_headers(request, RESERVED))
        path = request.path.replace("{project_id}", encoded(credential.project_id))
        query = canonical_query(request.query)
        if credential.session_token:
            headers["X-Auth-Token"] = credential.session_token
        else:
            headers["X-Sdk-Date"] = date = format_utc(int(self.now()), "%Y%m%dT%H%M%SZ")
            if credential.security_token:
                headers["X-Security-Token"] = credential.security_token
            payload = sha256(body or b"").hexdigest()
            if content_type and content_type != JSON:
                headers["X-Sdk-Content-Sha256"] = UNSIGNED
                payload = UNSIGNED if body else payload
            headers["Authorization"] = authorization(
                request.method, path, query, headers, payload, date, credential.key, credential.secret
            )
        url = f"{base}{path}?{query}" if query else base + path
        return HttpRequest(request.operation, request.method, url, headers, body)

    def read(self, request: ApiRequest, answer: HttpAnswer) -> Any:
        """An error is a status of 400 and more, or ``is_success: false`` under HTTP 200.

        The mere presence of ``error_code`` is none: successful answers of DLI carry a null one.
        """
        data = json_answer(request, answer)
        if not isinstance(data, dict):
            return data
        request_id = answer.headers.get("x-request-id", "")
        if answer.status < 400 and data.get("is_success") is not False:
            data.setdefault("request_id", request_id)
            return data
        code, message = _code_and_message(data)
        kind = errors.classify(code, answer.status, message)
        hint = errors.hint(code, kind, request.service, request.operation)
        hint = hint or self.settings.where_hint(request.service, answer.status)
        if self.renewable and (kind is ErrorKind.EXPIRED or errors.of_a_stale_credential(code)):
            kind = ErrorKind.EXPIRED
            hint = RENEWAL_DID_NOT_HELP
        raise CloudApiError(
            message or "no message",
            kind=kind,
            operation=request.operation,
            code=code,
            request_id=first_present(data, "request_id") or request_id,
            http_status=answer.status,
            retry_after=answer.retry_after(self.now()),
            ambiguous=leaves_open(kind, answer.status),
            hint=hint,
        )


def _overlaid(ours: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Headers of the client with those of a request, which win; names in any case are the same."""
    return {name: value for name, value in ours.items() if name.lower() not in more} | dict(more)


_ENVELOPES = (
    ("error_code", "error_msg"),
    ("errorCode", "errorMsg"),
    ("errCode", "externalMessage"),  # CDM
    ("code", "message"),
)


def _code_and_message(data: Mapping[str, Any]) -> tuple[str, str]:
    """Code and message in any of the envelopes that Huawei Cloud's services use."""
    for code, message in _ENVELOPES:
        if data.get(code) is not None or data.get(message) is not None:
            return first_present(data, code), first_present(data, message, "error_msg", "message", "title")
    nested = next((value for value in data.values() if isinstance(value, Mapping)), None)
    return _code_and_message(nested) if nested else ("", "")
