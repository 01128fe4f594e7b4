# SPDX-License-Identifier: Apache-2.0
"""Run a job of an API without an operator of its own: a JobApi says how, in the vendor's words."""

from datetime import datetime

from airflow.sdk import DAG

from airflow_cloudjobs.api import Call, Find, JobApi
from airflow_cloudjobs.huawei.jobs import HuaweiJobOperator

QUERY = JobApi(
    "dli.query",
    "dli",
    submit="CreateSqlJob POST /v1.0/{project_id}/jobs/submit-job",
    key="job_id",
    poll="ShowSqlJobStatus GET /v1.0/{project_id}/jobs/{key}/status",
    status="status",
    running="LAUNCHING RUNNING SCALING SUBMITTING",
    succeeded="FINISHED",
    failed="FAILED",
    cancelled="CANCELLED",
    reason="message",
    cancel="CancelSqlJob DELETE /v1.0/{project_id}/jobs/{key}",
    # A retry finds by this tag what the attempt before has submitted.
    marked={"tags": [{"key": "airflow_job", "value": "{marker}"}]},
    find=Find(
        Call("ListSqlJobs GET /v1.0/{project_id}/jobs", query={"tags": "airflow_job={marker}"}), "jobs[job_id]", "tags"
    ),
    source="https://support.huaweicloud.com/intl/en-us/api-dli/dli_02_0102.html",
)

with DAG("declared_api", start_date=datetime(2026, 1, 1), schedule=None, tags=["cloudjobs"]):
    HuaweiJobOperator(
        task_id="query",
        api=QUERY,
        parameters={
            "sql": "SELECT count(*) FROM orders WHERE day = '{{ ds }}'",
            "currentdb": "sales",
            "queue_name": "default",
        },
        deferrable=True,
        retries=2,
    )
