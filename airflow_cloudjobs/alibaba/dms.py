# SPDX-License-Identifier: Apache-2.0
"""Alibaba Cloud Data Management (DMS, version 2018-11-01): file uploads and data-track exports."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_cloudjobs.alibaba.base import AlibabaOperator, AlibabaSensor
from airflow_cloudjobs.hook import CALL_PATIENCE
from airflow_cloudjobs.jobs.arguments import Arguments
from airflow_cloudjobs.jobs.compiled import compiled
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.job_api import Call, JobApi
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.save_to import SavesFile

if TYPE_CHECKING:
    from airflow_cloudjobs.download import Received

SERVICE = "dms-enterprise@2018-11-01"
CONSOLE = "https://dms.aliyun.com/new"
DOCS = "https://www.alibabacloud.com/help/en/dms/developer-reference/api-dms-enterprise-2018-11-01-"

FILE_ENDINGS = (".txt", ".sql")
FILE_SOURCES = ("datacorrect", "order_info_attachment", "big-file", "sqlreview")
UPLOAD_TARGET_FIELDS = ("Endpoint", "BucketName", "ObjectName")

ROLLBACK_SQL_TYPES = ("REVERSE", "FORWARD")
EVENT_TYPES = ("INSERT", "UPDATE", "DELETE")
COLUMN_OPERATORS = ("EQUAL", "NOT_EQUAL", "IN", "NOT_IN", "BETWEEN", "LESS", "MORE")


# File upload

FILE = {"FileName": "{file_name}", "FileSource": "{file_source}", "Tid": "{tid?}"}

UPLOAD = JobApi(
    "dms.file_upload",
    SERVICE,
    title="DMS file upload",
    source=DOCS + "getuseruploadfilejob",
    submit=Call("CreateUploadFileJob", query=FILE | {"UploadURL": "{upload_url}"}),
    key="JobKey",
    poll=Call("GetUserUploadFileJob", query={"JobKey": "{key}", "Tid": "{tid?}"}),
    job="UploadFileJobDetail",
    status="JobStatus",
    running="INIT PENDING BE_SCHEDULED RUNNING",
    succeeded="SUCCESS",
    failed="FAIL",
    case_sensitive=True,
    reason="JobStatusDesc",
    progress="{UploadedSize} of {FileSize} bytes",
    counts="FileSize",
    interval=10,
    console=CONSOLE,
)
_from_url = compiled(UPLOAD)
_from_oss = compiled(
    replace(UPLOAD, submit=Call("CreateUploadOSSFileJob", query=FILE | {"UploadTarget": "{upload_target}"}))
)


def _submit_upload(
    *, upload_url: str | None = None, upload_target: Mapping[str, str] | None = None, **arguments: Any
) -> ApiRequest:
    if upload_target is None:
        return _from_url.submit(upload_url=upload_url, **arguments)
    return _from_oss.submit(upload_target=upload_target, **arguments)


FILE_UPLOAD = replace(_from_url, submit=_submit_upload, parameters=(*_from_url.parameters, "upload_target"))


class DmsFileUploadOperator(AlibabaOperator):
    """Upload a file to DMS from an address or an OSS object, and wait until DMS has it.

    The result's ``AttachmentKey`` names the file in later DMS calls (``CreateOrder`` and its kin). DMS has no
    way to cancel an upload, and none to find one again: a submit without an answer is not repeated.
    Sources: CreateUploadFileJob, CreateUploadOSSFileJob, GetUserUploadFileJob.

    :param file_name: name of the file in DMS; ends with ``.txt`` or ``.sql``. None only with ``job_key``.
    :param file_source: what the file is for: ``datacorrect`` (change data), ``order_info_attachment``
        (attachment of a ticket), ``big-file`` (import of many records) or ``sqlreview`` (SQL review). None only with
        ``job_key``.
    :param upload_url: http or https address from which DMS fetches the file; None with ``upload_target``.
    :param upload_target: OSS object that DMS reads instead: ``{"Endpoint", "BucketName", "ObjectName"}``; None with
        ``upload_url``.
    :param job_key: an upload job that exists, or several, to wait for instead of starting one; None starts one.
    :param tid: DMS tenant id; None takes the connection's, or DMS's choice.

    For the other parameters, the result and what is raised see
    :class:`~airflow_cloudjobs.operator.CloudJobOperator`.
    """

    spec = FILE_UPLOAD
    key_argument = "job_key"
    named_by = "file_name"
    reads = ("upload_url", "upload_target")

    def __init__(
        self,
        *,
        file_name: str | None = None,
        file_source: str | None = None,
        upload_url: str | None = None,
        upload_target: Mapping[str, str] | None = None,
        job_key: str | Sequence[str] | None = None,
        tid: str | int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.file_name = file_name
        self.file_source = file_source
        self.upload_url = upload_url
        self.upload_target = upload_target
        self.job_key = job_key
        self.tid = tid

    def check(self, arguments: Arguments) -> None:
        """The limits that the API's pages give."""
        arguments.is_number("tid")
        if not self.is_new(arguments, "file_name", "file_source"):
            return
        arguments.is_text("file_name", "upload_url")
        arguments.ends_with("file_name", FILE_ENDINGS)
        arguments.one_of("file_source", FILE_SOURCES)
        arguments.exactly_one("upload_url", "upload_target")
        arguments.is_url("upload_url")
        arguments.has_fields("upload_target", UPLOAD_TARGET_FIELDS)


class DmsFileUploadSensor(AlibabaSensor):
    """Wait until DMS has a file. Source: GetUserUploadFileJob.

    :param job_key: the upload job, or several.
    :param tid: DMS tenant id; None takes the connection's, or DMS's choice.

    For the other parameters, the result and what is raised see
    :class:`~airflow_cloudjobs.sensor.CloudJobSensor`.
    """

    spec = FILE_UPLOAD
    key_argument = "job_key"

    def __init__(self, *, job_key: str | Sequence[str], tid: str | int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_key = job_key
        self.tid = tid

    def check(self, arguments: Arguments) -> None:
        """A key is needed."""
        arguments.required("job_key")
        arguments.keys("job_key")
        arguments.is_number("tid")


# Data-track export


EXPORT = JobApi(
    "dms.data_track_export",
    SERVICE,
    title="DMS data-track export",
    source=DOCS + "querydatatrackresultdownloadstatus",
    submit=Call(
        "DownloadDataTrackResult",
        query={
            "OrderId": "{order_id}",
            "RollbackSQLType": "{rollback_sql_type}",
            "FilterStartTime": "{filter_start_time?}",
            "FilterEndTime": "{filter_end_time?}",
            "FilterTableList": "{filter_table_list?}",
            "FilterTypeList": "{filter_type_list?}",
            "EventIdList": "{event_id_list?}",
            "ColumnFilter": "{column_filter?}",
            "Tid": "{tid?}",
        },
    ),
    key="DownloadKeyId",
    poll=Call(
        "QueryDataTrackResultDownloadStatus",
        query={"DownloadKeyId": "{key}", "OrderId": "{order_id}", "Tid": "{tid?}"},
    ),
    job="StatusResult",
    status="DownloadStatus",
    # DOWNLOAD_SUCCESS ends an export; in the status of the ticket itself the same word is a step on the way.
    running="INIT LISTING DOWNLOADING",
    succeeded="DOWNLOAD_SUCCESS",
    failed="DOWNLOAD_FAIL",
    case_sensitive=True,
    reason="StatusDesc",
    progress="{TotalCount} entries",
    counts="TotalCount",
    signed_urls="DownloadUrl",
    interval=10,
    console=CONSOLE,
)
_export = compiled(EXPORT)


def _submit_export(*, event_id_list: Sequence[int | str] | None = None, **arguments: Any) -> ApiRequest:
    events = event_id_list and [int(event) for event in event_id_list]  # a template gives texts
    return _export.submit(event_id_list=events, **arguments)


DATA_TRACK_EXPORT = replace(_export, submit=_submit_export)


class _SavesExport(SavesFile):
    """A task that saves the file of an export."""

    def _fetch_file(self, key: str, received: Received) -> str:
        from airflow_cloudjobs.download import download

        name = download(self.hook.get_conn(), lambda: self._download_url(key), received)
        return os.path.splitext(name)[1].lower()

    def _download_url(self, key: str) -> str:
        """A signed address of an export, new since it expires."""
        seen = self.hook.fetch(self.spec, [key], self._scope, patience=CALL_PATIENCE)[key]
        if isinstance(seen, CloudApiError):
            raise seen
        if not (url := seen.record.get("DownloadUrl")):
            raise CloudApiError("the export has no address", kind=ErrorKind.NOT_FOUND, request_id=seen.request_id)
        return str(url)


class DmsDataTrackExportOperator(_SavesExport, AlibabaOperator):
    """Export the result of a data-track ticket, and wait until it can be downloaded.

    DMS has no way to cancel an export. Sources: DownloadDataTrackResult, QueryDataTrackResultDownloadStatus.

    :param order_id: the ticket's id.
    :param rollback_sql_type: ``REVERSE`` (SQL that undoes the changes) or ``FORWARD`` (SQL that redoes them).
        None only with ``download_key_id``.
    :param filter_start_time: only changes from then on, ``yyyy-MM-dd HH:mm:ss``; None for all.
    :param filter_end_time: only changes until then, ``yyyy-MM-dd HH:mm:ss``; None for all.
    :param filter_table_list: only changes of these tables; None for all.
    :param filter_type_list: only changes of these types, of ``INSERT``, ``UPDATE``, ``DELETE``; None for all.
    :param event_id_list: only these events; None for all.
    :param column_filter: only changes of a column: ``{"ColumnName", "Operator", "Value", "InList",
        "BetweenStart", "BetweenEnd"}``; None for all.
    :param download_key_id: an export that exists, or several of the ticket, to wait for instead; None starts one.
    :param tid: DMS tenant id; None takes the connection's, or DMS's choice.
    :param include_download_url: True puts the signed ``DownloadUrl`` into the result; whoever can read XCom
        can then download the export until the address expires. Default False.
    :param save_to: where to save the export, as Airflow's ``ObjectStoragePath`` takes it: an absolute path on the
        worker, ``file:///…``, ``s3://conn_id@bucket/…``, … It is a file's path, or a folder's if it ends with ``/``:
        then the file is called ``KEY.zip`` (several keys need a folder). A file that is there is replaced. None saves
        nothing.

    For the other parameters, the result and what is raised see
    :class:`~airflow_cloudjobs.operator.CloudJobOperator`.
    """

    spec = DATA_TRACK_EXPORT
    key_argument = "download_key_id"
    named_by = "order_id"

    def __init__(
        self,
        *,
        order_id: str | int,
        rollback_sql_type: str | None = None,
        filter_start_time: str | None = None,
        filter_end_time: str | None = None,
        filter_table_list: Sequence[str] | None = None,
        filter_type_list: Sequence[str] | None = None,
        event_id_list: Sequence[int] | None = None,
        column_filter: Mapping[str, Any] | None = None,
        download_key_id: str | Sequence[str] | None = None,
        tid: str | int | None = None,
        include_download_url: bool = False,
        save_to: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.order_id = order_id
        self.rollback_sql_type = rollback_sql_type
        self.filter_start_time = filter_start_time
        self.filter_end_time = filter_end_time
        self.filter_table_list = filter_table_list
        self.filter_type_list = filter_type_list
        self.event_id_list = event_id_list
        self.column_filter = column_filter
        self.download_key_id = download_key_id
        self.tid = tid
        self.include_download_url = include_download_url
        self.save_to = save_to

    def check(self, arguments: Arguments) -> None:
        """The limits that the API's pages give."""
        arguments.required("order_id")
        arguments.is_number("order_id", "tid")
        self._check_save_to(arguments)
        if not self.is_new(arguments, "rollback_sql_type"):
            return
        arguments.one_of("rollback_sql_type", ROLLBACK_SQL_TYPES)
        for name in ("filter_start_time", "filter_end_time"):
            if arguments.known(name) and not _is_moment(arguments.values[name]):
                raise arguments.refuse(name, f"is {arguments.values[name]!r}; its form is yyyy-MM-dd HH:mm:ss")
        for name in ("filter_table_list", "filter_type_list", "event_id_list"):
            arguments.is_list(name)
        arguments.each_one_of("filter_type_list", EVENT_TYPES)
        arguments.each_number("event_id_list")
        optional = ("Value", "InList", "BetweenStart", "BetweenEnd")
        arguments.has_fields("column_filter", ("ColumnName", "Operator"), optional)
        if arguments.known("column_filter"):
            operator = arguments.values["column_filter"]["Operator"]
            if operator not in COLUMN_OPERATORS:
                allowed = ", ".join(COLUMN_OPERATORS)
                raise arguments.refuse("column_filter", f"has Operator {operator!r}; allowed are {allowed}")


class DmsDataTrackExportSensor(_SavesExport, AlibabaSensor):
    """Wait until the export of a data-track ticket can be downloaded.

    Source: QueryDataTrackResultDownloadStatus.

    :param order_id: the ticket's id.
    :param download_key_id: the export, or several of the ticket.
    :param tid: DMS tenant id; None takes the connection's, or DMS's choice.
    :param include_download_url: True puts the signed ``DownloadUrl`` into the result; whoever can read XCom
        can then download the export until the address expires. Default False.
    :param save_to: where to save the export, as Airflow's ``ObjectStoragePath`` takes it: an absolute path on the
        worker, ``file:///…``, ``s3://conn_id@bucket/…``, … It is a file's path, or a folder's if it ends with ``/``:
        then the file is called ``KEY.zip`` (several keys need a folder). A file that is there is replaced. None saves
        nothing.

    For the other parameters, the result and what is raised see
    :class:`~airflow_cloudjobs.sensor.CloudJobSensor`.
    """

    spec = DATA_TRACK_EXPORT
    key_argument = "download_key_id"

    def __init__(
        self,
        *,
        order_id: str | int,
        download_key_id: str | Sequence[str],
        tid: str | int | None = None,
        include_download_url: bool = False,
        save_to: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.order_id = order_id
        self.download_key_id = download_key_id
        self.tid = tid
        self.include_download_url = include_download_url
        self.save_to = save_to

    def check(self, arguments: Arguments) -> None:
        """Ticket and key are needed."""
        arguments.required("order_id", "download_key_id")
        arguments.is_number("order_id", "tid")
        arguments.keys("download_key_id")
        self._check_save_to(arguments)


def _is_moment(value: Any) -> bool:
    form = "%Y-%m-%d %H:%M:%S"
    try:
        return bool(datetime.strptime(value, form).strftime(form) == value)
    except (TypeError, ValueError):
        return False
