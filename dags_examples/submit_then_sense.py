# SPDX-License-Identifier: Apache-2.0
"""Submit in one task and wait in another: the sensor can be retried or cleared without a second job."""

from datetime import datetime

from airflow.sdk import DAG

from airflow_cloudjobs.huawei.dli import DliSqlJobOperator, DliSqlJobSensor

with DAG("submit_then_sense", start_date=datetime(2026, 1, 1), schedule=None, tags=["cloudjobs"]):
    submit = DliSqlJobOperator(
        task_id="submit",
        sql="INSERT INTO totals SELECT sum(amount) FROM orders",
        wait_for_completion=False,
        retries=2,  # a retry finds the job of the attempt before
    )
    DliSqlJobSensor(task_id="wait", job_id=submit.output["job_key"], poke_interval=10, deferrable=True, retries=2)
