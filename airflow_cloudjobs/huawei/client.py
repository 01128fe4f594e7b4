# SPDX-License-Identifier: Apache-2.0
"""Huawei Cloud's calls: signature SDK-HMAC-SHA256 or an IAM token, and the project they are for.

Sources: https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html (signature),
https://support.huaweicloud.com/intl/en-us/api-iam/iam_30_0001.html (token),
https://support.huaweicloud.com/intl/en-us/api-iam/iam_06_0001.html (projects).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from airflow_cloudjobs.http.exchange import CloudClient, Credential, Exchange, first, json_object
from airflow_cloudjobs.http.message import HttpAnswer, HttpRequest
from airflow_cloudjobs.huawei import errors
from airflow_cloudjobs.huawei.settings import HuaweiSettings, IamUser
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.request import ApiRequest

LIST_PROJECTS = "KeystoneListProjects"
LOGIN = "KeystoneCreateUserTokenByPassword"


class HuaweiClient(CloudClient):
    """Calls of Huawei Cloud.

    :param settings: the connection.
    """

    renew_ahead = 3600.0
    """An IAM token lives for 24 hours; the vendor advises to renew it early."""

    def __init__(self, settings: HuaweiSettings) -> None:
        super().__init__(settings.wire)
        self.settings = settings
        self.renewable = settings.user is not None

    def login(self) -> Exchange:
        """A credential with its project: the key's project is looked up, a user's comes with the token."""
        if self.settings.user is not None:
            credential = yield from self._login_user(self.settings.user)
            return credential
        credential = self.settings.credential or Credential()
        if credential.project_id:
            return credential
        request = ApiRequest(
            "iam", LIST_PROJECTS, "GET", "/v3/projects", {"name": self.settings.region}, read_only=True
        )
        answer = yield self.sign(request, credential)
        data = self.read(request, answer)
        ids = [project["id"] for project in data.get("projects") or () if project.get("name") == self.settings.region]
        if len(ids) != 1:
            found = "no project" if not ids else f"{len(ids)} projects"
            raise CloudApiError(
                f"IAM lists {found} named {self.settings.region!r} for this AK",
                kind=ErrorKind.INVALID,
                operation=LIST_PROJECTS,
                http_status=answer.status,
                hint=f"Give 'project_id' in the extra of connection {self.settings.conn_id!r}, or check its 'region'",
            )
        return replace(credential, project_id=ids[0])

    def _login_user(self, user: IamUser) -> Exchange:
        settings = self.settings
        project = {"id": settings.project_id} if settings.project_id else {"name": settings.region}
        who = {"domain": {"name": user.domain}, "name": user.name, "password": user.password}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": who}},
                "scope": {"project": project},
            }
        }
        base = settings.endpoint("iam")
        answer = yield HttpRequest(
            LOGIN,
            "POST",
            f"{base}/v3/auth/tokens?nocatalog=true",
            {"Content-Type": "application/json;charset=utf8", "Host": urlsplit(base).netloc},
            json.dumps(body).encode(),
        )
        request = ApiRequest("iam", LOGIN)
        try:
            token = self.read(request, answer).get("token") or {}
        except CloudApiError as error:
            if error.http_status == 401:
                # Asking again with the same password may lock the account.
                error.kind = ErrorKind.DENIED
                error.hint = f"Check login, password and 'domain' of connection {settings.conn_id!r}"
            raise
        session_token = answer.headers.get("x-subject-token", "")
        project_id = (token.get("project") or {}).get("id", "")
        if not (session_token and project_id):
            raise CloudApiError(
                "IAM's answer has no token for a project",
                kind=ErrorKind.INVALID,
                operation=LOGIN,
                http_status=answer.status,
                hint=f"Check 'region' and 'project_id' of connection {settings.conn_id!r}",
            )
        return Credential(session_token=session_token, project_id=project_id, expires=_moment(token.get("expires_at")))

    def sign(self, request: ApiRequest, credential: Credential) -> HttpRequest:
        """By key: the vendor's signature over a minimal set of headers. By token: no signature."""
        base = self.settings.endpoint(request.service)
        scheme, host = base.split("://", 1)
        boundary = uuid.uuid4().hex if request.file else ""
        headers = {
            "Host": host,
            "Content-Type": f"multipart/form-data; boundary={boundary}" if boundary else "application/json",
        }
        if credential.project_id and request.service != "iam":
            headers["X-Project-Id"] = credential.project_id
        body = None if request.body is None else json.dumps(request.body, ensure_ascii=False).encode()
        signed = SdkRequest(
            method=request.method,
            schema=scheme,
            host=host,
            resource_path=request.path.replace("{project_id}", credential.project_id),
            query_params=list(request.query.items()),
            header_params=headers,
            # The signer hashes an empty body as such even where the payload is left unsigned; a form never is empty.
            body=body or (boundary.encode() if boundary else b""),
        )
        if credential.session_token:
            headers["X-Auth-Token"] = credential.session_token
            Signer.process_request_uri(signed)
        else:
            headers["X-Sdk-Date"] = datetime.fromtimestamp(self.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
            if credential.security_token:
                headers["X-Security-Token"] = credential.security_token
            Signer(SimpleNamespace(ak=credential.key, sk=credential.secret)).sign(signed)
        return HttpRequest(
            request.operation, request.method, f"{base}{signed.uri}", headers, body, request.file, boundary
        )

    def read(self, request: ApiRequest, answer: HttpAnswer) -> dict[str, Any]:
        """An error is a status of 400 and more, or ``is_success: false`` under HTTP 200.

        The mere presence of ``error_code`` is none: successful answers of DLI carry a null one.
        """
        data = json_object(request.operation, answer)
        request_id = answer.headers.get("x-request-id", "")
        if answer.status < 400 and data.get("is_success") is not False:
            data.setdefault("request_id", request_id)
            return data
        code, message = _code_and_message(data)
        kind = errors.classify(code, answer.status, message)
        raise CloudApiError(
            message or "no message",
            kind=kind,
            operation=request.operation,
            code=code,
            request_id=first(data, "request_id") or request_id,
            http_status=answer.status,
            retry_after=answer.retry_after(self.now()),
            ambiguous=answer.status >= 500,
            hint=errors.hint(code, kind) or self.settings.where_hint(request.service, answer.status),
        )


def _code_and_message(data: Mapping[str, Any]) -> tuple[str, str]:
    """Code and message in any of the envelopes that Huawei Cloud's services use."""
    for code, message in (("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message")):
        if data.get(code) is not None or data.get(message) is not None:
            return first(data, code), first(data, message, "error_msg", "message", "title")
    nested = next((value for value in data.values() if isinstance(value, Mapping)), None)
    return _code_and_message(nested) if nested else ("", "")


def _moment(text: Any) -> float | None:
    """IAM's time stamp as seconds since the epoch; None if it is no such thing."""
    try:
        moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
