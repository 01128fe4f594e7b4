# SPDX-License-Identifier: Apache-2.0
"""The asyncio driver of a call: what runs in a triggerer. Nothing here blocks the event loop."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
from aiohttp.connector import Connection
from multidict import istr
from yarl import URL

from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.transport.config import TransportConfig
from airflow_cloudjobs.transport.credential import Credential
from airflow_cloudjobs.transport.environment import proxy_for, trusted, trusting
from airflow_cloudjobs.transport.flow import CloudClient, DirectRequest, Flow, Renew
from airflow_cloudjobs.transport.message import HttpAnswer, HttpRequest
from airflow_cloudjobs.transport.no_answer import NoAnswer
from airflow_cloudjobs.transport.shared import Shared

POOL = 200
"""Connections that all waits on one transport use at most; each API's pollers use a quarter of them at most."""

_NO_TYPE = (istr("Content-Type"),)
"""What aiohttp would add to a POST without a body; the signature does not cover it."""

BIG = 1 << 20
"""Bytes; aiohttp warns of a bigger body that is written at once."""

DNS_LIFE = 60
"""Seconds for which a resolved host is believed."""


class AsyncCaller:
    """Calls one cloud's API from an event loop.

    :param client: the cloud.
    :param session: the session to send with, shared with others.
    """

    def __init__(self, client: CloudClient, session: aiohttp.ClientSession) -> None:
        self.client = client
        self._session = session
        self._renewing = asyncio.Lock()

    def call(self, request: ApiRequest) -> Coroutine[Any, Any, dict[str, Any]]:
        """Make one call, once.

        :return: the answer's JSON object, when awaited.
        :raises CloudApiError: if the call did not give one.
        """
        return self._run(self.client.call(request))

    async def _run(self, flow: Flow) -> Any:
        outcome: Any = None
        error: CloudApiError | None = None
        while True:
            try:
                effect = flow.throw(error) if error else flow.send(outcome)
            except StopIteration as stop:
                return stop.value
            outcome = error = None
            try:
                if isinstance(effect, HttpRequest):
                    outcome = await self._send(effect)
                elif isinstance(effect, Renew):
                    outcome = await self._renew(effect.old)
                else:
                    outcome = await asyncio.to_thread(effect.work)
            except CloudApiError as raised:
                error = raised

    async def _renew(self, old: Credential | None) -> Credential | None:
        async with self._renewing:
            if self.client.credential is old:
                self.client.credential = await self._run(self.client.authenticate())
            return self.client.credential

    async def _send(self, request: HttpRequest) -> HttpAnswer:
        transport = self.client.transport
        url = URL(request.url, encoded=True)
        host = url.raw_authority
        proxy = None if isinstance(request, DirectRequest) else proxy_for(url.scheme, host, transport)
        why = NoAnswer(request.operation, host, self.client.origin)
        try:
            answer = await self._session.request(
                request.method,
                url,
                headers=request.headers,
                data=_payload(request.body),
                proxy=proxy,
                skip_auto_headers=_NO_TYPE if request.body is None and request.method == "POST" else None,
                allow_redirects=False,
            )
            body = await answer.read()  # which lets go of the connection, however it ends
        except aiohttp.ClientProxyConnectionError:
            raise why.proxy(0, proxy or "") from None
        except aiohttp.ClientHttpProxyError as error:
            raise why.proxy(error.status, proxy or "") from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise why.tls(error.certificate_error) from None
        except aiohttp.ClientConnectorSSLError as error:
            raise why.tls(error.os_error) from None
        except ssl.SSLError as error:
            raise why.tls(error) from None
        except (aiohttp.InvalidURL, UnicodeError):
            raise why.no_host() from None
        except (_NotSent, aiohttp.ClientConnectorError) as error:
            raise why.no_connection(error, transport.connect_timeout) from None
        except aiohttp.ConnectionTimeoutError:
            raise why.connect_timeout(transport.connect_timeout) from None
        except TimeoutError:
            raise why.timeout(transport.read_timeout) from None
        except (aiohttp.ClientError, ConnectionError):
            raise why.lost() from None
        if proxy and answer.status == 407:
            raise why.proxy(407, proxy)
        # Its names are found in any case, so they are not copied.
        return HttpAnswer(answer.status, answer.headers, body, host)


def _payload(body: bytes | None) -> bytes | io.BytesIO | None:
    """A body as aiohttp should write it: a big one in pieces, between which other waits have their turn."""
    return io.BytesIO(body) if body and len(body) > BIG else body


class _NotSent(aiohttp.ClientError):
    """A connection that broke off before the request could be sent."""


class _Connector(aiohttp.TCPConnector):
    """Tells a connection that was never ready from one that broke under a request.

    aiohttp calls a proxy's tunnel that breaks off a lost connection, as if the request had been sent.
    """

    async def connect(self, *args: Any, **options: Any) -> Connection:
        """A connection that a request can be sent on."""
        try:
            return await super().connect(*args, **options)
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError):
            raise
        except (aiohttp.ClientError, ConnectionError) as error:
            raise _NotSent from error


async def _open_session(transport: TransportConfig) -> aiohttp.ClientSession:
    # Loading the trusted certificates takes tens of milliseconds of CPU and reads files.
    context = await asyncio.to_thread(tls_context, transport)
    return aiohttp.ClientSession(
        # The look-up of the blocking driver: another one, where aiodns is installed, has errors and hosts of its own.
        connector=_Connector(limit=POOL, ssl=context, ttl_dns_cache=DNS_LIFE, resolver=aiohttp.ThreadedResolver()),
        # One timer for all of a call, and one more until there is a connection, if none is kept: a place in the pool,
        # looking the host up, handshake, tunnel. One for each of the reads would cost a tenth of a poll.
        timeout=aiohttp.ClientTimeout(total=transport.read_timeout, connect=transport.connect_timeout),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "airflow-provider-cloudjobs"},
        trust_env=False,
    )


def tls_context(transport: TransportConfig) -> ssl.SSLContext:
    """The TLS settings of a transport; reads files."""
    if not transport.verify:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    _, bundle = trusted(transport)
    if not bundle:
        import certifi  # what the blocking driver trusts, so that both trust the same

        bundle = certifi.where()
    return trusting(bundle)


_sessions: Shared[TransportConfig, aiohttp.ClientSession] = Shared(aiohttp.ClientSession.close)


def session_for(transport: TransportConfig) -> AbstractAsyncContextManager[aiohttp.ClientSession]:
    """The session that all users of a transport share on this event loop.

    :param transport: how to reach the hosts.
    """
    return _sessions.use(transport, lambda: _open_session(transport))
