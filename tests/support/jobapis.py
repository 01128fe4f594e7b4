# SPDX-License-Identifier: Apache-2.0
"""The five job APIs as their users see them: which classes, which arguments, which words of the vendor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_cloudjobs.alibaba.dms import (
    DmsDataTrackExportOperator,
    DmsDataTrackExportSensor,
    DmsFileUploadOperator,
    DmsFileUploadSensor,
)
from airflow_cloudjobs.alibaba.ice import IceUrlUploadOperator, IceUrlUploadSensor
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator, DliSqlJobSensor
from airflow_cloudjobs.huawei.drs import DrsObjectTemplateOperator, DrsObjectTemplateSensor


@dataclass(frozen=True)
class JobApi:
    """One API.

    :param api: its public id.
    :param operator: the class that submits.
    :param sensor: the class that waits.
    :param key: the argument that names the job.
    :param new: the arguments of a submit; ``{key}`` and ``{file}`` are filled in.
    :param scope: the arguments that name a job beside its key.
    :param submit: the vendor's name of the submit.
    :param poll: the vendor's name of the poll.
    :param success: the raw status of success.
    :param failure: the raw status of failure.
    :param reason: whether the poll tells why a job failed.
    :param code: whether it has a code for that.
    :param console: how the address of the vendor's console begins.
    :param volatile: fields of the result that differ from job to job.
    """

    api: str
    operator: type[Any]
    sensor: type[Any]
    key: str
    new: Mapping[str, Any]
    submit: str
    poll: str
    success: str
    failure: str
    console: str
    scope: Mapping[str, Any] = field(default_factory=dict)
    reason: bool = True
    code: bool = False
    volatile: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.api

    @property
    def adopts(self) -> bool:
        """Whether the operator can wait for a job that exists."""
        return self.key not in self.new

    def submitting(self, key: str = "", file: str = "") -> dict[str, Any]:
        """The operator's arguments for a new job.

        :param key: the DRS task that it is for.
        :param file: a file to upload.
        """
        fills = {"{key}": key, "{file}": file}
        return {name: fills.get(str(value), value) for name, value in {**self.scope, **self.new}.items()}

    def waiting(self, key: Any) -> dict[str, Any]:
        """The arguments that name a job."""
        return {**self.scope, self.key: key}


DMS_UPLOAD = JobApi(
    api="dms.file_upload",
    operator=DmsFileUploadOperator,
    sensor=DmsFileUploadSensor,
    key="job_key",
    new={"file_name": "orders.sql", "file_source": "datacorrect", "upload_url": "https://files.test/orders.sql"},
    submit="CreateUploadFileJob",
    poll="GetUserUploadFileJob",
    success="SUCCESS",
    failure="FAIL",
    console="https://dms.aliyun.com/",
    volatile=("JobKey", "AttachmentKey", "UploadedSize"),
)
DMS_EXPORT = JobApi(
    api="dms.data_track_export",
    operator=DmsDataTrackExportOperator,
    sensor=DmsDataTrackExportSensor,
    key="download_key_id",
    new={"rollback_sql_type": "REVERSE"},
    scope={"order_id": 4711},
    submit="DownloadDataTrackResult",
    poll="QueryDataTrackResultDownloadStatus",
    success="DOWNLOAD_SUCCESS",
    failure="DOWNLOAD_FAIL",
    console="https://dms.aliyun.com/",
)
ICE = JobApi(
    api="ice.url_upload",
    operator=IceUrlUploadOperator,
    sensor=IceUrlUploadSensor,
    key="job_ids",
    new={"upload_urls": "https://files.test/film.mp4"},
    submit="UploadMediaByURL",
    poll="GetUrlUploadInfos",
    success="SUCCESS",
    failure="DOWNLOAD_FAIL",
    code=True,
    console="https://ims.console.aliyun.com/",
    volatile=("JobId", "MediaId", "CreationTime", "CompleteTime", "UserData"),
)
DLI = JobApi(
    api="dli.sql_job",
    operator=DliSqlJobOperator,
    sensor=DliSqlJobSensor,
    key="job_id",
    new={"sql": "SELECT count(*) FROM orders"},
    submit="CreateSqlJob",
    poll="ShowSqlJobStatus",
    success="FINISHED",
    failure="FAILED",
    console="https://console.huaweicloud.com/dli/",
    volatile=("job_id", "start_time", "duration", "result_path", "input_row_count", "user_conf"),
)
DRS = JobApi(
    api="drs.object_template",
    operator=DrsObjectTemplateOperator,
    sensor=DrsObjectTemplateSensor,
    key="job_id",
    new={"job_id": "{key}", "file_path": "{file}"},
    submit="UploadDbObjectTemplate",
    poll="ShowDbObjectTemplateProgress",
    success="success",
    failure="failed",
    reason=False,
    console="https://console.huaweicloud.com/drs/",
)
APIS = (DMS_UPLOAD, DMS_EXPORT, ICE, DLI, DRS)
BY_ID: Mapping[str, JobApi] = {api.api: api for api in APIS}

#: mode -> (operator or sensor, its arguments)
MODES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "blocking": ("operator", {"deferrable": False}),
    "deferrable": ("operator", {"deferrable": True}),
    "poke": ("sensor", {"mode": "poke"}),
    "reschedule": ("sensor", {"mode": "reschedule"}),
    "deferrable sensor": ("sensor", {"deferrable": True}),
}


def stable(api: JobApi, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result without what differs from job to job."""
    shown = {name: value for name, value in result.items() if name not in ("job_key", "request_id")}
    shown["result"] = {name: value for name, value in result["result"].items() if name not in api.volatile}
    return shown
