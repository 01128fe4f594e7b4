# SPDX-License-Identifier: Apache-2.0
"""The default credential chain of Alibaba Cloud's SDK: what a process finds about itself without being told.

The links are the SDK's own and in its order (environment, OIDC, CLI profile, credentials file, ECS metadata,
credentials URI; https://www.alibabacloud.com/help/en/sdk/developer-reference/v2-manage-python-access-credentials), and
as in the SDK the link that gave a credential once is the one that is asked again. The SDK's chain object itself is not
used: it starts a scheduler thread even where nobody asks for the instance's role, believes for ever the environment
that it saw when it was imported, and forgets when a credential ends.

Its requests are its own: they know the environment's proxies, not the connection's ``proxy`` and ``ca_bundle``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from airflow_cloudjobs.connection.authentication import silence, words_of
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.transport.credential import Credential

Link = Callable[[], Any]
"""Makes a provider of the SDK (or a credential), or None where the environment does not ask for it."""


class DefaultChain:
    """Blocks; one user at a time."""

    def __init__(self) -> None:
        self._used = ""
        self._made: dict[str, Any] = {}

    def credential(self, old: Credential | None) -> Credential:
        """What the chain gives now.

        :param old: what it gave before and is not good enough any more; the SDK may still hold on to it.
        :raises CloudApiError: with what each link said.
        """
        names = (self._used,) if self._used else tuple(_LINKS)
        failures: list[str] = []
        passing = False
        for name in names:
            try:
                found = self._ask(name)
                if found is not None and old is not None and found.key == old.key:
                    self._made.pop(name, None)
                    found = self._ask(name)
            except Exception as error:  # the SDK raises whatever happens inside it
                self._made.pop(name, None)
                failures.append(f"{name}: {words_of(error)}")
                passing = passing or (_passing(error) and (name in _ASKED_FOR or bool(self._used)))
                continue
            if found is not None:
                self._used = name
                return found
        raise CloudApiError(
            f"the default chain gives no credential ({'; '.join(failures) or 'nothing is configured'})",
            kind=ErrorKind.TRANSIENT if passing else ErrorKind.DENIED,
            operation="default credential chain",
        )

    def _ask(self, name: str) -> Credential | None:
        if name not in self._made:
            self._made[name] = _LINKS[name]()
        provider = self._made[name]
        if provider is None or isinstance(provider, Credential):
            del self._made[name]  # it is what the environment says now
            return provider
        given = provider.get_credentials()
        return Credential(
            key=given.get_access_key_id(),
            secret=given.get_access_key_secret(),
            security_token=given.get_security_token() or "",
            expires=given.get_expiration(),
        )


def _environment() -> Credential | None:
    key, secret = _variable("ACCESS_KEY_ID"), _variable("ACCESS_KEY_SECRET")
    if not (key and secret):
        return None
    return Credential(key=key, secret=secret, security_token=_variable("SECURITY_TOKEN"))


def _oidc() -> Any:
    role, provider, file = _variable("ROLE_ARN"), _variable("OIDC_PROVIDER_ARN"), _variable("OIDC_TOKEN_FILE")
    if not (role and provider and file):
        return None
    return _providers().OIDCRoleArnCredentialsProvider(
        role_arn=role,
        oidc_provider_arn=provider,
        oidc_token_file_path=file,
        role_session_name=_variable("ROLE_SESSION_NAME") or None,
    )


def _cli_profile() -> Any:
    file = os.path.join(os.path.expanduser("~"), ".aliyun", "config.json")
    if _variable("CLI_PROFILE_DISABLED").lower() == "true" or not os.path.isfile(file):
        return None
    provider = _providers().CLIProfileCredentialsProvider(profile_name=_variable("PROFILE") or None)
    provider._profile_file = file  # an argument from 1.0.4 on only; what the SDK believes dates from its import
    return provider


def _credentials_file() -> Any:
    usual = os.path.join(os.path.expanduser("~"), ".alibabacloud", "credentials.ini")
    file = _variable("CREDENTIALS_FILE") or usual
    if not os.path.isfile(file):
        return None
    return _providers().ProfileCredentialsProvider(profile_file=file, profile_name=_variable("PROFILE") or "default")


def _instance() -> Any:
    if _variable("ECS_METADATA_DISABLED").lower() == "true":
        return None
    # An empty name would be asked for as such; the thread that renews ahead is not needed, since we do.
    return _providers().EcsRamRoleCredentialsProvider(
        role_name=_variable("ECS_METADATA") or None, async_update_enabled=False
    )


def _uri() -> Any:
    uri = _variable("CREDENTIALS_URI")
    return _providers().URLCredentialsProvider(uri=uri) if uri else None


_LINKS: dict[str, Link] = {
    "environment": _environment,
    "OIDC": _oidc,
    "CLI profile": _cli_profile,
    "credentials file": _credentials_file,
    "ECS metadata": _instance,
    "credentials URI": _uri,
}

_ASKED_FOR = frozenset(_LINKS) - {"ECS metadata"}
"""Links that are only tried where the environment or a file asks for them, so that no answer there is an outage."""


def _variable(name: str) -> str:
    return os.environ.get(f"ALIBABA_CLOUD_{name}", "").strip()


def _providers() -> Any:
    provider = import_module("alibabacloud_credentials.provider")
    silence("alibabacloud_credentials", "credentials")
    return provider


def _passing(error: Exception) -> bool:
    """True for trouble on the way and 5xx."""
    network = isinstance(error, OSError) or type(error).__name__ in ("RetryError", "UnretryableException")
    return network or re.search(r"(?i)(http_?|status )code\s*[:=]\s*(5\d\d|429)", str(error)) is not None
