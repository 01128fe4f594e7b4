# SPDX-License-Identifier: Apache-2.0
"""How an Alibaba Cloud connection comes to a credential, mode by mode.

Sources: AssumeRole and AssumeRoleWithOIDC of STS 2015-04-01
(https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerole, ...-assumerolewithoidc),
instance metadata in security hardening mode (https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata),
the credential chain of the vendor's SDK (alibabacloud_credentials).
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from airflow_cloudjobs.alibaba.chain import DefaultChain
from airflow_cloudjobs.alibaba.fields import FIELDS
from airflow_cloudjobs.alibaba.settings import AlibabaSettings, AssumedRole, CredentialsUri, InstanceRole, OidcRole
from airflow_cloudjobs.connection.authentication import (
    METADATA_TOKEN_LIFE,
    credentials_uri,
    metadata,
    temporary,
    token_from_file,
    with_context,
)
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.request import ApiRequest, parameters
from airflow_cloudjobs.transport.credential import Credential
from airflow_cloudjobs.transport.flow import Blocking, CloudClient, Flow, hidden
from airflow_cloudjobs.transport.message import HttpRequest

ROLE_LIFE = 3600
"""Seconds for which a role is taken on: the default of STS, and the most that every role allows."""

ASSUME_ROLE = "AssumeRole"
ASSUME_ROLE_WITH_OIDC = "AssumeRoleWithOIDC"
INSTANCE_ROLE = "RAM role of the instance"
CREDENTIALS_URI = "credentials URI"


def obtain(client: CloudClient, settings: AlibabaSettings, chain: DefaultChain) -> Flow:
    """A credential by the mode of the connection.

    :param client: signs and reads where a mode asks the cloud's API.
    :param settings: the connection.
    :param chain: what ``auth`` ``default`` asks.
    """
    source = settings.source
    if source is None:
        return settings.credential
    if isinstance(source, AssumedRole):
        login = _assume_role(client, settings, source)
    elif isinstance(source, OidcRole):
        login = _assume_role_with_oidc(client, settings, source)
    elif isinstance(source, InstanceRole):
        login = _instance_role(settings.endpoint("metadata"), source)
    elif isinstance(source, CredentialsUri):
        login = _credentials_uri(source)
    else:
        login = _from_chain(chain, client.credential)
    fields = FIELDS.to_check(settings.auth) or "the environment and the profile files of the process that runs this"
    return (yield from with_context(login, settings, fields))


def _assume_role(client: CloudClient, settings: AlibabaSettings, role: AssumedRole) -> Flow:
    request = ApiRequest(
        "sts",
        ASSUME_ROLE,
        query=parameters(
            RoleArn=role.arn,
            RoleSessionName=role.session_name,
            DurationSeconds=ROLE_LIFE,
            ExternalId=role.external_id or None,
        ),
        idempotent=True,
    )
    data = yield from client.send_signed(request, settings.credential)
    return _temporary(ASSUME_ROLE, data.get("Credentials"))


def _assume_role_with_oidc(client: CloudClient, settings: AlibabaSettings, role: OidcRole) -> Flow:
    """Unsigned: the token proves who asks. It is sent in the body, since proxies log what is in a URL."""
    token = yield from token_from_file(settings, "oidc_token_file", role.token_file)
    base = settings.endpoint("sts")
    query = {
        "Action": ASSUME_ROLE_WITH_OIDC,
        "Version": "2015-04-01",
        "Format": "JSON",
        "SignatureNonce": uuid.uuid4().hex,
        "Timestamp": datetime.fromtimestamp(client.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    form = parameters(
        RoleArn=role.arn,
        OIDCProviderArn=role.provider_arn,
        OIDCToken=token,
        RoleSessionName=role.session_name,
        DurationSeconds=ROLE_LIFE,
    )
    answer = yield HttpRequest(
        ASSUME_ROLE_WITH_OIDC,
        "POST",
        f"{base}/?{urlencode(query, quote_via=quote)}",
        {
            "Host": urlsplit(base).netloc,
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        urlencode(form, quote_via=quote).encode(),
    )
    try:
        data = client.read(ApiRequest("sts", ASSUME_ROLE_WITH_OIDC), answer)
    except CloudApiError as raised:
        error = hidden(raised, token)
    else:
        return _temporary(ASSUME_ROLE_WITH_OIDC, data.get("Credentials"))
    raise error


def _instance_role(base: str, role: InstanceRole) -> Flow:
    """Only in security hardening mode: a request without a token could be forged by whoever makes us fetch a URL."""
    absent = "The metadata service gives no credential: is a RAM role attached to this instance?"
    token = yield from metadata(
        INSTANCE_ROLE,
        "PUT",
        f"{base}/latest/api/token",
        {"X-aliyun-ecs-metadata-token-ttl-seconds": str(METADATA_TOKEN_LIFE)},
        absent,
    )
    headers = {"X-aliyun-ecs-metadata-token": token}
    roles = f"{base}/latest/meta-data/ram/security-credentials/"
    name = role.name
    if not name:
        text = yield from metadata(INSTANCE_ROLE, "GET", roles, headers, absent)
        name = text.partition("\n")[0].strip()
    text = yield from metadata(INSTANCE_ROLE, "GET", roles + quote(name, safe=""), headers, absent)
    return _handed_out(INSTANCE_ROLE, _json(text))


def _credentials_uri(source: CredentialsUri) -> Flow:
    data = yield from credentials_uri(CREDENTIALS_URI, source.uri)
    return _handed_out(CREDENTIALS_URI, data)


def _from_chain(chain: DefaultChain, old: Credential | None) -> Flow:
    credential: Credential = yield Blocking(lambda: chain.credential(old))
    return credential


def _handed_out(operation: str, data: Any) -> Credential:
    """A credential beside a ``Code`` that says whether it is one."""
    code = data.get("Code") if isinstance(data, dict) else None
    if code != "Success":
        raise CloudApiError(
            f"the answer's Code is {code!r}, not 'Success'", kind=ErrorKind.DENIED, operation=operation, code="<form>"
        )
    return _temporary(operation, data)


def _temporary(operation: str, data: Any) -> Credential:
    return temporary(operation, data, "AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
