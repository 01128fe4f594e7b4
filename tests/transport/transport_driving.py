# SPDX-License-Identifier: Apache-2.0
"""One request through each of the two drivers, and what came of it in a form that can be compared."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.transport.aio import AsyncCaller, session_for
from airflow_cloudjobs.transport.flow import CloudClient
from airflow_cloudjobs.transport.sync import SyncCaller

Outcome = dict[str, Any] | CloudApiError


def dms_poll(key: str) -> ApiRequest:
    """The poll of a DMS upload."""
    return ApiRequest("dms-enterprise", "GetUserUploadFileJob", query={"JobKey": key}, idempotent=True)


def ice_poll(*keys: str) -> ApiRequest:
    """The poll of some ICE uploads."""
    return ApiRequest("ice", "GetUrlUploadInfos", query={"JobIds": ",".join(keys)}, idempotent=True)


def dli_poll(key: str) -> ApiRequest:
    """The poll of a SQL job."""
    path = f"/v1.0/{{project_id}}/jobs/{key}/status"
    return ApiRequest("dli", "ShowSqlJobStatus", "GET", path, idempotent=True)


def drs_poll(key: str) -> ApiRequest:
    """The poll of a template import."""
    path = f"/v5/{{project_id}}/jobs/{key}/db-object/template/progress"
    return ApiRequest("drs", "ShowDbObjectTemplateProgress", "GET", path, idempotent=True)


def call_sync(client: CloudClient, request: ApiRequest) -> Outcome:
    """What the blocking driver makes of a request."""
    with SyncCaller(client) as caller:
        try:
            return caller.call(request)
        except CloudApiError as error:
            return error


def call_async(client: CloudClient, request: ApiRequest) -> Outcome:
    """What the asyncio driver makes of a request."""
    [outcome] = asyncio.run(call_at_once(client, [request]))
    return outcome


async def call_at_once(client: CloudClient, requests: Sequence[ApiRequest]) -> list[Outcome]:
    """Many requests at the same time by one asyncio driver."""
    async with session_for(client.transport) as session:
        caller = AsyncCaller(client, session)
        came = await asyncio.gather(*(caller.call(request) for request in requests), return_exceptions=True)
    for outcome in came:
        if isinstance(outcome, BaseException) and not isinstance(outcome, CloudApiError):
            raise outcome
    return came  # type: ignore[return-value]  # others were raised above


DRIVERS: dict[str, Callable[[CloudClient, ApiRequest], Outcome]] = {"sync": call_sync, "async": call_async}


def compared(outcome: Outcome) -> Any:
    """An outcome without what differs from call to call."""
    if isinstance(outcome, CloudApiError):
        return (
            outcome.kind.value,
            outcome.code,
            bool(outcome.request_id),
            outcome.http_status,
            outcome.ambiguous,
            outcome.misdirected,
            outcome.retry_after,
            outcome.operation,
        )
    return {name: value for name, value in outcome.items() if name not in ("RequestId", "request_id")}


class OddServer:
    """A TCP server that says what it is told to, byte for byte, and remembers what it was asked.

    :param answer: the bytes to say after each request.
    :param then: ``close`` the connection afterwards, or ``stall`` (say nothing more, keep it open).
    """

    def __init__(self, answer: bytes, then: str = "close") -> None:
        self.requests: list[bytes] = []
        self._answer = answer
        self._then = then
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> OddServer:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing a listener does not wake a thread in accept(), a last connection does.
        self._stopping = True
        with socket.create_connection(self._listener.getsockname()):
            pass
        self._thread.join(5)
        for each in (*self._open, self._listener):
            each.close()

    _stopping = False

    def _serve(self) -> None:
        while True:
            peer, _ = self._listener.accept()
            if self._stopping:
                peer.close()
                return
            self._open.append(peer)
            asked = b""
            while b"\r\n\r\n" not in asked and (block := peer.recv(65536)):
                asked += block
            self.requests.append(asked)
            peer.sendall(self._answer)
            if self._then == "close":
                peer.close()


def answer_bytes(status: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """An HTTP answer as bytes."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
