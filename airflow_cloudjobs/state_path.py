# SPDX-License-Identifier: Apache-2.0
"""A store that outlives a task's attempts, also where Airflow has none: files below ``[cloudjobs] state_path``.

A file holds one value of one task instance, and says itself whose it is. What cannot be read is never taken for
"nothing is stored". Airflow's own store goes with the task instance; a file stays when a DAG run is deleted, so it says
of which run it is, too, and is not taken for that of a later run by the same name.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, TypeVar

from airflow_cloudjobs import compat, task_state
from airflow_cloudjobs.jobs.identity import Identity
from airflow_cloudjobs.jobs.redact import text_without_signatures

T = TypeVar("T")

SECTION, OPTION = "cloudjobs", "state_path"
"""Where Airflow's configuration has the path."""

_FORMAT = "cloudjobs/1"

_LOGIN = re.compile(r"//[^@]*:.*@")
"""A login where the id of a connection belongs."""


class StateTrouble(Exception):
    """What is stored cannot be read, or nothing can be stored just now; later it may work."""


class StatePathWrong(StateTrouble):
    """The path can never work as it is set."""


class StateUnclear(StateTrouble):
    """Something is stored, and what it says of this task cannot be told."""


def task_store(context: Mapping[str, Any]) -> Any | None:
    """The store of a task, which outlives its attempts: Airflow's own, or files where there is none.

    :param context: the task's.
    :return: something with ``get(key)``, ``set(key, value, retention=...)`` and ``delete(key)``; None if there is
        neither store nor path.
    """
    own = compat.task_store(context)
    if own is not None:
        return own
    root = (compat.conf.get(SECTION, OPTION, fallback="") or "").strip()
    identity, marks = task_state.identity_of(context), compat.run_marks(context)
    if not root or identity is None or marks is None:
        return None
    return StateFiles(root, identity, *marks, retried=compat.try_number_of(context) > 1)


@dataclass(frozen=True)
class StateFiles:
    """What a task instance has stored below a path.

    :param root: the path.
    :param identity: the task instance.
    :param made: tells its DAG run from others by the same name, see :func:`compat.run_marks`.
    :param began: when the run began.
    :param retried: True if an attempt was made before.
    """

    root: str
    identity: Identity
    made: str
    began: str
    retried: bool

    def get(self, key: str) -> Any:
        """What is stored; None for nothing.

        :param key: the value's name.
        :raises StatePathWrong: the path cannot work.
        :raises StateUnclear: what is stored cannot be told.
        :raises StateTrouble: it cannot be asked just now.
        """
        file, shown = self._file(key), self.where(key)
        raw = self._tried("read", lambda: self._folder.read(file))
        if raw is None:
            return None
        try:
            record = json.loads(raw)
            stored = {name: record[name] for name in ("format", "task", "key", "made", "began", "epoch", "value")}
        except (ValueError, KeyError, TypeError) as error:
            raise StateUnclear(f"{shown} cannot be read: {error!r}") from error
        if any(stored[name] != right for name, right in self._whose(key).items()):
            raise StateUnclear(f"{shown} was stored by something else, for {stored['task']!r}")
        if stored["made"] != self.made:
            return None  # it is of a run that was deleted
        if stored["began"] == self.began or stored["epoch"] != self.identity.epoch:
            return stored["value"]
        if not self.retried:
            return None  # of a deleted one, too: in this one nothing was stored before
        # A scheduled run that was deleted and made anew looks so, and one that a user has queued again by hand.
        raise StateUnclear(f"{shown} was stored when the DAG run had begun at another time, {stored['began']}")

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        """Store a value, as a whole or not at all.

        :param key: its name.
        :param value: JSON-able.
        :param retention: for how long it is needed; who keeps the files has to see to that.
        :raises StatePathWrong: the path cannot work.
        :raises StateTrouble: it could not be stored.
        """
        file = self._file(key)
        record = {**self._whose(key), **self._when(), "value": value}
        raw = json.dumps(record, ensure_ascii=False, indent=1).encode(errors="surrogatepass")
        self._tried("written", lambda: self._folder.write(file, raw))

    def delete(self, key: str) -> None:
        """Forget a value; that nothing is stored is no trouble.

        :param key: its name.
        :raises StateTrouble: it could not be deleted.
        """
        file = self._file(key)
        self._tried("deleted", lambda: self._folder.delete(file))

    def where(self, key: str) -> str:
        """Where a value is stored, for people.

        :param key: its name.
        """
        return self._shown(self._file(key))

    def _whose(self, key: str) -> dict[str, Any]:
        """Whose value it is, as the file says."""
        one = self.identity
        return {"format": _FORMAT, "task": [one.dag_id, one.run_id, one.task_id, one.map_index], "key": key}

    def _when(self) -> dict[str, Any]:
        """In which life of the task instance it was stored."""
        return {"made": self.made, "began": self.began, "epoch": self.identity.epoch}

    def _file(self, key: str) -> str:
        """The name of a value's file. Names of runs and tasks may be long, in any language, and hold any sign."""
        names = [*self._whose(key)["task"], key]
        return hashlib.sha256(json.dumps(names).encode()).hexdigest() + ".json"

    def _shown(self, file: str = "") -> str:
        folder = _LOGIN.sub("//***@", self.root).rstrip("/")
        return f"[{SECTION}] {OPTION}: {folder}/{file}" if file else f"[{SECTION}] {OPTION}: {folder}"

    @cached_property
    def _folder(self) -> _Folder:
        try:
            scheme = self.root.partition("://")[0] if "://" in self.root else ""
            if not scheme and not self.root.startswith("/"):
                raise ValueError("it must be an absolute path, or begin with scheme://")
            if _LOGIN.search(self.root):
                raise ValueError("it must hold no login, but the id of a connection: scheme://conn_id@...")
            path = compat.object_storage_path(self.root)
            kind = _LocalFolder if scheme in ("", "file", "local") else _Folder
            return kind(path.fs, path.path)
        except (ValueError, ImportError) as error:
            raise StatePathWrong(
                f"{self._shown()} cannot be used: {error}. Allowed are an absolute path and the schemes of installed "
                "providers"
            ) from error

    def _tried(self, what: str, use: Callable[[], T]) -> T:
        try:
            return use()
        except StateTrouble:
            raise
        except Exception as error:
            reason = text_without_signatures(f"{type(error).__name__}: {error}")
            raise StateTrouble(f"{self._shown()} cannot be {what}: {reason}") from error


class _Folder:
    """A folder in an object store, which puts a file as a whole.

    :param fs: the file system, of ``fsspec``.
    :param path: the folder in it.
    """

    def __init__(self, fs: Any, path: str) -> None:
        self._fs, self._path = fs, path.rstrip("/")

    def read(self, file: str) -> bytes | None:
        """What a file holds; None if there is none."""
        try:
            return bytes(self._fs.cat_file(f"{self._path}/{file}"))
        except FileNotFoundError:
            return None

    def write(self, file: str, raw: bytes) -> None:
        """Put a file."""
        self._fs.pipe_file(f"{self._path}/{file}", raw)

    def delete(self, file: str) -> None:
        """Remove a file."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._path}/{file}")


class _LocalFolder(_Folder):
    """A folder of this machine, or of one that all workers share.

    It is never made: where a worker lacks the shared one, an empty folder would say that nothing was submitted.
    """

    def read(self, file: str) -> bytes | None:
        """What a file holds; None if there is none, though the folder is there."""
        raw = super().read(file)
        if raw is None and not os.path.isdir(self._path):
            raise FileNotFoundError("there is no such folder on this machine")
        return raw

    def write(self, file: str, raw: bytes) -> None:
        """Write a file aside, and put it in its place once all of it is on the disk."""
        from airflow_cloudjobs.whole_file import FileAside  # for the few who have such a folder

        with FileAside(self._path) as aside:
            aside.file.write(raw)
            aside.become(file)
