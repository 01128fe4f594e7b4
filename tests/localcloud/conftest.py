# SPDX-License-Identifier: Apache-2.0
"""Requests to the local clouds signed by the vendors' own functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
import requests
from alibabacloud_tea_openapi.utils import Utils
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from airflow_cloudjobs.localcloud import LocalCloud, accounts

Sign = Callable[..., requests.PreparedRequest]
Send = Callable[[requests.PreparedRequest], requests.Response]


@pytest.fixture
def send() -> Iterator[Send]:
    with requests.Session() as session:
        session.trust_env = False
        yield lambda request: session.send(request, timeout=5)


@pytest.fixture
def sign_alibaba(cloud: LocalCloud) -> Sign:
    """A signed call of an RPC operation; the caller may spoil it before it is sent."""

    def sign(
        action: str,
        version: str = "2018-11-01",
        *,
        form: str = "",
        access_key: str = accounts.ALIBABA_ACCESS_KEY,
        secret: str = accounts.ALIBABA_SECRET,
        token: str = "",
        date: str | None = None,
        nonce: str | None = None,
        **parameters: str,
    ) -> requests.PreparedRequest:
        body = form.encode()
        headers = {
            "host": f"{cloud.host}:{cloud.port}",
            "x-acs-action": action,
            "x-acs-version": version,
            "x-acs-date": date or Utils.get_timestamp(),
            "x-acs-signature-nonce": nonce or Utils.get_nonce(),
            "x-acs-content-sha256": Utils.hash(body, "ACS3-HMAC-SHA256").hex(),
            "accept": "application/json",
        }
        if form:
            headers["content-type"] = "application/x-www-form-urlencoded"
        if token:
            headers["x-acs-security-token"] = token
        request = SimpleNamespace(method="POST", pathname="/", query=parameters, headers=headers)
        headers["Authorization"] = Utils.get_authorization(
            request, "ACS3-HMAC-SHA256", headers["x-acs-content-sha256"], access_key, secret
        )
        query = "&".join(f"{name}={quote(value, safe='~')}" for name, value in parameters.items())
        return requests.Request("POST", f"{cloud.url}/?{query}", headers, data=body or None).prepare()

    return sign


@pytest.fixture
def sign_huawei(cloud: LocalCloud) -> Sign:
    """A signed call of a REST operation, ``{project}`` in the path being the default project."""

    def sign(
        method: str,
        path: str,
        body: Any = None,
        *,
        query: tuple[tuple[str, str], ...] = (),
        access_key: str = accounts.HUAWEI_ACCESS_KEY,
        secret: str = accounts.HUAWEI_SECRET,
        token: str = "",
        date: str = "",
        content_type: str = "application/json",
    ) -> requests.PreparedRequest:
        headers = {"Content-Type": content_type}
        if token:
            headers["X-Security-Token"] = token
        if date:
            headers["X-Sdk-Date"] = date
        payload = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        path = path.replace("{project}", accounts.project_id(accounts.DEFAULT_HUAWEI_REGION))
        request = SdkRequest(
            method=method,
            schema="http",
            host=f"{cloud.host}:{cloud.port}",
            resource_path=path,
            query_params=list(query),
            header_params=headers,
            body=payload,
        )
        signed = Signer(SimpleNamespace(ak=access_key, sk=secret)).sign(request)
        url = f"{cloud.url}{signed.uri}"
        return requests.Request(method, url, signed.header_params, data=payload).prepare()

    return sign
