# SPDX-License-Identifier: Apache-2.0
"""### Run a job of an API that has no operator of its own

`QUERY` says in the vendor's words how a job is submitted, asked for and cancelled; `HuaweiJobOperator` does the rest.

- Everything is as with the operators that come with the package: deferred wait, submit once, cancel, result, link.
- `marked` and `find` are what makes a retry find the job of a worker that was lost.
- `cloudjobs check-api FILE` says what is wrong with such a declaration, and `cloudjobs apis` which there are already.
"""

from datetime import datetime

from airflow.sdk import DAG

from airflow_cloudjobs.api import Call, Find, JobApi
from airflow_cloudjobs.huawei.jobs import HuaweiJobOperator

# [START howto_declared_api]
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

with DAG(
    "declared_api",
    description="Run a job of an API without an operator of its own: a JobApi says how, in the vendor's words",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "huawei", "dli", "declared"],
):
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
# [END howto_declared_api]
