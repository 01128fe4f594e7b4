# SPDX-License-Identifier: Apache-2.0
"""A file from a signed address of an object store, received whole through whatever happens on the way.

A connection that breaks is gone on with where it broke (``Range``), as long as the object is the same (``If-Match``);
an address that has expired is asked for again. Nothing is signed here, and no credential is sent; no message shows
the address.
Source: https://www.alibabacloud.com/help/en/oss/developer-reference/getobject.
"""

from __future__ import annotations

import hashlib
import logging
import random
import re
import time
from base64 import b64decode
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

from airflow_cloudjobs.hook import MISDIRECTED_PATIENCE
from airflow_cloudjobs.jobs.backoff import Backoff
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.transport.message import HttpAnswer, HttpRequest

if TYPE_CHECKING:
    from requests import Response

    from airflow_cloudjobs.transport.sync import SyncCaller

log = logging.getLogger(__name__)

OPERATION = "download"
CHUNK = 1 << 18
"""Bytes that are held at a time; what a broken connection had brought of them is lost."""

PATIENCE = 300.0
"""Seconds without a single byte after which a download is given up."""

PAUSES = Backoff(first=1.0, cap=20.0)

MOST_BEGINNINGS = 5
"""How often a file is begun; one that never comes to an end as one object would be fetched for ever."""

_PAGE = re.compile(r"text/html|(?:application|text)/xml", re.IGNORECASE)
_CODE = re.compile(rb"<Code>(\w+)</Code>")
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class Received:
    """What has come of a file, written down and hashed as it comes.

    :param file: where it is written, from its beginning.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.begin()

    def begin(self) -> None:
        """Forget what has come."""
        self.file.seek(0)
        self.file.truncate()
        self.size = 0
        self._sha256, self._md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)

    def add(self, chunk: bytes, *, md5: bool = False) -> None:
        """Take what comes next.

        :param chunk: the bytes.
        :param md5: True if :attr:`md5` is asked for, too.
        """
        self.file.write(chunk)
        self._sha256.update(chunk)
        if md5:
            self._md5.update(chunk)
        self.size += len(chunk)

    @property
    def sha256(self) -> str:
        """The hash of it, in hexadecimal digits."""
        return self._sha256.hexdigest()

    @property
    def md5(self) -> bytes:
        """The MD5 hash, if all chunks were taken for it."""
        return self._md5.digest()


def download(caller: SyncCaller, address: Callable[[], str], received: Received, *, patience: float = PATIENCE) -> str:
    """Receive a file.

    :param caller: whose connections, proxy, certificates and time-outs are used.
    :param address: asks for a signed address of it that has not expired.
    :param received: takes it.
    :param patience: seconds without a byte after which it is given up.
    :return: the name of the object.
    :raises CloudApiError: it cannot be had whole.
    :raises OSError: it cannot be written.
    """
    one = _Download(caller, address, received)
    attempt, last = 0, time.monotonic()
    while True:
        before = one.brought
        try:
            return one.go_on()
        except CloudApiError as error:
            if one.brought > before:
                attempt, last = 0, time.monotonic()
            pause = PAUSES.after(attempt, error.retry_after, random.random)
            limit = min(patience, MISDIRECTED_PATIENCE) if error.misdirected else patience
            if not error.retryable or time.monotonic() + pause > last + limit:
                raise
            log.warning("The download goes on at byte %d in %.1f s: %s", received.size, pause, error)
        time.sleep(pause)
        attempt += 1


class _Download:
    """One file on its way."""

    def __init__(self, caller: SyncCaller, address: Callable[[], str], received: Received) -> None:
        self._caller = caller
        self._ask = address
        self._received = received
        self._address = ""
        self._beginnings = 0
        self._size: int | None = None
        self._mark = self._md5 = ""
        self.brought = 0
        """All bytes that have come, also those that were in vain."""

    def go_on(self) -> str:
        """Receive the rest, once; then it is whole."""
        asked = not self._address
        if asked:
            self._address = self._ask().strip()
        where = urlsplit(self._address)
        if where.scheme not in ("http", "https"):
            raise self._error("the address is none of http or https", ErrorKind.INVALID)
        name = unquote(where.path).rpartition("/")[2]
        # Compressed on the way, its length would not be that of the file.
        headers = {"Accept-Encoding": "identity"}
        if self._received.size and self._mark:
            headers |= {"Range": f"bytes={self._received.size}-", "If-Match": self._mark}
        with self._caller.opened(HttpRequest(OPERATION, "GET", self._address, headers)) as answer:
            if answer.status_code not in (200, 206):
                raise self._refused(answer, asked)
            if _PAGE.match(answer.headers.get("Content-Type", "")) and not name.endswith((".html", ".xml")):
                raise self._error("a page came instead of the file", ErrorKind.TRANSIENT, answer.status_code)
            self._begin_or_continue(answer)
            for chunk in answer.iter_content(CHUNK):
                self._received.add(chunk, md5=bool(self._md5))
                self.brought += len(chunk)
        self._check()
        return name

    def _begin_or_continue(self, answer: Response) -> None:
        """See what an answer brings: the rest of the object that was begun, or an object from its beginning."""
        if answer.status_code == 206:
            found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            part = (int(found[1]), int(found[2]), answer.headers.get("ETag", "")) if found else None
            if part != (self._received.size, self._size, self._mark):
                raise self._again("a part came that does not continue what there is")
            return
        if self._beginnings == MOST_BEGINNINGS:
            raise self._error(f"it was begun {self._beginnings} times and never came whole", ErrorKind.UNKNOWN)
        self._beginnings += 1
        self._received.begin()
        length = answer.headers.get("Content-Length", "")
        self._size = int(length) if length.isdecimal() else None
        self._mark, self._md5 = answer.headers.get("ETag", ""), answer.headers.get("Content-MD5", "")

    def _check(self) -> None:
        """The file is as long as the store says, and as it hashes it, where it says so."""
        if self._size is not None and self._received.size != self._size:
            raise self._error(f"{self._received.size} bytes came of {self._size}", ErrorKind.TRANSIENT)
        if self._md5 and b64decode(self._md5) != self._received.md5:
            raise self._again("what came is not what the store has hashed (Content-MD5)")

    def _refused(self, answer: Response, asked: bool) -> CloudApiError:
        """An answer that brings nothing.

        :param asked: True if its address was asked for just before.
        """
        status = answer.status_code
        if status in (401, 403) and not asked:
            self._address = ""
            return self._error("the address has expired", ErrorKind.TRANSIENT, status)
        if status in (412, 416):
            return self._again("the object has changed")
        if 300 <= status < 400:
            return self._error("the address leads to another one, which is not followed", ErrorKind.INVALID, status)
        code = _CODE.search(answer.raw.read(1 << 14, decode_content=True) or b"")
        error = self._error("the file is refused", _KINDS.get(status, ErrorKind.UNKNOWN), status)
        if status >= 500:
            error = error.but(kind=ErrorKind.TRANSIENT, message="the store has trouble")
        return error.but(
            code=code[1].decode() if code else "",
            request_id=answer.headers.get("x-oss-request-id", ""),
            retry_after=HttpAnswer(status, {"retry-after": answer.headers.get("Retry-After", "")}, b"").retry_after(
                time.time()
            ),
        )

    def _again(self, why: str) -> CloudApiError:
        """The file is begun anew."""
        self._mark = ""
        return self._error(f"{why}; it is begun anew", ErrorKind.TRANSIENT)

    def _error(self, what: str, kind: ErrorKind, status: int = 0) -> CloudApiError:
        host = urlsplit(self._address).netloc.rpartition("@")[2]
        return CloudApiError(f"{what} (host {host})", kind=kind, operation=OPERATION, http_status=status)


_KINDS = {
    403: ErrorKind.DENIED,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.TRANSIENT,
    429: ErrorKind.THROTTLED,
}
