# SPDX-License-Identifier: Apache-2.0
"""Every API, to both ends, in every way to wait: what becomes of each as events is in the folder ``expected``."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import DAG, Asset

from airflow_cloudjobs.alibaba.dms import DmsDataTrackExportOperator, DmsFileUploadOperator
from airflow_cloudjobs.alibaba.ice import IceUrlUploadOperator, IceUrlUploadSensor
from airflow_cloudjobs.alibaba.jobs import AlibabaJobOperator
from airflow_cloudjobs.api import JobApi
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator, DliSqlJobSensor
from airflow_cloudjobs.huawei.drs import DrsObjectTemplateOperator
from airflow_cloudjobs.huawei.jobs import HuaweiJobOperator

DECLARED = JobApi(
    "own.sql",
    "dli",
    submit="CreateSqlJob POST /v1.0/{project_id}/jobs/submit-job",
    key="job_id",
    poll="ShowSqlJobStatus GET /v1.0/{project_id}/jobs/{key}/status",
    status="status",
    running="LAUNCHING RUNNING",
    succeeded="FINISHED",
    failed="FAILED",
    sql="sql",
    secret="queue_name",
)
OBJECT = {"Endpoint": "oss-cn-hangzhou.aliyuncs.com", "BucketName": "raw", "ObjectName": "in/a.sql"}
QUICK = {"deferrable": False, "poll_interval": 1}
DEFERRED = {"deferrable": True, "poll_interval": 1}

with DAG("lineage", start_date=datetime(2026, 1, 1), schedule=None, max_active_tasks=64):
    DliSqlJobOperator(
        task_id="query",
        sql="INSERT OVERWRITE TABLE dw.daily SELECT o.* FROM Orders o JOIN `库`.`客户` c ON o.c = c.id -- c4nary",
        database="sales",
        **DEFERRED,
    )
    DliSqlJobOperator(
        task_id="query_shown",
        sql="CREATE TABLE daily USING parquet OPTIONS (path 'obs://b/daily') AS SELECT * FROM orders",
        show_sql=True,
        current_catalog="lake",
        database="sales",
        outlets=[Asset("file://store/report.csv")],
        **QUICK,
    )
    DliSqlJobOperator(task_id="query_failed", sql="SELECT * FROM sales.gone -- localcloud=fail c4nary", **DEFERRED)
    DliSqlJobOperator(task_id="query_unread", sql="SELECT c4nary FROM WHERE (", **QUICK)
    DmsFileUploadOperator(
        task_id="upload",
        file_name="orders.sql",
        file_source="datacorrect",
        upload_url="{{ var.value.signed }}",
        **QUICK,
    )
    DmsFileUploadOperator.partial(
        task_id="upload_oss", file_name="a.sql", file_source="datacorrect", **DEFERRED
    ).expand(upload_target=[OBJECT])
    DmsDataTrackExportOperator(task_id="export", order_id=4711, rollback_sql_type="REVERSE", **DEFERRED)
    IceUrlUploadOperator(
        task_id="media",
        upload_urls=["https://films.oss-cn-shanghai.aliyuncs.com/a.mp4", "{{ var.value.signed }}"],
        media_metadata=[{"SourceURL": "{{ var.value.signed }}", "Title": "b", "FileExtension": "mp4"}],
        **DEFERRED,
    )
    DrsObjectTemplateOperator(
        task_id="template", job_id="drs-1", file_path="{{ var.value.template }}", poll_interval=1, deferrable=False
    )
    AlibabaJobOperator(
        task_id="spark_failed",
        api="emr.spark_job",
        parameters={
            "workspaceId": "w-1",
            "name": "daily",
            "codeType": "JAR",
            "jobDriver": {"sparkSubmit": {"entryPoint": "oss://b/a.jar", "entryPointArguments": ["localcloud=fail"]}},
        },
        **QUICK,
    )
    HuaweiJobOperator(
        task_id="declared",
        api=DECLARED,
        parameters={"sql": "select c4nary from t", "queue_name": "{{ var.value.secret }}"},
        **DEFERRED,
    )
    DliSqlJobSensor(task_id="wait", job_id=["{{ var.value.good }}", "{{ var.value.long }}"], deferrable=True)
    DliSqlJobSensor(task_id="wait_begun", job_id="{{ var.value.long }}", deferrable=True, start_from_trigger=True)
    DliSqlJobSensor(
        task_id="wait_skipped", job_id="{{ var.value.bad }}", deferrable=False, poke_interval=1, soft_fail=True
    )
    IceUrlUploadSensor(
        task_id="look", upload_urls="https://films.test/c.mp4", deferrable=False, mode="poke", poke_interval=1
    )
