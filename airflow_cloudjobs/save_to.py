# SPDX-License-Identifier: Apache-2.0
"""What a job has made, as a file of the user's own: ``save_to``.

The file is received aside, looked through, and only then put where it is to be, so that nobody ever finds half of one
there. On the worker's own file systems that is a rename. An object store is given the whole file at once, under its
final name where the store shows an upload only when it is complete, else under another name first. (Writing to an open
file of ``fsspec`` would not do: closing it, as an exception does, completes the upload with what there is.)
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from airflow_cloudjobs import compat
from airflow_cloudjobs.jobs.arguments import Arguments
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.many import as_list
from airflow_cloudjobs.jobs.outcome import JobResult
from airflow_cloudjobs.jobs.redact import text_without_signatures
from airflow_cloudjobs.task import CloudJobTask

if TYPE_CHECKING:
    from airflow_cloudjobs.download import Received

NAME = "save_to"

_LOCAL = ("", "file", "local")
_LOGIN = re.compile(r"//[^/@]*:[^/]*@")

_IN_PARTS = ("s3", "s3a", "gs", "gcs")
_AT_ONCE = ("abfs", "abfss", "adl", "az", "oss")
"""The schemes of stores that show an upload only once it is complete; some clients take the size of its parts."""


class NotSaved(Exception):
    """What a job has made is no file as it should be, or cannot be put where it is to be."""


class SavesFile(CloudJobTask):
    """A task that saves a file which its job has made."""

    fetching_arguments: ClassVar[tuple[str, ...]] = (NAME,)
    writes: ClassVar[tuple[str, ...]] = (NAME,)

    save_to: str | None

    def _check_save_to(self, arguments: Arguments) -> None:
        """It can be a place for the files of the task's jobs; on a worker, it is one.

        :raises InvalidArgument: it cannot work.
        :raises CloudApiError: Airflow does not hand out its connection just now.
        """
        arguments.is_text(NAME)
        arguments.not_empty(NAME)
        if not arguments.known(NAME):
            return
        save_to = arguments.values[NAME]
        if _LOGIN.search(save_to):
            raise arguments.refuse(NAME, "holds a login; give the id of a connection: scheme://conn_id@...")
        if "://" not in save_to and not save_to.startswith("/"):
            raise arguments.refuse(NAME, f"is {save_to!r}; it must be an absolute path, or begin with scheme://")
        keys = as_list(arguments.values[self.key_argument]) if arguments.known(self.key_argument) else []
        if len(keys) > 1 and not save_to.endswith("/"):
            raise arguments.refuse(NAME, f"is {save_to!r}, one file for {len(keys)} jobs; a folder ends with '/'")
        if arguments.rendered:
            _check_place(arguments, save_to)

    def _fetched(self, result: JobResult) -> Mapping[str, Any]:
        if not self.save_to:
            return {}
        file = save(self.save_to, result.key, lambda received: self._fetch_file(result.key, received))
        self.log.info("%s %s: %d bytes saved as %s", self.spec.title, result.key, file["size"], file["path"])
        return {"file": file}

    @abstractmethod
    def _fetch_file(self, key: str, received: Received) -> str:
        """Fetch the file of a job.

        :return: the ending of its name; empty where only what is in it tells that.
        """


def _check_place(arguments: Arguments, save_to: str) -> None:
    try:
        path = compat.object_storage_path(save_to)
        fs = path.fs
    except (ValueError, ImportError) as error:
        raise arguments.refuse(
            NAME,
            f"is {save_to!r}, which cannot be used: {error}. Allowed are an absolute path and the schemes of installed "
            "providers",
        ) from None
    except Exception as error:
        reason = text_without_signatures(f"{type(error).__name__}: {error}")
        hint = "Create the connection that it names if there is none, or see why Airflow cannot read it"
        raise CloudApiError(
            f"{NAME}={save_to!r} cannot be used: {reason}", kind=ErrorKind.TRANSIENT, hint=hint
        ) from None
    if not _is_local(path):
        return
    folder = path.path if save_to.endswith("/") else os.path.dirname(path.path)
    if not os.path.isabs(path.path) or not os.path.isdir(folder):
        raise arguments.refuse(NAME, f"is {save_to!r}; there is no such folder on this worker")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise arguments.refuse(NAME, f"is {save_to!r}; this worker may not write into that folder")
    if folder != path.path and fs.isdir(path.path):
        raise arguments.refuse(NAME, f"is {save_to!r}, which is a folder; then it ends with '/'")


def save(save_to: str, key: str, fetch: Callable[[Received], str]) -> dict[str, Any]:
    """Fetch a file and put it where it is to be, whole or not at all, in place of one that may be there.

    :param save_to: the path of a file, or of a folder if it ends with ``/``: then the file is called by the key.
    :param key: the key of the job that has made it.
    :param fetch: fetches it, and tells the ending of its name; empty where only what is in it tells that.
    :return: its ``path``, ``size`` in bytes and ``sha256``, and of a zip the number of ``entries``.
    :raises CloudApiError: it cannot be had.
    :raises NotSaved: it is none as it should be, or cannot be put there.
    """
    from airflow_cloudjobs.download import Received
    from airflow_cloudjobs.whole_file import FileAside

    path = compat.object_storage_path(save_to)
    into = path.path.rstrip("/") if save_to.endswith("/") else os.path.dirname(path.path)
    try:
        room = nullcontext(into) if _is_local(path) else TemporaryDirectory(prefix="cloudjobs-")
        with room as folder, FileAside(folder) as aside:
            received = Received(aside.file)
            ending = fetch(received)
            aside.file.flush()
            ending, entries = _looked_through(aside.file, ending)
            name = re.sub(r"[^\w.-]", "_", key) + ending if save_to.endswith("/") else os.path.basename(path.path)
            if _is_local(path):
                aside.become(name)
            else:
                _put(path, aside.path, f"{into}/{name}")
    except (CloudApiError, NotSaved):
        raise
    except Exception as error:
        reason = text_without_signatures(f"{type(error).__name__}: {error}")
        raise NotSaved(f"{NAME}={save_to!r} cannot be written: {reason}") from None
    file = {
        "path": save_to + name if save_to.endswith("/") else save_to,
        "size": received.size,
        "sha256": received.sha256,
    }
    return file if entries is None else file | {"entries": entries}


def _is_local(path: Any) -> bool:
    return path.protocol in _LOCAL


def _put(path: Any, local: str, final: str) -> None:
    """Give a store a file as a whole."""
    fs = path.fs
    if path.protocol in (*_IN_PARTS, *_AT_ONCE):
        fs.put_file(local, final, **({"chunksize": _part(local)} if path.protocol in _IN_PARTS else {}))
        return
    aside = f"{os.path.dirname(final)}/{os.path.basename(local)}"
    try:
        fs.put_file(local, aside)
        fs.mv(aside, final)
    except BaseException:
        with suppress(Exception):
            fs.rm_file(aside)
        raise


def _part(local: str) -> int:
    """The bytes of a part of an upload: few, since a client holds ten parts or more, and 10,000 parts at most."""
    return max(5, 1 + os.path.getsize(local) // (10_000 << 20)) << 20


_ZIP, _OLE, _PAGE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"<"
_EMPTY_ZIP = b"PK\x05\x06"


def _looked_through(file: BinaryIO, ending: str) -> tuple[str, int | None]:
    """What a file is.

    :param file: the file, all of it.
    :param ending: that of its name, if it is known.
    :return: the ending, and of a zip the number of its entries.
    :raises NotSaved: it is broken, or not what its name says.
    """
    file.seek(0)
    begins = file.read(4)
    if begins in (_ZIP, _EMPTY_ZIP):
        members = _read_zip(file)
        ending = ending or (".xlsx" if "[Content_Types].xml" in members else ".zip")
        return ending, len(members) if ending == ".zip" else None
    if ending in (".zip", ".xlsx"):
        raise NotSaved(f"what came is no {ending[1:]} file: it begins with {begins!r}")
    if ending:
        return ending, None
    if begins.lstrip()[:1] == _PAGE:
        raise NotSaved("a page came instead of a file")
    if begins == _OLE:
        return ".xls", None
    return ".json" if begins.lstrip()[:1] in (b"{", b"[") else ".txt", None


def _read_zip(file: BinaryIO) -> list[str]:
    """The names in a zip, all of which is read, so that the checksums of its entries are seen to be right."""
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                try:
                    with archive.open(info) as member:
                        while member.read(1 << 20):
                            pass
                except RuntimeError:
                    continue  # encrypted, or packed in a way that Python does not know
            return archive.namelist()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise NotSaved(f"what came is a broken zip file: {error}") from None
