# SPDX-License-Identifier: Apache-2.0
"""The ASGI application: a request in, the right cloud's answer or an injected fault out."""

from __future__ import annotations

import asyncio
import logging
import secrets
from email.utils import formatdate
from typing import Protocol
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from airflow_cloudjobs.localcloud.alibaba import gateway as alibaba
from airflow_cloudjobs.localcloud.answers import Answer, Pieces, Refused
from airflow_cloudjobs.localcloud.call import Call, Forced, Received
from airflow_cloudjobs.localcloud.control_api import PREFIX, control_application
from airflow_cloudjobs.localcloud.faults import Fault
from airflow_cloudjobs.localcloud.huawei import gateway as huawei
from airflow_cloudjobs.localcloud.operation import Operation
from airflow_cloudjobs.localcloud.sockets import Connections
from airflow_cloudjobs.localcloud.state import State

log = logging.getLogger(__name__)

#: Largest body taken, in bytes: the limit of Huawei Cloud's API gateway.
LARGEST_BODY = 12 * 1024 * 1024
_PROXY_PAGE = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


class Gateway(Protocol):
    """What each cloud's gateway module offers."""

    def route(self, received: Received, state: State) -> tuple[Operation[Call], Call]: ...

    def authenticate(self, operation: Operation[Call], call: Call) -> None: ...

    def refusal(self, received: Received, operation: Operation[Call] | None, refused: Refused) -> Answer: ...

    def throttled(self, retry_after: str | None) -> Refused: ...


class Application:
    """Both clouds and the control API behind one port.

    :param state: the clouds' memory.
    :param connections: the server's connections.
    """

    def __init__(self, state: State, connections: Connections) -> None:
        self._state = state
        self._connections = connections
        self._control = control_application(state, connections)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI says."""
        if scope["path"].startswith(PREFIX) or _wants_page(scope):
            await self._control(scope, receive, send)
            return
        client = scope["client"]
        self._connections.carries(client)
        received = await _receive(scope, receive)
        gateway: Gateway = alibaba if alibaba.serves(received) else huawei
        answer, fault = self._answer(gateway, received)
        wait = self._state.settings.latency_seconds + answer.delay
        if fault is not None and fault.kind == "slow":
            wait += 1.0 if fault.delay is None else fault.delay
        if wait:
            await asyncio.sleep(wait)
        if fault is not None and fault.kind in {"reset", "hang"}:
            await self._say_nothing(fault, client, receive)
        elif fault is not None and fault.kind == "truncated":
            await self._send_half(answer, fault.broken, client, receive, send)
        else:
            await self._send(answer, len(answer.body), answer.body, send)

    def _answer(self, gateway: Gateway, received: Received) -> tuple[Answer, Fault | None]:
        """The answer to a request, and the fault with which it has to be sent."""
        state = self._state
        operation: Operation[Call] | None = None
        call: Call | None = None
        fault: Fault | None = None
        try:
            if len(received.body) > LARGEST_BODY:
                raise Refused(413, "", "The request body is too large.")
            operation, call = gateway.route(received, state)
            fault = state.faults.take(operation, call.now)
            if fault is not None and fault.kind in {"status", "null_status"}:
                call.forced = Forced(fault.value if fault.kind == "status" else None)
            if fault is None or fault.acts_after:
                gateway.authenticate(operation, call)
                answer = operation.handler(call)
                if operation.kind == "poll":
                    state.jobs.polled(operation.api, call.keys)
            else:
                answer = Answer(0, b"", "")
        except Refused as refused:
            answer = gateway.refusal(received, operation, refused)
            if fault is not None and fault.after_commit:
                # Nothing was committed, so there is nothing to be in doubt about: the refusal tells more.
                fault = None
        except Exception:
            log.exception("%s %s failed", received.method, received.path)
            answer = gateway.refusal(received, operation, Refused(500, "InternalError", "The local cloud has a bug."))
        if fault is not None:
            answer = _struck(gateway, received, operation, fault, answer)
        if operation is not None and call is not None:
            kind = fault.kind if fault is not None else ""
            status = 0 if kind in {"reset", "hang"} else answer.status
            code = kind if kind in {"reset", "hang", "truncated"} else answer.code
            state.stats.count(operation, call.keys, status, code, kind, call.now)
        return answer, fault

    async def _say_nothing(self, fault: Fault, client: tuple[str, int], receive: Receive) -> None:
        if fault.kind == "hang":
            delay = 30.0 if fault.delay is None else fault.delay
            try:
                await asyncio.wait_for(_gone(receive), delay)
            except TimeoutError:
                pass
            else:
                return
        self._connections.cut(client, reset=fault.kind == "reset")
        await _gone(receive)

    async def _send_half(
        self, answer: Answer, broken: bool, client: tuple[str, int], receive: Receive, send: Send
    ) -> None:
        half = answer.body[: len(answer.body) // 2]
        if not broken:
            await self._send(answer, len(half), half, send)
            return
        await self._send(answer, len(answer.body), half, send, more=True)
        self._connections.cut(client, reset=False)
        await _gone(receive)

    async def _send(self, answer: Answer, length: int, body: bytes | Pieces, send: Send, *, more: bool = False) -> None:
        headers = [
            (b"content-type", answer.media_type.encode()),
            (b"content-length", str(length).encode()),
            (b"date", formatdate(self._state.clock.shown(), usegmt=True).encode()),
        ]
        headers.extend((name.lower().encode(), value.encode()) for name, value in answer.headers.items())
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if isinstance(body, Pieces):
            for piece in body:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            body = b""
        await send({"type": "http.response.body", "body": body, "more_body": more})


def _wants_page(scope: Scope) -> bool:
    """Whether a person asks for the clouds' page; calls of Alibaba Cloud have the same path, and name an action."""
    named = scope["query_string"] or any(name in {b"x-acs-action", b"authorization"} for name, _ in scope["headers"])
    return scope["path"] == "/" and scope["method"] in {"GET", "HEAD"} and not named


def _struck(
    gateway: Gateway, received: Received, operation: Operation[Call] | None, fault: Fault, answer: Answer
) -> Answer:
    """What a fault answers instead; the right answer where the fault only mistreats it on the way."""
    if fault.kind == "throttle":
        return gateway.refusal(received, operation, gateway.throttled(fault.retry_after))
    if fault.kind == "http":
        headers = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
        return gateway.refusal(received, operation, Refused(fault.status or 503, fault.code, fault.message, headers))
    if fault.kind == "html":
        return Answer(fault.status or 502, _PROXY_PAGE, "text/html", code="html")
    if fault.kind == "empty":
        return Answer(fault.status or 200, b"", "application/json", code="empty")
    return answer


async def _receive(scope: Scope, receive: Receive) -> Received:
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        if len(body) <= LARGEST_BODY:
            body += message.get("body", b"")
        more = message.get("more_body", False)
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode(errors="replace"))
    host = headers.get("host", [""])[0]
    return Received(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=parse_qsl(scope["query_string"].decode(errors="replace"), keep_blank_values=True),
        headers=headers,
        body=body,
        base_url=f"{scope['scheme']}://{host}",
        request_id=secrets.token_hex(16),
    )


async def _gone(receive: Receive) -> None:
    """Wait until the client has gone, or the connection has been cut."""
    while (await receive())["type"] != "http.disconnect":
        pass
