# SPDX-License-Identifier: Apache-2.0
"""A server of our own: in a temporary folder, on a free port, ended with the run; it can be stopped and started."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from airflow_cloudjobs.demo.sessions import Sessions

ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


class OwnServer(ABC):
    """One server, as a context manager. Whoever runs on this machine may use it."""

    def __init__(self) -> None:
        self.port = _free_port()

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix=f"cloudjobs-{type(self).__name__.lower()}-"))
        self._sessions = Sessions(self._folder)
        try:
            self._make()
        except BaseException:
            self._sessions.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(psutil.NoSuchProcess, FileNotFoundError):
            self.stop(signal.SIGINT)
        self._sessions.close()

    def start(self, timeout: float = 60.0) -> None:
        """Start the server and wait until it answers.

        :param timeout: seconds.
        """
        log = self._folder / "log"
        with log.open("ab") as output:
            self._process = self._sessions.start(self._command(), ENVIRONMENT, output)
        until = time.monotonic() + timeout
        while not self._answers():
            if time.monotonic() > until:
                raise TimeoutError(f"{type(self).__name__} does not answer: {log.read_text()[-2000:]}")
            time.sleep(0.1)

    def stop(self, sig: signal.Signals, timeout: float = 60.0) -> None:
        """Stop the server and wait until it has gone.

        :param sig: ``SIGINT`` sends every client away and ends in order.
        :param timeout: seconds.
        """
        # It may be a child of this process, which has to be waited for, or of the program that became the server.
        process = psutil.Process(self._pid())
        process.send_signal(sig)
        process.wait(timeout)

    def _make(self) -> None:
        self.start()

    def _pid(self) -> int:
        return self._process.pid

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
