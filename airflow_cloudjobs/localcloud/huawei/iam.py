# SPDX-License-Identifier: Apache-2.0
"""Identity and Access Management v3: user tokens, tokens by ID token, temporary keys, projects, domains."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from airflow_cloudjobs.localcloud.accounts import HUAWEI_IDP_ID, IAM_DOMAIN, IAM_PASSWORD, IAM_USER, project_id
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei.rest import answer, json_object
from airflow_cloudjobs.localcloud.operation import Operation

DOMAIN_ID = project_id("domain/" + IAM_DOMAIN)
_USER_ID = project_id("user/" + IAM_USER)
_DOMAIN = {"id": DOMAIN_ID, "name": IAM_DOMAIN}


def create_token(call: Call) -> Answer:
    """KeystoneCreateUserTokenByPassword: a token for a project or the domain, in ``X-Subject-Token``."""
    auth = _object(json_object(call, ""), "auth")
    identity = _object(auth, "identity")
    if identity.get("methods") != ["password"]:
        raise _bad('the only supported method is "password"')
    user = _object(_object(identity, "password"), "user")
    domain = _object(user, "domain")
    given = (domain.get("name"), user.get("name"), user.get("password"))
    for name, value in zip(("user.domain.name", "user.name", "user.password"), given, strict=True):
        if not isinstance(value, str) or not value:
            raise _bad(f"{name} is required")
    if given != (IAM_DOMAIN, IAM_USER, IAM_PASSWORD) or call.state.accounts.refuses("huawei"):
        raise Refused(401, "401", "The username or password is wrong.")
    project = _project(call, auth.get("scope"))
    now = call.state.clock.shown()
    token = call.state.accounts.issue_token(project, now + call.state.settings.token_seconds)
    body: dict[str, Any] = {
        "expires_at": _time(token.expires_at),
        "issued_at": _time(now),
        "methods": ["password"],
        "roles": [{"id": "0", "name": "te_admin"}],
        "user": {"domain": _DOMAIN, "id": _USER_ID, "name": IAM_USER, "password_expires_at": ""},
    }
    if project:
        body["project"] = {"domain": _DOMAIN, "id": project, "name": call.state.accounts.projects[project]}
    else:
        body["domain"] = _DOMAIN
    if not call.parameters.get("nocatalog"):
        body["catalog"] = [_catalog_entry(service) for service in ("dli", "drs", "iam")]
    return answer(call, {"token": body}, 201, {"X-Subject-Token": token.value})


def create_token_by_id_token(call: Call) -> Answer:
    """CreateTokenWithIdToken: an unscoped token for the bearer of an identity provider's token."""
    if call.received.header("x-idp-id") != HUAWEI_IDP_ID:
        raise Refused(404, "404", "Could not find the identity provider.")
    given = _object(_object(json_object(call, ""), "auth"), "id_token").get("id")
    expires = call.state.accounts.id_tokens.get(str(given))
    now = call.state.clock.shown()
    if expires is None or now >= expires:
        raise Refused(401, "401", "The ID token is invalid." if expires is None else "The ID token has expired.")
    if call.state.accounts.refuses("huawei"):
        raise Refused(403, "403", "You are not authorized to perform the requested action.")
    token = call.state.accounts.issue_token("", now + call.state.settings.token_seconds)
    body = {
        "expires_at": _time(token.expires_at),
        "issued_at": _time(now),
        "methods": ["mapped"],
        "user": {"domain": _DOMAIN, "id": _USER_ID, "name": "FederationUser"},
    }
    return answer(call, {"token": body}, 201, {"X-Subject-Token": token.value})


def create_temporary_key(call: Call) -> Answer:
    """CreateTemporaryAccessKeyByToken: a temporary key for whoever has a token."""
    identity = _object(_object(json_object(call, ""), "auth"), "identity")
    if identity.get("methods") != ["token"]:
        raise _bad('the only supported method is "token"')
    given = identity.get("token") or {}
    token = call.state.accounts.tokens.get(given.get("id") or call.received.header("x-auth-token"))
    if token is None or call.state.clock.shown() >= token.expires_at:
        raise Refused(401, "401", "The request you have made requires authentication.")
    seconds = given.get("duration_seconds", 900)
    if not isinstance(seconds, int) or not 900 <= seconds <= 86_400:
        raise _bad("duration_seconds must be an integer from 900 to 86400")
    return answer(call, {"credential": handed_out(call, seconds)}, 201)


def handed_out(call: Call, seconds: float) -> dict[str, str]:
    """A new temporary key under the names that IAM and the metadata service use.

    :param call: the call that asks for it.
    :param seconds: its life; less if the settings say less.
    """
    life = min(seconds, call.state.settings.key_seconds)
    key = call.state.accounts.issue_key("huawei", call.state.clock.shown() + life)
    return {
        "access": key.access_key,
        "secret": key.secret,
        "securitytoken": key.security_token,
        "expires_at": _time(key.expires_at or 0.0),
    }


def list_projects(call: Call) -> Answer:
    """KeystoneListProjects: the projects of the account, or the one of a name; each region has one."""
    name = call.parameters.get("name", "")
    projects = [_project_body(i, n) for i, n in call.state.accounts.projects.items() if not name or n == name]
    return answer(call, {"links": {"self": call.received.base_url + "/v3/projects"}, "projects": projects})


def list_auth_projects(call: Call) -> Answer:
    """KeystoneListAuthProjects: the projects the caller can use."""
    projects = [_project_body(i, n) for i, n in call.state.accounts.projects.items()]
    return answer(call, {"links": {"self": call.received.base_url + "/v3/auth/projects"}, "projects": projects})


def list_auth_domains(call: Call) -> Answer:
    """KeystoneListAuthDomains: the account of the caller."""
    domain = {"description": "", "enabled": True, "id": DOMAIN_ID, "links": {}, "name": IAM_DOMAIN}
    return answer(call, {"domains": [domain], "links": {"self": call.received.base_url + "/v3/auth/domains"}})


def error_body(status: int, message: str) -> dict[str, object]:
    """IAM's own envelope of an error, in which the code is a number.

    :param status: HTTP status.
    :param message: the message.
    """
    return {"error": {"code": status, "message": message, "title": HTTPStatus(status).phrase}}


ROUTES = (
    (
        "POST",
        "/v3/auth/tokens",
        Operation("huawei", "iam", "KeystoneCreateUserTokenByPassword", "login", create_token),
    ),
    (
        "POST",
        "/v3.0/OS-AUTH/id-token/tokens",
        Operation("huawei", "iam", "CreateTokenWithIdToken", "login", create_token_by_id_token),
    ),
    (
        "POST",
        "/v3.0/OS-CREDENTIAL/securitytokens",
        Operation("huawei", "iam", "CreateTemporaryAccessKeyByToken", "login", create_temporary_key),
    ),
    ("GET", "/v3/projects", Operation("huawei", "iam", "KeystoneListProjects", "read", list_projects)),
    (
        "GET",
        "/v3/auth/projects",
        Operation("huawei", "iam", "KeystoneListAuthProjects", "read", list_auth_projects),
    ),
    (
        "GET",
        "/v3/auth/domains",
        Operation("huawei", "iam", "KeystoneListAuthDomains", "read", list_auth_domains),
    ),
)


def _bad(why: str) -> Refused:
    return Refused(400, "400", f"Request parameter is invalid: {why}.")


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise _bad(f"{name} is required")
    return value


def _project(call: Call, scope: Any) -> str:
    """The id of the project a token is asked for; empty if it is asked for the whole domain."""
    if scope is None:
        return ""
    if not isinstance(scope, dict) or len({"project", "domain"} & set(scope)) != 1:
        raise _bad("scope is either project or domain")
    if "domain" in scope:
        return ""
    project = _object(scope, "project")
    accounts = call.state.accounts
    if project.get("name"):
        if found := accounts.project(str(project["name"])):
            return found
        raise Refused(401, "401", f"Could not find project: {project['name']}.")
    identifier = project.get("id")
    if not identifier:
        raise _bad("scope.project needs an id or a name")
    if identifier not in accounts.projects:
        raise Refused(401, "401", f"Could not find project: {identifier}.")
    return str(identifier)


def _project_body(identifier: str, name: str) -> dict[str, Any]:
    return {
        "description": "",
        "domain_id": DOMAIN_ID,
        "enabled": True,
        "id": identifier,
        "is_domain": False,
        "links": {},
        "name": name,
        "parent_id": DOMAIN_ID,
    }


def _catalog_entry(service: str) -> dict[str, Any]:
    return {"endpoints": [], "id": project_id(service), "name": service, "type": service}


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
