# SPDX-License-Identifier: Apache-2.0
"""A redis of our own, which forgets all when it is stopped."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Sequence

from support.own_server import OwnServer


class Redis(OwnServer):
    """One server, as a context manager. The program is that of a package (Debian: ``apt-get install redis-server``)."""

    def __init__(self) -> None:
        found = shutil.which("redis-server")
        if not found:
            raise FileNotFoundError("redis is needed (Debian: apt-get install redis-server)")
        self._program = found
        super().__init__()

    @property
    def url(self) -> str:
        """Its database, as Celery writes it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> Sequence[str]:
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self._folder),
            "save": "",
            "appendonly": "no",
        }
        return [self._program, *(word for name, value in options.items() for word in (f"--{name}", value))]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5.0) as client:
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
