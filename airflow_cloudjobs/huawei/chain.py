# SPDX-License-Identifier: Apache-2.0
"""The default credential chain of Huawei Cloud's SDK: what a process finds about itself without being told.

The links are the SDK's own and in its order (OIDC by STS, environment, profile file, ECS metadata, pod identity;
huaweicloudsdkcore.auth.provider). The SDK's chain object itself is not used: an instance without a metadata service
breaks it before its last link, and an ID token that it has read once is never read again.

Its requests are its own, with the connection's ``proxy``, ``ca_bundle``, ``verify`` and time limits.
"""

from __future__ import annotations

import calendar
import logging
import os
import time
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_cloudjobs.connection.authentication import words_of
from airflow_cloudjobs.huawei.settings import HuaweiSettings
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.transport.credential import Credential

_LINKS = {
    "OIDC": "OidcStsCredentialProvider",
    "environment": "EnvCredentialProvider",
    "profile file": "ProfileCredentialProvider",
    "ECS metadata": "MetadataCredentialProvider",
    "pod identity": "PodIdentityCredentialProvider",
}
"""The providers of the SDK; older ones lack the first and the last."""


class DefaultChain:
    """Blocks; one user at a time.

    :param settings: the connection, for the hosts and the transport of its requests.
    """

    def __init__(self, settings: HuaweiSettings) -> None:
        self._settings = settings
        self._used = ""

    def credential(self, old: Credential | None) -> Credential:
        """What the chain gives now; asked anew each time, so that files and environment are as they are now.

        :param old: what it gave before; None if it never gave one.
        :raises CloudApiError: with what each link said.
        """
        from huaweicloudsdkcore.auth import credentials, provider

        if not hasattr(credentials.BasicCredentials, "_expired_at"):
            # Newer ones want one version of pymongo and no other, which an Airflow with its constraints may not have.
            raise CloudApiError(
                "auth 'default' needs huaweicloudsdkcore 3.1.212 or newer: pip install --upgrade huaweicloudsdkcore",
                kind=ErrorKind.DENIED,
                operation="default credential chain",
            )
        failures: list[str] = []
        passing = False
        for name in (self._used,) if self._used else tuple(_LINKS):
            maker = getattr(provider, _LINKS[name], None)
            if maker is None:
                continue
            try:
                found = self._asked(maker.get_basic())
            except Exception as error:  # the SDK raises whatever happens inside it
                failures.append(f"{name}: {words_of(error)}")
                # No answer of the metadata service means only that this is no instance, unless it gave one before.
                passing = passing or (_passing(error) and (name != "ECS metadata" or old is not None))
                continue
            self._used = name
            return found
        raise CloudApiError(
            f"the default chain gives no credential ({'; '.join(failures)})",
            kind=ErrorKind.TRANSIENT if passing else ErrorKind.DENIED,
            operation="default credential chain",
        )

    def _asked(self, link: Any) -> Credential:
        given = link.get_credentials()
        if not given.iam_endpoint and not os.environ.get("HUAWEICLOUD_SDK_IAM_ENDPOINT"):
            given.with_iam_endpoint(self._settings.endpoint("iam"))
        client = self._http_client()
        try:
            given.process_sts(client)
        finally:
            client.executor.shutdown(wait=False)
        return Credential(
            key=given.ak,
            secret=given.sk,
            security_token=given.security_token or "",
            project_id=given.project_id or "",
            expires=_moment(given._expired_at) if given.sts_accessor else None,
        )

    def _http_client(self) -> Any:
        from huaweicloudsdkcore.exceptions.exception_handler import DefaultExceptionHandler
        from huaweicloudsdkcore.http.http_client import HttpClient
        from huaweicloudsdkcore.http.http_config import HttpConfig

        transport = self._settings.transport
        config = HttpConfig(
            ignore_ssl_verification=not transport.verify,
            ssl_ca_cert=transport.ca_bundle,
            timeout=(transport.connect_timeout, transport.read_timeout),
        )
        if transport.proxy:
            proxy = urlsplit(transport.proxy)
            config.proxy_protocol = proxy.scheme
            config.proxy_host = proxy.hostname
            config.proxy_port = proxy.port
            config.proxy_user = unquote(proxy.username or "") or None
            config.proxy_password = unquote(proxy.password or "") or None
        return HttpClient(config, None, DefaultExceptionHandler(), logging.getLogger(__name__))


def _moment(local: float | None) -> float | None:
    """The SDK's time of expiry, which is UTC read as local time, as seconds since the epoch."""
    return calendar.timegm(time.localtime(local)) if local else None


def _passing(error: Exception) -> bool:
    """True for trouble on the way, 5xx and one call too many."""
    from huaweicloudsdkcore.exceptions import exceptions

    # A host that is not reached, a handshake and a time limit have classes of their own.
    on_the_way = (OSError, exceptions.ConnectionException, exceptions.RequestTimeoutException)
    status = getattr(error, "status_code", None) or 0
    return isinstance(error, on_the_way) or status >= 500 or status == 429
