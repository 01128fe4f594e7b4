# SPDX-License-Identifier: Apache-2.0
"""The five APIs that have classes of their own, declared as data: what the generic tasks make of them must be the same.

What data cannot say is left out: the file of a DRS template, and several uploads by ICE that are told apart by address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_cloudjobs.alibaba.jobs import AlibabaJobOperator, AlibabaJobSensor
from airflow_cloudjobs.api import Call, Find, JobApi
from airflow_cloudjobs.huawei.jobs import HuaweiJobOperator, HuaweiJobSensor
from support import jobapis

DMS_UPLOAD = JobApi(
    "dms.file_upload",
    "dms-enterprise@2018-11-01",
    submit="CreateUploadFileJob",
    key="JobKey",
    poll=Call("GetUserUploadFileJob", query={"JobKey": "{key}", "Tid": "{Tid?}"}),
    job="UploadFileJobDetail",
    status="JobStatus",
    running="INIT PENDING BE_SCHEDULED RUNNING",
    succeeded="SUCCESS",
    failed="FAIL",
    reason="JobStatusDesc",
    progress="UploadedSize",
    interval=10,
    console="https://dms.aliyun.com/new",
)
DMS_EXPORT = JobApi(
    "dms.data_track_export",
    "dms-enterprise@2018-11-01",
    submit=Call("DownloadDataTrackResult", query={"OrderId": "{OrderId}"}),
    key="DownloadKeyId",
    poll=Call("QueryDataTrackResultDownloadStatus", query={"DownloadKeyId": "{key}", "OrderId": "{OrderId}"}),
    job="StatusResult",
    status="DownloadStatus",
    running="INIT LISTING DOWNLOADING",
    succeeded="DOWNLOAD_SUCCESS",
    failed="DOWNLOAD_FAIL",
    reason="StatusDesc",
    progress="TotalCount",
    signed_urls="DownloadUrl",
    interval=10,
    console="https://dms.aliyun.com/new",
)
ICE_UPLOAD = JobApi(
    "ice.url_upload",
    "ice@2020-11-09",
    submit=Call("UploadMediaByURL", query={"UploadURLs": "{UploadURLs:,}"}),
    key="UploadJobs[].JobId",
    poll=Call("GetUrlUploadInfos", query={"JobIds": "{keys:,}"}),
    job="URLUploadInfoList[JobId]",
    batch=10,
    status="Status",
    running="PENDING PROCESSING DOWNLOADING DOWNLOAD_SUCCESS UPLOADING UPLOAD_SUCCESS",
    succeeded="SUCCESS NORMAL",
    failed="DOWNLOAD_FAIL UPLOAD_FAIL UPLOADFAIL FAIL FAILED",
    cancelled="CANCELED CANCELLED",
    reason="ErrorCode ErrorMessage",
    interval=60,
    marked={"UserData": {"Extend": {"airflow_job": "{marker}"}}},
    find=Find(
        Call("GetUrlUploadInfos", query={"UploadURLs": "{UploadURLs:,}"}),
        "URLUploadInfoList[JobId]",
        "UserData",
        most=100,
    ),
    console="https://ims.console.aliyun.com/summary",
)
DLI_SQL = JobApi(
    "dli.sql_job",
    "dli",
    submit="CreateSqlJob POST /v1.0/{project_id}/jobs/submit-job",
    key="job_id",
    poll="ShowSqlJobStatus GET /v1.0/{project_id}/jobs/{key}/status",
    status="status",
    running="LAUNCHING RUNNING SCALING SUBMITTING",
    succeeded="FINISHED FINISH",
    failed="FAILED",
    cancelled="CANCELLED",
    reason="message",
    omit="statement",
    sql="sql",
    interval=10,
    cancel="CancelSqlJob DELETE /v1.0/{project_id}/jobs/{key}",
    marked={"tags": [{"key": "airflow_job", "value": "{marker}"}]},
    find=Find(
        Call(
            "ListSqlJobs GET /v1.0/{project_id}/jobs",
            query={"tags": "airflow_job={marker}", "page-size": "10", "order": "start_time_desc"},
        ),
        "jobs[job_id]",
        "tags",
    ),
    console="https://console.huaweicloud.com/dli/?region={region}",
)
DRS_TEMPLATE = JobApi(
    "drs.object_template",
    "drs",
    poll=Call(
        "ShowDbObjectTemplateProgress GET /v5/{project_id}/jobs/{key}/db-object/template/progress",
        query={"type": "{type?}"},
    ),
    status="process_status",
    running=("", "pending", "processing", "parsing", "running"),
    succeeded="success",
    failed="failed",
    reason="error_code error_msg",
    progress="parsed_success_number",
    interval=10,
    console="https://console.huaweicloud.com/drs/?region={region}#/drs/synchronization/list",
)


@dataclass(frozen=True)
class Twin:
    """An API declared, beside the one that has classes of its own.

    :param api: the declared one.
    :param by_hand: the other.
    :param new: the parameters of the same submit; empty where data cannot say it.
    :param scope: those that name a job beside its key.
    """

    api: JobApi
    by_hand: jobapis.JobApi
    new: Mapping[str, Any] = field(default_factory=dict)
    scope: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.api.api

    @property
    def operator(self) -> Callable[..., Any]:
        """The class that submits."""
        return AlibabaJobOperator if self.api.cloud == "alibaba" else HuaweiJobOperator

    @property
    def sensor(self) -> Callable[..., Any]:
        """The class that waits."""
        return AlibabaJobSensor if self.api.cloud == "alibaba" else HuaweiJobSensor


TWINS = (
    Twin(
        DMS_UPLOAD,
        jobapis.DMS_UPLOAD,
        {"FileName": "orders.sql", "FileSource": "datacorrect", "UploadURL": "https://files.test/orders.sql"},
    ),
    Twin(DMS_EXPORT, jobapis.DMS_EXPORT, {"OrderId": 4711, "RollbackSQLType": "REVERSE"}, {"OrderId": 4711}),
    Twin(ICE_UPLOAD, jobapis.ICE, {"UploadURLs": "https://files.test/film.mp4"}),
    Twin(
        DLI_SQL,
        jobapis.DLI,
        {"sql": "SELECT count(*) FROM orders", "conf": ["dli.sql.sqlasync.enabled=true"]},
    ),
    Twin(DRS_TEMPLATE, jobapis.DRS),
)
