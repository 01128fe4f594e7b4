# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of our own: a cluster in a temporary folder, on a free port, that can be crashed and brought back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.own_server import ENVIRONMENT, OwnServer

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


class Postgres(OwnServer):
    """One cluster with an empty database ``airflow``, as a context manager; ``SIGQUIT`` is a crash of it.

    The programs are those of a package (Debian: ``apt-get install postgresql``), in the newest version there is.
    They refuse to run as root, so root runs them as the user ``postgres``.
    """

    def __init__(self) -> None:
        self._programs = _programs()
        super().__init__()

    @property
    def url(self) -> str:
        """The database, as SQLAlchemy writes it."""
        return f"postgresql+psycopg2://postgres@127.0.0.1:{self.port}/airflow"

    def _make(self) -> None:
        self._data = self._folder / "data"
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        self._run("initdb", "--pgdata", str(self._data), "--username=postgres", "--auth=trust", "--no-sync")
        self.start()
        self._run("createdb", *self._where(), "airflow")

    def _command(self) -> Sequence[str]:
        options = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        places = ("-D", str(self._data), "-p", str(self.port), "-k", str(self._folder))
        return [*_as_postgres(), str(self._programs / "postgres"), *places, *options]

    def _answers(self) -> bool:
        return subprocess.run([self._programs / "pg_isready", "--quiet", *self._where()]).returncode == 0

    def _pid(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def _where(self) -> list[str]:
        return ["--host=127.0.0.1", f"--port={self.port}", "--username=postgres"]

    def _run(self, program: str, *arguments: str) -> None:
        command = [*_as_postgres(), str(self._programs / program), *arguments]
        subprocess.run(command, check=True, env=ENVIRONMENT, cwd=self._folder, stdout=subprocess.DEVNULL)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    if elsewhere := shutil.which("initdb"):
        return Path(elsewhere).parent
    raise FileNotFoundError("PostgreSQL is needed (Debian: apt-get install postgresql)")


def _as_postgres() -> list[str]:
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
