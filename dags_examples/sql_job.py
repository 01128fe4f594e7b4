# SPDX-License-Identifier: Apache-2.0
"""### Run SQL on Huawei Cloud DLI

`query` submits the SQL and waits for its end, `report` reads what came of it.

- While the SQL runs `query` is *deferred*: it holds no worker. Its details have a link *Cloud console*.
- XCom `return_value` of `query` is the job's result; `report` writes a line of it to its log.
- Clear `query`, and a new job is submitted. Kill its worker, and the retry goes on with the job that is there.
"""

import logging
from datetime import datetime

from airflow.sdk import DAG, task

from airflow_cloudjobs.huawei.dli import DliSqlJobOperator

log = logging.getLogger("airflow.task")


@task
def report(job: dict):
    log.info("%s rows by job %s", job["result"]["result_count"], job["job_key"])


with DAG(
    "sql_job",
    description="Run SQL on Huawei Cloud DLI, then read the result's facts in the next task",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "huawei", "dli"],
):
    # [START howto_dli_sql_job]
    query = DliSqlJobOperator(
        task_id="query",
        sql="SELECT city, count(*) FROM orders WHERE day = '{{ ds }}' GROUP BY city",
        database="sales",
        queue_name="default",
        tags={"dag": "{{ dag.dag_id }}"},
        deferrable=True,
        retries=2,  # a retry goes on with the job of the attempt before
    )
    # [END howto_dli_sql_job]
    report(query.output)
