# SPDX-License-Identifier: Apache-2.0
"""The blocking driver of a call: what runs on a worker."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.transport.adapter import Adapter
from airflow_cloudjobs.transport.config import TransportConfig
from airflow_cloudjobs.transport.credential import Credential
from airflow_cloudjobs.transport.environment import proxy_for, trusted
from airflow_cloudjobs.transport.flow import Blocking, CloudClient, DirectRequest, Flow, Renew
from airflow_cloudjobs.transport.message import HttpAnswer, HttpRequest
from airflow_cloudjobs.transport.no_answer import NoAnswer


class SyncCaller:
    """Calls one cloud's API and waits for each answer, over one kept connection.

    :param client: the cloud.
    """

    def __init__(self, client: CloudClient) -> None:
        self.client = client
        self._session = _session(client.transport)
        self._renewing = threading.Lock()

    def call(self, request: ApiRequest) -> dict[str, Any]:
        """Make one call, once.

        :return: the answer's JSON object.
        :raises CloudApiError: if the call did not give one.
        """
        answer: dict[str, Any] = self._run(self.client.call(request))
        return answer

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()

    def __enter__(self) -> SyncCaller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, flow: Flow) -> Any:
        outcome: Any = None
        error: CloudApiError | None = None
        while True:
            try:
                effect = flow.throw(error) if error else flow.send(outcome)
            except StopIteration as stop:
                return stop.value
            outcome = error = None
            try:
                outcome = self._done(effect)
            except CloudApiError as raised:
                error = raised

    def _done(self, effect: HttpRequest | Renew | Blocking) -> Any:
        if isinstance(effect, HttpRequest):
            return self._send(effect)
        return self._renew(effect.old) if isinstance(effect, Renew) else effect.work()

    def _renew(self, old: Credential | None) -> Credential | None:
        with self._renewing:
            if self.client.credential is old:
                self.client.credential = self._run(self.client.authenticate())
            return self.client.credential

    def _send(self, request: HttpRequest) -> HttpAnswer:
        with self.opened(request) as answer:
            received = {name.lower(): value for name, value in answer.headers.items()}
            return HttpAnswer(answer.status_code, received, answer.content, urlsplit(request.url).netloc)

    @contextmanager
    def opened(self, request: HttpRequest) -> Iterator[requests.Response]:
        """Send a request as it is, and give the answer while its body is still to come.

        :param request: what to send; nothing is signed here.
        :raises CloudApiError: there is no answer, or it breaks off while its body is read.
        """
        transport = self.client.transport
        where = urlsplit(request.url)
        host = where.netloc
        proxy = None if isinstance(request, DirectRequest) else proxy_for(where.scheme, host, transport)
        headers: dict[str, str | bytes] = dict(request.headers)
        why = NoAnswer(request.operation, host, self.client.origin)
        try:
            with self._session.request(
                request.method,
                request.url,
                headers=headers,
                data=request.body,
                timeout=(transport.connect_timeout, transport.read_timeout),
                proxies={"http": proxy, "https": proxy} if proxy else {},
                allow_redirects=False,
                stream=True,
            ) as answer:
                if proxy and answer.status_code == 407:
                    raise why.proxy(407, proxy)
                yield answer
        except requests.exceptions.ProxyError as error:
            found = re.search(r"Tunnel connection failed: (\d{3})", str(error))
            raise why.proxy(int(found[1]) if found else 0, proxy or "") from None
        except requests.exceptions.SSLError as error:
            raise why.tls(_inner(error, ssl.SSLError) or error) from None
        except requests.exceptions.ConnectTimeout:
            raise why.connect_timeout(transport.connect_timeout) from None
        except requests.exceptions.Timeout:
            raise why.timeout(transport.read_timeout) from None
        except _NO_HOST:
            raise why.no_host() from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._broken(why, error) from None

    def _broken(self, why: NoAnswer, error: Exception) -> CloudApiError:
        """A request that was not sent, or whose answer did not come whole."""
        reason = _reason(error)
        if isinstance(reason, _NO_CONNECTION):
            return why.no_connection(reason, self.client.transport.connect_timeout)
        if isinstance(reason, urllib3.exceptions.ReadTimeoutError):
            return why.timeout(self.client.transport.read_timeout)
        return why.lost()


def _session(transport: TransportConfig) -> requests.Session:
    session = requests.Session()
    # Proxies come from the transport, and .netrc must not replace our Authorization header.
    session.trust_env = False
    session.headers.clear()
    session.headers["User-Agent"] = "airflow-provider-cloudjobs"
    session.verify = (trusted(transport)[1] or True) if transport.verify else False
    adapter = Adapter()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


_NO_CONNECTION = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.NameResolutionError,
    urllib3.exceptions.ConnectTimeoutError,
)
_NO_HOST = (requests.exceptions.InvalidURL, urllib3.exceptions.LocationParseError)


def _inner(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    """The error of a kind that others have been wrapped around."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, kind):
        wrapped = (getattr(seen, "reason", None), *seen.args)
        seen = next((item for item in wrapped if isinstance(item, BaseException)), None)
    return seen


def _reason(error: Exception) -> object:
    """What urllib3 says behind an error of requests, which does not tell unsent from unanswered."""
    inner = error.args[0] if error.args else None
    return getattr(inner, "reason", None) or inner
