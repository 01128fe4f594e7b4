# SPDX-License-Identifier: Apache-2.0
"""Object Storage Service, as far as a signed URL needs it: ``GET`` of one object, errors in XML."""

from __future__ import annotations

import io
import zipfile
from urllib.parse import quote, unquote, urlencode
from xml.sax.saxutils import escape

from airflow_cloudjobs.localcloud.accounts import OSS_ACCESS_KEY, OSS_SECRET
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call, Received
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.operation import Operation
from airflow_cloudjobs.localcloud.signatures import oss_url_signature, same

_BUCKET = "/idbsaasstore/"
_API = "dms.data_track_export"


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
    """GetObject: a zip with one SQL file, the result of an export."""
    name = unquote(call.received.path).removeprefix(_BUCKET)
    key = name.partition("_")[0]
    call.keys.append(key)
    job = call.state.jobs.get(_API, key)
    if job is None or not job.succeeded(call.now):
        raise Refused(404, "NoSuchKey", "The specified key does not exist.")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        undo = result_kind(job) == "UNDO"
        line = "DELETE FROM `orders` WHERE `id`=%d;\n" if undo else "INSERT INTO `orders` VALUES (%d);\n"
        statements = (line % number for number in range(int(job.fields.get("TotalCount", 69))))
        archive.writestr(name.removesuffix(".zip") + ".sql", "".join(statements))
    return Answer(200, packed.getvalue(), "application/zip", {"x-oss-request-id": call.received.request_id[:24]})


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
