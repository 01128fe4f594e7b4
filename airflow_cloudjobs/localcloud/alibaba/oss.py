# SPDX-License-Identifier: Apache-2.0
"""Object Storage Service, as far as a signed URL needs it: ``GET`` of one object or of a part of it, errors in XML.

Source: https://www.alibabacloud.com/help/en/oss/developer-reference/getobject (``Range``, ``If-Match``).
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from base64 import b64encode
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, urlencode
from xml.sax.saxutils import escape

from airflow_cloudjobs.localcloud.accounts import OSS_ACCESS_KEY, OSS_SECRET
from airflow_cloudjobs.localcloud.answers import Answer, Pieces, Refused
from airflow_cloudjobs.localcloud.call import Call, Received
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.operation import Operation
from airflow_cloudjobs.localcloud.signatures import oss_url_signature, same

_BUCKET = "/idbsaasstore/"
_API = "dms.data_track_export"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_BLOCK = 1 << 20
#: Objects up to this size are put in one call, so the store knows their MD5 hash.
_PUT_AT_ONCE = 1 << 20


def serves(path: str) -> bool:
    """Whether a path is in the bucket.

    :param path: path of the request.
    """
    return path.startswith(_BUCKET)


def result_kind(job: Job) -> str:
    """The word in the name of a result: ``UNDO`` for reverse SQL, ``REDO`` for forward SQL.

    :param job: the export.
    """
    return "UNDO" if job.fields.get("RollbackSQLType") == "REVERSE" else "REDO"


def signed_url(call: Call, name: str) -> str:
    """A signed URL of an object, on the host through which the caller came.

    :param call: the call that is answered with it.
    :param name: name of the object.
    """
    expires = int(call.state.clock.shown() + call.state.settings.download_url_seconds)
    signature = oss_url_signature(OSS_SECRET, _BUCKET + name, expires)
    query = urlencode({"Expires": expires, "OSSAccessKeyId": OSS_ACCESS_KEY, "Signature": signature})
    return f"{call.received.base_url}{_BUCKET}{quote(name)}?{query}"


def authenticate(call: Call) -> None:
    """Check the signature and the end of a signed URL.

    :param call: the download.
    :raises Refused: ``AccessDenied``, ``InvalidAccessKeyId`` or ``SignatureDoesNotMatch``, as OSS answers.
    """
    parameters = call.parameters
    if call.received.method != "GET":
        raise Refused(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
    expires, signature = parameters.get("Expires", ""), parameters.get("Signature", "")
    if not (expires.isdigit() and signature):
        raise Refused(403, "AccessDenied", "You have no right to access this object because of bucket acl.")
    if parameters.get("OSSAccessKeyId") != OSS_ACCESS_KEY:
        raise Refused(403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records.")
    if int(expires) < call.state.clock.shown():
        raise Refused(403, "AccessDenied", "Request has expired.")
    resource = unquote(call.received.path)
    if not same(signature, oss_url_signature(OSS_SECRET, resource, int(expires))):
        raise Refused(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
        )


def get_object(call: Call) -> Answer:
    """GetObject: a zip with one SQL file, the result of an export.

    Its job's fields say more of it: ``ObjectSize`` (bytes of the SQL file, instead of one line for each of
    ``TotalCount``), ``ObjectVersion`` (another one is another object), ``ObjectCut`` (True: half of it was stored).
    """
    name = unquote(call.received.path).removeprefix(_BUCKET)
    key = name.partition("_")[0]
    call.keys.append(key)
    job = call.state.jobs.get(_API, key)
    if job is None or not job.succeeded(call.now):
        raise Refused(404, "NoSuchKey", "The specified key does not exist.")
    fields = job.fields
    undo = result_kind(job) == "UNDO"
    line = b"DELETE FROM `orders` WHERE `id`=%d;\n" if undo else b"INSERT INTO `orders` VALUES (%d);\n"
    member = name.removesuffix(".zip") + ".sql"
    size = fields.get("ObjectSize")
    if size is None:
        content = b"".join(line % number for number in range(int(fields.get("TotalCount", 69))))
        packed = _packed(member, content, 1)
    else:
        block = (line % 1) * (_BLOCK // len(line % 1))
        packed = _packed(member, block, max(1, int(size) // len(block)))
    body = Pieces(packed)
    if fields.get("ObjectCut"):
        body = body[: len(body) // 2]
    return _part(call, body, _hashes(name, body, fields.get("ObjectVersion", 1)))


@lru_cache(maxsize=8)
def _packed(member: str, block: bytes, times: int) -> tuple[bytes, ...]:
    """A zip in pieces: one file in it, of a block again and again."""
    written = _Written()
    about = zipfile.ZipInfo(member, (2024, 1, 15, 8, 0, 0))
    about.compress_type = zipfile.ZIP_DEFLATED if times == 1 else zipfile.ZIP_STORED
    with zipfile.ZipFile(written, "w") as archive, archive.open(about, "w", force_zip64=times > 1) as file:
        for _ in range(times):
            file.write(block)
    return tuple(written.pieces)


class _Written:
    """Keeps what is written to it as it is, so that the same block is kept once."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, piece: bytes, /) -> int:
        self.pieces.append(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is to be done."""


def _hashes(name: str, body: Pieces, version: Any) -> dict[str, str]:
    """The headers by which an object is known. The ETag of one that was put in parts is no hash of its content."""
    if len(body) > _PUT_AT_ONCE:
        digest = hashlib.md5(f"{name} {len(body)} {version}".encode(), usedforsecurity=False)
        return {"ETag": f'"{digest.hexdigest().upper()}-{len(body) // _PUT_AT_ONCE + 1}"'}
    digest = hashlib.md5(b"".join(body), usedforsecurity=False)
    headers = {"Content-MD5": b64encode(digest.digest()).decode()}
    return {"ETag": f'"{digest.hexdigest().upper()}{"" if version == 1 else version}"', **headers}


def _part(call: Call, body: Pieces, headers: dict[str, str]) -> Answer:
    """What of an object is asked for."""
    headers |= {"Accept-Ranges": "bytes", "x-oss-request-id": call.received.request_id[:24].upper()}
    if (match := call.received.header("if-match")) and match != headers["ETag"]:
        raise Refused(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
    asked = _RANGE.fullmatch(call.received.header("range"))
    if not asked:
        return Answer(200, body, "application/zip", headers)
    start, size = int(asked[1]), len(body)
    if start >= size:
        raise Refused(416, "InvalidRange", "The requested range cannot be satisfied.")
    stop = min(size, int(asked[2]) + 1) if asked[2] else size
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return Answer(206, body[start:stop], "application/zip", headers)


def error_body(received: Received, code: str, message: str) -> bytes:
    """An error in OSS's form.

    :param received: the request.
    :param code: the error code.
    :param message: the message.
    """
    fields = {
        "Code": code,
        "Message": message,
        "RequestId": received.request_id[:24].upper(),
        "HostId": received.header("host"),
    }
    lines = "".join(f"  <{name}>{escape(value)}</{name}>\n" for name, value in fields.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n{lines}</Error>\n'.encode()


GET_OBJECT = Operation("alibaba", "oss", "GetObject", "read", get_object)
