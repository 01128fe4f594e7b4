# SPDX-License-Identifier: Apache-2.0
"""The server: in a thread (:class:`LocalCloud`), or blocking for the command line (:func:`serve`)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import uvicorn

from airflow_cloudjobs.localcloud.connections import Connection, alibaba_connection, huawei_connection
from airflow_cloudjobs.localcloud.control import Control
from airflow_cloudjobs.localcloud.serving import Application
from airflow_cloudjobs.localcloud.sockets import Connections, watched_protocol
from airflow_cloudjobs.localcloud.state import Settings, State


class LocalCloud:
    """Both clouds on a port of this machine, as a context manager, with a memory of their own.

    :param job_seconds: time a job takes, in seconds, unless a plan or its input says otherwise.
    :param host: address to listen on.
    :param port: port to listen on; a free one if 0.
    :param tls_cert: file with the certificate, to speak TLS; not encrypted if None.
    :param tls_key: file with its key.
    :param settings: further settings by name, see ``state.Settings``.
    """

    def __init__(
        self,
        *,
        job_seconds: float = 6.0,
        host: str = "127.0.0.1",
        port: int = 0,
        tls_cert: str | None = None,
        tls_key: str | None = None,
        **settings: Any,
    ) -> None:
        self._settings = Settings().changed({"job_seconds": job_seconds, **settings})
        self.host = host
        self.port = port
        self._tls = (tls_cert, tls_key)
        self.schema = "https" if tls_cert else "http"

    @property
    def url(self) -> str:
        """Where the clouds are, for example ``http://127.0.0.1:40123``."""
        return f"{self.schema}://{self.host}:{self.port}"

    @property
    def control(self) -> Control:
        """The client of the control API."""
        return Control(self.url, ca_file=self._tls[0])

    def alibaba_connection(self, **extra: Any) -> Connection:
        """An Airflow connection to Alibaba Cloud, in Airflow's JSON form.

        :param extra: further fields of its extra.
        """
        return alibaba_connection(self.host, self.port, self.schema, **extra)

    def huawei_connection(self, auth: str = "aksk", **extra: Any) -> Connection:
        """An Airflow connection to Huawei Cloud, in Airflow's JSON form.

        :param auth: how to log in; ``token`` gives the IAM user and password instead of the access key.
        :param extra: further fields of its extra, and ``conn_type``: ``huawei_cloudjobs``, or ``huawei_dli``.
        """
        return huawei_connection(self.host, self.port, self.schema, auth, **extra)

    def __enter__(self) -> Self:
        started = threading.Event()
        listener = _listen(self.host, self.port)
        self.port = listener.getsockname()[1]
        self._server = _server(self._settings, *self._tls, on_start=started.set)
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name=f"localcloud-{self.port}", daemon=True
        )
        self._thread.start()
        while not started.wait(0.05):
            if not self._thread.is_alive():
                raise RuntimeError("the local clouds did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    tls_cert: str | None = None,
    tls_key: str | None = None,
    on_start: Callable[[str, int, str], None] | None = None,
    **settings: Any,
) -> None:
    """Serve both clouds until Ctrl-C or SIGTERM.

    :param host: address to listen on.
    :param port: port to listen on; a free one if 0.
    :param tls_cert: file with the certificate, to speak TLS; not encrypted if None.
    :param tls_key: file with its key.
    :param on_start: called with host, port and schema as soon as the server answers.
    :param settings: settings by name, see ``state.Settings``.
    """
    listener = _listen(host, port)
    bound: int = listener.getsockname()[1]
    schema = "https" if tls_cert else "http"

    def tell() -> None:
        if on_start is not None:
            on_start(host, bound, schema)

    server = _server(Settings().changed(settings), tls_cert, tls_key, on_start=tell)
    try:
        server.run([listener])
    except KeyboardInterrupt:
        # uvicorn has shut down in order and raises the signal again; for the caller this is the normal end.
        return


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_start()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP outright, because asyncio turns Nagle's delay off only for sockets that say so.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def _server(
    settings: Settings, tls_cert: str | None, tls_key: str | None, on_start: Callable[[], None]
) -> uvicorn.Server:
    connections = Connections()
    config = uvicorn.Config(
        Application(State(settings), connections),
        http=watched_protocol(connections),
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        # Answers carry the date of the clouds' own clock, and faults find their connection by the client's
        # address.
        date_header=False,
        server_header=False,
        proxy_headers=False,
        backlog=4096,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
    )
    return _Server(config, on_start)
