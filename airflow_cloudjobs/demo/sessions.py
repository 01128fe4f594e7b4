# SPDX-License-Identifier: Apache-2.0
"""Processes that never outlive the one that started them.

Every process is started as the leader of a session of its own, and a session is ended as a whole: whatever
the leader forked is found by its session id, orphan or not. :class:`Sessions` does that on request. A small
guard process, which is this file run as a script, holds the other end of a pipe and does the same when the
owner vanishes without a farewell, so nothing is left behind even after SIGKILL.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

import psutil

#: A process inherits this variable, so one that left its session (a task's daemon) is still known as ours.
OWNER_VARIABLE = "CLOUDJOBS_SESSIONS_OWNER"

#: Seconds between the polite signal and the one that cannot be refused.
GRACE = 2.0

#: Seconds after which even that one is given up: the process hangs in the kernel or belongs to another user.
_GIVE_UP = 10.0

#: A session id is a process id and may be used again: the same id born so many seconds apart is a stranger.
_SAME_BIRTH = 10.0


class Session(NamedTuple):
    """One session: the process id of its leader and the leader's birth (seconds since the epoch)."""

    id: int
    born: float

    def is_reused(self) -> bool:
        """Tell whether the id now belongs to a process that was born at another time.

        While any member lives the kernel does not hand out the id again, so a leader born at another time
        means that our session is over.
        """
        try:
            return abs(psutil.Process(self.id).create_time() - self.born) > _SAME_BIRTH
        except psutil.NoSuchProcess:
            return False


def members(sessions: Sequence[Session], owner: str) -> Iterator[psutil.Process]:
    """Find every living process of these sessions, and those that left them but still carry the owner's mark.

    :param sessions: the sessions
    :param owner: value of :data:`OWNER_VARIABLE` that marks a process as ours
    :return: the processes, without zombies and without the caller
    """
    ids = {session.id for session in sessions if not session.is_reused()}
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with suppress(psutil.Error, OSError):
            ours = os.getsid(process.pid) in ids or process.environ().get(OWNER_VARIABLE) == owner
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def end(sessions: Sequence[Session], owner: str, grace: float = GRACE) -> None:
    """End every process of the sessions: ask, wait a little, then kill until none is left.

    :param sessions: the sessions
    :param owner: see :func:`members`
    :param grace: seconds a process has to end by itself after SIGTERM
    """
    began = time.monotonic()
    asked: set[int] = set()
    while (alive := list(members(sessions, owner))) and time.monotonic() - began < grace + _GIVE_UP:
        asking = time.monotonic() - began < grace
        for process in alive:
            if asking and process.pid in asked:
                continue
            asked.add(process.pid)
            with suppress(psutil.Error):
                process.send_signal(signal.SIGTERM if asking else signal.SIGKILL)
        time.sleep(0.05)


class Sessions:
    """The sessions of one owner, and the guard that ends them when the owner is gone.

    :param folder: folder that is removed at the end, if it exists by then; None if nothing is to be removed
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._owner = secrets.token_hex(16)
        self._sessions: list[Session] = []
        self._guard = subprocess.Popen(  # noqa: S603  the command is our own
            # -P: the modules beside this file are no top-level modules.
            [sys.executable, "-P", __file__, self._owner, *([str(folder)] if folder else [])],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def start(self, command: Sequence[str], env: Mapping[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a process as the leader of a new session.

        :param command: the command and its arguments
        :param env: the environment
        :param log: file that takes its output
        :return: the process
        """
        process = subprocess.Popen(  # noqa: S603  whoever calls this means to start the command
            command,
            env={**env, OWNER_VARIABLE: self._owner},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        born = psutil.Process(process.pid).create_time()
        self._sessions.append(Session(process.pid, born))
        self._tell(f"{process.pid} {born}")
        return process

    def close(self) -> None:
        """End all sessions, remove the folder if so wished and send the guard home. May be called again."""
        end_and_remove(self._sessions, self._owner, self._folder)
        self._tell("done")
        if self._guard.stdin:
            with suppress(BrokenPipeError):
                self._guard.stdin.close()
        self._guard.wait()

    def _tell(self, line: str) -> None:
        if self._guard.stdin and not self._guard.stdin.closed:
            with suppress(BrokenPipeError):
                self._guard.stdin.write(line + "\n")
                self._guard.stdin.flush()


def end_and_remove(sessions: Sequence[Session], owner: str, folder: Path | None) -> None:
    """End the sessions, then remove the folder; one that is not there is fine.

    :param sessions: the sessions
    :param owner: see :func:`members`
    :param folder: the folder, if one is to be removed
    """
    end(sessions, owner)
    if folder:
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)


def guard(owner: str, folder: Path | None, lines: IO[str]) -> None:
    """Wait for the owner's farewell; without it, clean up in the owner's place.

    :param owner: see :func:`members`
    :param folder: folder to remove, if any
    :param lines: what the owner says: one line ``id born`` a session and ``done`` as the farewell
    """
    sessions = []
    for line in lines:
        if line.strip() == "done":
            return
        pid, born = line.split()
        sessions.append(Session(int(pid), float(born)))
    end_and_remove(sessions, owner, folder)


if __name__ == "__main__":
    guard(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else None, sys.stdin)
