# SPDX-License-Identifier: Apache-2.0
"""A job that fails, and a task that deals with it: the failed job's result is in XCom all the same."""

from datetime import datetime

from airflow.sdk import DAG, TriggerRule, task

from airflow_cloudjobs.huawei.dli import DliSqlJobOperator


@task(trigger_rule=TriggerRule.ONE_FAILED)
def handle(job: dict):
    print(f"job {job['job_key']} ended as {job['status']}: {job['result']['message']}")


with DAG("failure_handled", start_date=datetime(2026, 1, 1), schedule=None, tags=["cloudjobs", "expect:query=failed"]):
    # No retries, unlike the other examples: they would submit a failed job anew before its failure is handled.
    query = DliSqlJobOperator(task_id="query", sql="SELECT * FROM missing_table", deferrable=True, retries=0)
    handle(query.output)
