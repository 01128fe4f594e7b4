# SPDX-License-Identifier: Apache-2.0
"""### Submit in one task and wait in another

`submit` ends as soon as DLI has the job, `wait` is a sensor for its key.

- XCom `job_key` of `submit` is what `wait` is given.
- Clear `wait`, and the same job is looked at once more: no second one is submitted.
- `wait` may stand in another DAG, or wait for a job that no Airflow has submitted.
"""

from datetime import datetime

from airflow.sdk import DAG

from airflow_cloudjobs.huawei.dli import DliSqlJobOperator, DliSqlJobSensor

with DAG(
    "submit_then_sense",
    description="Submit in one task and wait in another: the sensor can be cleared without a second job",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "huawei", "dli", "sensor"],
):
    # [START howto_submit_then_sense]
    submit = DliSqlJobOperator(
        task_id="submit",
        sql="INSERT INTO totals SELECT sum(amount) FROM orders",
        wait_for_completion=False,
        retries=2,  # a retry finds the job of the attempt before
    )
    DliSqlJobSensor(task_id="wait", job_id=submit.output["job_key"], poke_interval=10, deferrable=True, retries=2)
    # [END howto_submit_then_sense]
