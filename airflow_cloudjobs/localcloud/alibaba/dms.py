# SPDX-License-Identifier: Apache-2.0
"""Data Management (DMS) 2018-11-01: file uploads, exports of data-track results, tenants.

The documented samples of successful answers carry ``ErrorCode`` and ``ErrorMessage`` "UnknownError"; so do
these.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from typing import Any

from airflow_cloudjobs.localcloud.alibaba import oss
from airflow_cloudjobs.localcloud.alibaba.rpc import answer, invalid, long, one_of, required, structured
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.clock import parse
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.operation import Operation

VERSION = "2018-11-01"
UPLOAD = "dms.file_upload"
EXPORT = "dms.data_track_export"
ACTIVE_TENANT = 3001

_SOURCES = ("datacorrect", "order_info_attachment", "big-file", "sqlreview")
_COLUMN_OPERATORS = ("EQUAL", "NOT_EQUAL", "IN", "NOT_IN", "BETWEEN", "LESS", "MORE")


def create_upload_file_job(call: Call) -> Answer:
    """CreateUploadFileJob: fetch a file from a URL."""
    fields = _file(call)
    url = required(call, "UploadURL")
    if not re.match(r"https?://[^/]", url):
        raise invalid("UploadURL", "only HTTP and HTTPS URLs are supported")
    fields.update(UploadType="URL", UploadURL=url)
    return _start_upload(call, fields, f"{fields['FileName']} {url}")


def create_upload_oss_file_job(call: Call) -> Answer:
    """CreateUploadOSSFileJob: fetch a file from an OSS bucket."""
    fields = _file(call)
    required(call, "UploadTarget")
    target = structured(call, "UploadTarget", dict)
    for name in ("BucketName", "Endpoint", "ObjectName"):
        if not isinstance(target.get(name), str) or not target[name]:
            raise Refused(400, "MissingParameter", f'The input parameter "UploadTarget.{name}" is not supplied.')
    fields.update(UploadType="OSS", UploadOSSParam=target)
    return _start_upload(call, fields, f"{fields['FileName']} {target['ObjectName']}")


def get_user_upload_file_job(call: Call) -> Answer:
    """GetUserUploadFileJob: how far a file upload is."""
    key = required(call, "JobKey")
    call.keys.append(key)
    job = _find(call, UPLOAD, key)
    if job is None:
        return _not_found(call, f"The file upload job {key} does not exist.")
    now, fields = call.now, job.fields
    status = call.status(job, now)
    name = fields.get("FileName", "file.sql")
    size = int(fields.get("FileSize", _pretended_size(name)))
    detail: dict[str, Any] = {
        "JobKey": job.key,
        "FileName": name,
        "FileSize": size,
        "FileSource": fields.get("FileSource", "datacorrect"),
        "UploadType": fields.get("UploadType", "URL"),
    }
    for place in ("UploadURL", "UploadOSSParam"):
        if place in fields:
            detail[place] = fields[place]
    detail.update(
        UploadedSize=int(size * job.progress(now)),
        JobStatus=status,
        JobStatusDesc=_description(job, status, now),
    )
    if job.succeeded(now):
        detail["AttachmentKey"] = fields.get("AttachmentKey", f"upload_{job.key}_{name}")
    return _success(call, UploadFileJobDetail=detail)


def download_data_track_result(call: Call) -> Answer:
    """DownloadDataTrackResult: export the result of a data-track ticket."""
    required(call, "OrderId")
    fields: dict[str, Any] = {
        "OrderId": long(call, "OrderId"),
        "RollbackSQLType": one_of(call, "RollbackSQLType", ("REVERSE", "FORWARD")),
        "Tid": _tenant(call),
    }
    for name in ("FilterStartTime", "FilterEndTime"):
        moment = call.parameters.get(name, "")
        if moment and parse(moment, "%Y-%m-%d %H:%M:%S") is None:
            raise invalid(name, "the form is yyyy-MM-dd HH:mm:ss")
    for name in ("FilterTableList", "FilterTypeList", "EventIdList"):
        fields[name] = structured(call, name, list)
    column = structured(call, "ColumnFilter", dict)
    if column is not None and column.get("Operator") not in _COLUMN_OPERATORS:
        raise invalid("ColumnFilter.Operator", f"valid values are {', '.join(_COLUMN_OPERATORS)}")
    key = f"{secrets.token_hex(4)}-" + "-".join(secrets.token_hex(2) for _ in range(3)) + f"-{secrets.token_hex(6)}"
    subject = json.dumps([fields["FilterTableList"], column], ensure_ascii=False)
    call.state.submit(EXPORT, key, fields, call.state.script(EXPORT, subject))
    call.keys.append(key)
    return _success(call, DownloadKeyId=key)


def query_data_track_result_download_status(call: Call) -> Answer:
    """QueryDataTrackResultDownloadStatus: how far an export is, and where its result can be fetched."""
    required(call, "OrderId")
    order, key = long(call, "OrderId"), required(call, "DownloadKeyId")
    call.keys.append(key)
    job = _find(call, EXPORT, key)
    if job is None or job.fields.get("OrderId", order) != order:
        return _not_found(call, f"The download key {key} of the ticket {order} does not exist.")
    now = call.now
    status = call.status(job, now)
    total = int(job.fields.get("TotalCount", 69))
    result: dict[str, Any] = {"DownloadStatus": status}
    if job.succeeded(now):
        # The line break at the end is in the vendor's sample.
        result["DownloadUrl"] = oss.signed_url(call, f"{key}_{oss.result_kind(job)}_{order}.zip") + "\n"
    result["StatusDesc"] = _description(job, status, now).upper() if not job.ended(now) else _end(job, "SUCCESS")
    result["TotalCount"] = int(total * job.progress(now))
    return _success(call, StatusResult=result)


def list_user_tenants(call: Call) -> Answer:
    """ListUserTenants: the tenants of the caller."""
    _tenant(call)
    tenants = [
        _tenant_of(ACTIVE_TENANT, "ACTIVE", "localcloud"),
        _tenant_of(3002, "IN_ACTIVE", "localcloud-old"),
    ]
    return _success(call, TenantList=tenants)


def get_user_active_tenant(call: Call) -> Answer:
    """GetUserActiveTenant: the tenant in use."""
    _tenant(call)
    return _success(call, Tenant=_tenant_of(ACTIVE_TENANT, "ACTIVE", "localcloud"))


OPERATIONS = (
    Operation("alibaba", "dms", "CreateUploadFileJob", "submit", create_upload_file_job, UPLOAD),
    Operation("alibaba", "dms", "CreateUploadOSSFileJob", "submit", create_upload_oss_file_job, UPLOAD),
    Operation("alibaba", "dms", "GetUserUploadFileJob", "poll", get_user_upload_file_job, UPLOAD),
    Operation("alibaba", "dms", "DownloadDataTrackResult", "submit", download_data_track_result, EXPORT),
    Operation(
        "alibaba",
        "dms",
        "QueryDataTrackResultDownloadStatus",
        "poll",
        query_data_track_result_download_status,
        EXPORT,
    ),
    Operation("alibaba", "dms", "ListUserTenants", "read", list_user_tenants),
    Operation("alibaba", "dms", "GetUserActiveTenant", "read", get_user_active_tenant),
)


def _success(call: Call, **fields: Any) -> Answer:
    return answer(call, {"Success": True, "ErrorMessage": "UnknownError", "ErrorCode": "UnknownError", **fields})


def _not_found(call: Call, message: str) -> Answer:
    form = call.state.settings.dms_not_found
    if form == "absent":
        return _success(call)
    raise Refused(200 if form == "soft" else 404, "JobNotExist", message)


def _tenant(call: Call) -> int:
    tenant = long(call, "Tid")
    return ACTIVE_TENANT if tenant is None else tenant


def _tenant_of(tid: int, status: str, name: str) -> dict[str, Any]:
    return {"Status": status, "TenantName": name, "Tid": tid}


def _find(call: Call, api: str, key: str) -> Job | None:
    """A job of the caller's tenant: one submitted for another tenant is not seen from here."""
    tenant = _tenant(call)
    job = call.state.jobs.get(api, key)
    return job if job is not None and job.fields.get("Tid", tenant) == tenant else None


def _file(call: Call) -> dict[str, Any]:
    name = required(call, "FileName")
    if not name.endswith((".txt", ".sql")):
        raise invalid("FileName", "the name of the file must end with .txt or .sql")
    return {"FileName": name, "FileSource": one_of(call, "FileSource", _SOURCES), "Tid": _tenant(call)}


def _start_upload(call: Call, fields: dict[str, Any], subject: str) -> Answer:
    key = secrets.token_hex(13)[:25]
    call.state.submit(UPLOAD, key, fields, call.state.script(UPLOAD, subject))
    call.keys.append(key)
    return _success(call, JobKey=key)


def _pretended_size(name: str) -> int:
    return 100_000 + int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:5], 16) * 4


def _description(job: Job, status: Any, now: float) -> str:
    return _end(job, "success") if job.ended(now) else str(status or "").lower()


def _end(job: Job, success: str) -> str:
    return success if job.script.succeeds else job.script.reason
