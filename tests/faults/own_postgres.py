# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of our own: a cluster in a temporary folder, on a free port, that can be crashed and brought back."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from airflow_cloudjobs.demo.sessions import Sessions

#: Nothing has to outlive the machine, so nothing waits for a disk.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "300",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_memory_type": "mmap",
    "log_min_messages": "fatal",
}


class Postgres:
    """One cluster with an empty database ``airflow``, as a context manager; anyone on this machine may log in.

    The programs are those of a package (Debian: ``apt-get install postgresql``), in the newest version there is.
    They refuse to run as root, so root runs them as the user ``postgres``.
    """

    def __init__(self) -> None:
        self._programs = _programs()
        self.port = _free_port()

    @property
    def url(self) -> str:
        """The database, as SQLAlchemy writes it."""
        return f"postgresql+psycopg2://postgres@127.0.0.1:{self.port}/airflow"

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="cloudjobs-postgres-"))
        self._sessions = Sessions(self._folder)
        try:
            self._data = self._folder / "data"
            if os.geteuid() == 0:
                shutil.chown(self._folder, "postgres", "postgres")
            self._run("initdb", "--pgdata", str(self._data), "--username=postgres", "--auth=trust", "--no-sync")
            self.start()
            self._run("createdb", *self._where(), "airflow")
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
        options = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._sessions.start(
                [
                    *_as_postgres(),
                    str(self._programs / "postgres"),
                    *("-D", str(self._data), "-p", str(self.port), "-k", str(self._folder)),
                    *options,
                ],
                _environment(),
                log,
            )
        until = time.monotonic() + timeout
        while subprocess.run([self._programs / "pg_isready", "--quiet", *self._where()]).returncode != 0:
            if time.monotonic() > until:
                raise TimeoutError(f"PostgreSQL does not answer: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)

    def stop(self, sig: signal.Signals, timeout: float = 60.0) -> None:
        """Stop the server and wait until it has gone.

        :param sig: ``SIGINT`` sends every client away and ends in order, ``SIGQUIT`` is a crash.
        :param timeout: seconds.
        """
        postmaster = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
        postmaster.send_signal(sig)
        # It may be a child of this process, which has to be waited for, or of the program that became postgres.
        postmaster.wait(timeout)

    def _where(self) -> list[str]:
        return ["--host=127.0.0.1", f"--port={self.port}", "--username=postgres"]

    def _run(self, program: str, *arguments: str) -> None:
        command = [*_as_postgres(), str(self._programs / program), *arguments]
        subprocess.run(command, check=True, env=_environment(), cwd=self._folder, stdout=subprocess.DEVNULL)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    if elsewhere := shutil.which("initdb"):
        return Path(elsewhere).parent
    raise FileNotFoundError("PostgreSQL is needed (Debian: apt-get install postgresql)")


def _as_postgres() -> list[str]:
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
