# SPDX-License-Identifier: Apache-2.0
"""The transport below requests, which tells a connection that was not made from a request that got no answer, and logs
no arguments.

urllib3 calls a TLS handshake or a proxy's tunnel that hangs a read timeout, and one that breaks off a lost connection,
as if the request had been sent. Whether it was decides whether it may be repeated.
"""

from __future__ import annotations

import logging
import threading
from http.client import HTTPException
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from airflow_cloudjobs.transport.environment import trusting_as_before


class Adapter(HTTPAdapter):
    """Sends each request once, and silently where certificates are not checked: the hook has said that already."""

    def __init__(self) -> None:
        # No retries below us: an attempt must be signed anew, and whether to repeat is not the transport's to say.
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools for hosts that are asked directly."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The pools for hosts behind a proxy."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, *args: Any, **options: Any) -> Any:
        """Send a request and read its answer."""
        _this_thread.sends = True
        try:
            return super().send(*args, **options)
        finally:
            _this_thread.sends = False


_this_thread = threading.local()


class _WithoutArguments(logging.Filter):
    """Cuts the arguments off the addresses of our own calls: signed addresses of others are among them."""

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(_this_thread, "sends", False) and isinstance(record.args, tuple):
            record.args = tuple(each.partition("?")[0] if isinstance(each, str) else each for each in record.args)
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_WithoutArguments())


class _Connection(HTTPSConnection):
    _bundle: str | None = None
    """The certificates that are trusted."""

    def connect(self) -> None:
        """Connect, or say that nothing was sent."""
        self._take_certificates()
        try:
            super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no tunnel or handshake") from error
        except (ConnectionError, HTTPException) as error:
            raise NewConnectionError(self, "no tunnel or handshake") from error
        # All that this does by now is to keep urllib3 from warning, with each new connection, where certificates are
        # not checked: they were checked above if the transport has them checked.
        self.is_verified = True

    def _take_certificates(self) -> None:
        """Have the certificates as they were read before; urllib3 would read them for each connection."""
        self._bundle = self.ca_certs or self.ca_cert_dir or self._bundle
        if self._bundle and not (self.proxy and self.proxy.scheme == "https"):  # whose own handshake needs them too
            self.ssl_context = trusting_as_before(self._bundle)
            self.ca_certs = self.ca_cert_dir = None


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


_POOLS: dict[str, type[ConnectionPool]] = {"http": HTTPConnectionPool, "https": _Pool}
