# SPDX-License-Identifier: Apache-2.0
"""What a process's environment says about reaching hosts, read in one place for blocking and asyncio waits."""

from __future__ import annotations

import ipaddress
import os
import ssl
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from airflow_cloudjobs.transport.config import TransportConfig


def proxy_for(scheme: str, host: str, transport: TransportConfig) -> str | None:
    """The proxy's address, or None for a direct connection.

    :param scheme: ``http`` or ``https``.
    :param host: where a request goes, with its port if it names one.
    :param transport: its ``proxy`` wins over ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``.
    """
    if transport.proxy:
        return transport.proxy
    return _from_environment(scheme, host)


@lru_cache(maxsize=256)
def _from_environment(scheme: str, host: str) -> str | None:
    # The environment is read once per host: a process does not change its proxies while it runs.
    proxies = getproxies_environment()
    if proxy_bypass(host.rpartition("@")[2]) or _in_network(host, proxies.get("no", "")):
        return None
    proxy = proxies.get(scheme) or proxies.get("all")
    # Half of all documents write it without its scheme.
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def _in_network(host: str, no_proxy: str) -> bool:
    """True if the host is an address in one of the networks of ``NO_PROXY`` (``10.0.0.0/8``), which Python ignores."""
    try:
        address = ipaddress.ip_address(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
    for entry in no_proxy.split(","):
        try:
            if address in ipaddress.ip_network(entry.strip(), strict=False):
                return True
        except ValueError:
            continue  # a name
    return False


def trusted(transport: TransportConfig) -> tuple[str, str]:
    """Who says which certificates are trusted, and where those are; both empty if nobody says so.

    :param transport: its ``ca_bundle`` wins over the variables that requests, curl and OpenSSL read.
    """
    if transport.ca_bundle:
        return "ca_bundle", transport.ca_bundle
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    return next(((name, os.environ[name]) for name in names if os.environ.get(name)), ("", ""))


def trusting(bundle: str) -> ssl.SSLContext:
    """The TLS settings that trust these certificates alone; reads files, and takes tens of milliseconds of CPU.

    :param bundle: a PEM file, or a folder of certificates, which requests takes wherever it takes a file.
    :raises OSError: if there are none.
    """
    if os.path.isdir(bundle):
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)


def trusting_as_before(bundle: str) -> ssl.SSLContext:
    """The same, made once and again when the files change: what each new connection asks for.

    Not for asyncio: urllib3 changes it where it checks hosts' names itself, as with pyOpenSSL.

    :param bundle: as for :func:`trusting`.
    :raises OSError: if there are none.
    """
    now = os.stat(bundle)
    return _made_of(bundle, (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns))


@lru_cache(maxsize=16)
def _made_of(bundle: str, version: tuple[int, ...]) -> ssl.SSLContext:
    return trusting(bundle)
