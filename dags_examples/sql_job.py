# SPDX-License-Identifier: Apache-2.0
"""Run SQL on Huawei Cloud DLI, then read the result's facts in the next task."""

from datetime import datetime

from airflow.sdk import DAG, task

from airflow_cloudjobs.huawei.dli import DliSqlJobOperator


@task
def report(job: dict):
    print(f"{job['result']['result_count']} rows by job {job['job_key']}")


with DAG("sql_job", start_date=datetime(2026, 1, 1), schedule=None, tags=["cloudjobs"]):
    query = DliSqlJobOperator(
        task_id="query",
        sql="SELECT city, count(*) FROM orders WHERE day = '{{ ds }}' GROUP BY city",
        database="sales",
        queue_name="default",
        tags={"dag": "{{ dag.dag_id }}"},
        deferrable=True,
        retries=2,  # a retry goes on with the job of the attempt before
    )
    report(query.output)
