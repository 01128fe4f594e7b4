# SPDX-License-Identifier: Apache-2.0
"""How a Huawei Cloud connection comes to a credential and a project, mode by mode.

Sources: user token (https://support.huaweicloud.com/intl/en-us/api-iam/iam_30_0001.html), token by an OpenID Connect ID
token (https://support.huaweicloud.com/intl/en-us/api-iam/iam_13_0606.html), temporary AK and SK
(https://support.huaweicloud.com/intl/en-us/api-iam/iam_04_0002.html), metadata of an instance
(https://support.huaweicloud.com/intl/en-us/usermanual-ecs/ecs_03_0166.html), projects
(https://support.huaweicloud.com/intl/en-us/api-iam/iam_06_0001.html).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from airflow_cloudjobs.connection.authentication import (
    METADATA_TOKEN_LIFE,
    metadata,
    temporary,
    token_from_file,
    with_context,
)
from airflow_cloudjobs.huawei.chain import DefaultChain
from airflow_cloudjobs.huawei.fields import FIELDS
from airflow_cloudjobs.huawei.settings import Agency, HuaweiSettings, IamUser, IdToken
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.transport.credential import Credential
from airflow_cloudjobs.transport.flow import Blocking, CloudClient, Flow, hidden
from airflow_cloudjobs.transport.message import HttpAnswer, HttpRequest
from airflow_cloudjobs.transport.parsing import parse_timestamp

KEY_LIFE = 6 * 3600
"""Seconds for which a temporary AK and SK are asked for, as the vendor's SDK does; IAM allows 900 to 86400."""

LIST_PROJECTS = "KeystoneListProjects"
TOKEN_BY_PASSWORD = "KeystoneCreateUserTokenByPassword"  # noqa: S105 - an operation's name
TOKEN_BY_ID_TOKEN = "CreateTokenWithIdToken"  # noqa: S105 - an operation's name
TEMPORARY_KEY = "CreateTemporaryAccessKeyByToken"
INSTANCE_AGENCY = "agency of the instance"


def obtain(client: CloudClient, settings: HuaweiSettings, chain: DefaultChain) -> Flow:
    """A credential by the mode of the connection, with the project that requests are for.

    :param client: signs and reads where IAM is asked.
    :param settings: the connection.
    :param chain: what ``auth`` ``default`` asks.
    """
    source = settings.source
    fields = FIELDS.to_check(settings.auth)
    if isinstance(source, IamUser):
        login, fields = _token_of_user(client, settings, source), FIELDS.to_check(settings.auth, "region")
    elif isinstance(source, IdToken):
        login = _key_by_id_token(client, settings, source)
    elif isinstance(source, Agency):
        login, fields = _key_of_instance(settings.endpoint("metadata")), "whether the instance has an agency"
    elif source is not None:
        login = _from_chain(chain, client.credential)
        fields = "the environment and the profile file of the process that runs this"
    else:
        login = _own_key(settings.credential or Credential())
    return (yield from with_context(_with_project(client, settings, login), settings, fields))


def _own_key(credential: Credential) -> Flow:
    yield from ()
    return credential


def _with_project(client: CloudClient, settings: HuaweiSettings, login: Flow) -> Flow:
    """The login's credential with a project: its own, the connection's, or the one that has the region's name."""
    credential: Credential = yield from login
    before = client.credential.project_id if client.credential else ""
    project_id = settings.project_id or credential.project_id or before
    if project_id:
        return replace(credential, project_id=project_id)
    region = settings.region
    request = ApiRequest("iam", LIST_PROJECTS, "GET", "/v3/projects", {"name": region}, idempotent=True)
    data = yield from client.send_signed(request, credential)
    ids = [project["id"] for project in data.get("projects") or () if project.get("name") == region]
    if len(ids) != 1:
        found = "no project" if not ids else f"{len(ids)} projects"
        raise CloudApiError(
            f"IAM lists {found} named {region!r} for this AK",
            kind=ErrorKind.INVALID,
            operation=LIST_PROJECTS,
            http_status=200,
            hint=f"Check {settings.region_origin}, or give 'project_id' in the extra of {settings.conn_id!r}",
        )
    return replace(credential, project_id=ids[0])


def _token_of_user(client: CloudClient, settings: HuaweiSettings, user: IamUser) -> Flow:
    project = {"id": settings.project_id} if settings.project_id else {"name": settings.region}
    who = {"domain": {"name": user.domain}, "name": user.name, "password": user.password}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": who}},
            "scope": {"project": project},
        }
    }
    url = f"{settings.endpoint('iam')}/v3/auth/tokens?nocatalog=true"
    data, token = yield from _call_iam(client, TOKEN_BY_PASSWORD, url, body, {}, user.password)
    described = data.get("token") or {}
    project_id = (described.get("project") or {}).get("id", "")
    if not (token and project_id):
        raise CloudApiError(
            "IAM's answer has no token for a project",
            kind=ErrorKind.INVALID,
            operation=TOKEN_BY_PASSWORD,
            hint=f"Check 'region' and 'project_id' of connection {settings.conn_id!r}",
        )
    return Credential(session_token=token, project_id=project_id, expires=parse_timestamp(described.get("expires_at")))


def _key_by_id_token(client: CloudClient, settings: HuaweiSettings, source: IdToken) -> Flow:
    """The ID token gives an unscoped token, and that one a temporary key, which the services accept."""
    iam = settings.endpoint("iam")
    id_token = yield from token_from_file(settings, "id_token_file", source.file)
    _, token = yield from _call_iam(
        client,
        TOKEN_BY_ID_TOKEN,
        f"{iam}/v3.0/OS-AUTH/id-token/tokens",
        {"auth": {"id_token": {"id": id_token}}},
        {"X-Idp-Id": source.idp_id},
        id_token,
    )
    identity = {"methods": ["token"], "token": {"id": token, "duration_seconds": KEY_LIFE}}
    url = f"{iam}/v3.0/OS-CREDENTIAL/securitytokens"
    data, _ = yield from _call_iam(client, TEMPORARY_KEY, url, {"auth": {"identity": identity}}, {}, token)
    return _temporary(TEMPORARY_KEY, data)


def _key_of_instance(base: str) -> Flow:
    absent = "The metadata service gives no credential: is an agency for ECS attached to this instance?"
    token = yield from metadata(
        INSTANCE_AGENCY,
        "PUT",
        f"{base}/meta-data/latest/api/token",
        {"X-Metadata-Token-Ttl-Seconds": str(METADATA_TOKEN_LIFE)},
        absent,
        optional=True,  # some regions know only the service without tokens
    )
    headers = {"X-Metadata-Token": token} if token else {}
    text = yield from metadata(INSTANCE_AGENCY, "GET", f"{base}/openstack/latest/securitykey", headers, absent)
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    return _temporary(INSTANCE_AGENCY, data)


def _from_chain(chain: DefaultChain, old: Credential | None) -> Flow:
    credential: Credential = yield Blocking(lambda: chain.credential(old))
    return credential


def _call_iam(
    client: CloudClient, operation: str, url: str, body: Any, headers: Mapping[str, str], secret: str
) -> Flow:
    """One request to IAM that proves who asks by its body.

    :return: the answer's JSON object, and the token in its header ``X-Subject-Token`` (empty if there is none).
    """
    sent = {"Host": urlsplit(url).netloc, "Content-Type": "application/json;charset=utf8", **headers}
    answer: HttpAnswer = yield HttpRequest(operation, "POST", url, sent, json.dumps(body).encode())
    try:
        return client.read(ApiRequest("iam", operation), answer), answer.headers.get("x-subject-token", "")
    except CloudApiError as raised:
        error = hidden(raised, secret)
    if error.http_status == 401:
        # Asking again with the same proof may lock the account.
        error = error.but(kind=ErrorKind.DENIED, hint="")
    raise error


def _temporary(operation: str, data: Any) -> Credential:
    inner = data.get("credential") if isinstance(data, dict) else None
    return temporary(operation, inner, "access", "secret", "securitytoken", "expires_at")
