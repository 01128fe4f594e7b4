# SPDX-License-Identifier: Apache-2.0
"""The TCP connections of the server: counted, and cut when a fault says so."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

Address = tuple[str, int]
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Connections:
    """Open connections by the client's address; only those that carried a request to a cloud are counted."""

    def __init__(self) -> None:
        self._open: dict[Address, asyncio.Transport] = {}
        self._used: set[Address] = set()
        self._total = 0

    def opened(self, transport: asyncio.Transport) -> None:
        """LogLine a new connection.

        :param transport: the connection.
        """
        if address := _peer(transport):
            self._open[address] = transport

    def lost(self, transport: asyncio.Transport) -> None:
        """LogLine that a connection is gone.

        :param transport: the connection.
        """
        if address := _peer(transport):
            self._open.pop(address, None)
            self._used.discard(address)

    def carries(self, client: Address) -> None:
        """LogLine that a connection carries a request to a cloud.

        :param client: the client's address.
        """
        if client not in self._used:
            self._used.add(client)
            self._total += 1

    def cut(self, client: Address, *, reset: bool) -> None:
        """End a connection without an answer.

        :param client: the client's address.
        :param reset: send a TCP reset instead of an orderly close.
        """
        transport = self._open.get(client)
        if transport is None:
            return
        if reset:
            # With a linger time of zero the kernel drops what is unsent and answers with RST.
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
        else:
            transport.close()

    def forget(self) -> None:
        """Start counting anew; connections still open count from their next request."""
        self._used.clear()
        self._total = 0

    def report(self) -> dict[str, int]:
        """How many connections are open, and how many there have been."""
        return {"open": len(self._used), "total": self._total}


def watched_protocol(connections: Connections) -> type[asyncio.Protocol]:
    """uvicorn's HTTP protocol, telling of each connection made and lost.

    :param connections: whom to tell.
    """
    base: Any = AutoHTTPProtocol

    def connection_made(self: Any, transport: asyncio.Transport) -> None:
        connections.opened(transport)
        base.connection_made(self, transport)

    def connection_lost(self: Any, error: Exception | None) -> None:
        connections.lost(self.transport)
        base.connection_lost(self, error)

    methods = {"connection_made": connection_made, "connection_lost": connection_lost}
    return type("WatchedHTTPProtocol", (base,), methods)


def _peer(transport: asyncio.Transport) -> Address | None:
    """The client's address; None if it was gone before it could be asked."""
    peer = transport.get_extra_info("peername")
    return (str(peer[0]), int(peer[1])) if peer else None
