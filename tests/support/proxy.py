# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy as companies have one: it asks for a password, forwards, tunnels, and writes down who wanted what."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote, urlsplit

#: Every character in it that an address cannot hold as it is.
USER, PASSWORD = "egress", "pr0xy:c@nary/%s?#"
WRONG_PASSWORD = "wr0ng-pr0xy-c@nary"


class Asked(NamedTuple):
    """One request to the proxy.

    :param method: ``CONNECT`` for a tunnel.
    :param target: host and port that it should reach.
    :param status: what the proxy answered; 0 if it passed the request on.
    """

    method: str
    target: str
    status: int


class Proxy:
    """A proxy on this machine, as a context manager.

    :param hosts: made-up name -> address of the machine behind the proxy; nobody else can resolve it.
    :param silent: True takes requests and never answers them.
    """

    def __init__(self, hosts: Mapping[str, tuple[str, int]], *, silent: bool = False) -> None:
        self.asked: list[Asked] = []
        self._hosts = dict(hosts)
        self._silent = silent
        self._pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def url(self, user: str = USER, password: str = PASSWORD) -> str:
        """Its address with user and password, as it stands in a connection."""
        return f"http://{quote(user, safe='')}:{quote(password, safe='')}@{self.address}"

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._port}"

    @property
    def passed(self) -> list[tuple[str, str]]:
        """Method and target of what it let pass."""
        return [(each.method, each.target) for each in self.asked if not each.status]

    @property
    def secrets(self) -> dict[str, str]:
        """In what forms its password must not show."""
        return {
            "password": PASSWORD,
            "quoted password": quote(PASSWORD, safe=""),
            "wrong password": WRONG_PASSWORD,
            "wrong password, quoted": quote(WRONG_PASSWORD, safe=""),
            "header": self._pair,
        }

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(started))
        self._loop.close()

    async def _serve(self, started: threading.Event) -> None:
        self._over = asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def guest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._handle(reader, writer)
            writer.close()

        server = await asyncio.start_server(guest, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        started.set()
        await self._over.wait()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip("\r\n").split("\r\n")
            method, target, _ = first.split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            where = urlsplit(target if method != "CONNECT" else f"//{target}")
            place = f"{where.hostname}:{where.port or 80}"
            if self._silent:
                self.asked.append(Asked(method, place, 504))
                await asyncio.Event().wait()
            if headers.get("proxy-authorization") == f"Basic {self._pair}":
                break
            self.asked.append(Asked(method, place, 407))
            # As common proxies do: a page, and the line stays open for a second try.
            await reader.readexactly(int(headers.get("content-length", 0)))
            writer.write(_page("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="egress"'))
            await writer.drain()
        address = self._hosts.get(str(where.hostname))
        if address is None:
            self.asked.append(Asked(method, place, 502))
            writer.write(_page("502 Bad Gateway"))
            await writer.drain()
            return
        self.asked.append(Asked(method, place, 0))
        there, back = await asyncio.open_connection(*address)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = target.partition(f"//{where.netloc}")[2] or "/"
            kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
            back.write("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode("latin-1"))
        await asyncio.gather(_pump(reader, back), _pump(there, writer))
        back.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while block := await source.read(65536):
            sink.write(block)
            await sink.drain()
    # Whoever has nothing more to say ends both directions; half-open lines are nobody's business here.
    sink.close()


def _page(status: str, *headers: str) -> bytes:
    body = f"<html><title>{status}</title></html>".encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/html", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
