# SPDX-License-Identifier: Apache-2.0
"""### A job that fails, and a task that deals with it

`query` asks for a table that is not there, so its job **fails, as it is meant to here**; `handle` runs because it has.

- The log of `query` says why, in DLI's own words, and what to do next.
- XCom `return_value` of `query` is there although it failed: it is what `handle` reads.
- `retries=0`: a retry would submit the failed job anew before anybody deals with it.
"""

import logging
from datetime import datetime

from airflow.sdk import DAG, TriggerRule, task

from airflow_cloudjobs.huawei.dli import DliSqlJobOperator

log = logging.getLogger("airflow.task")


# [START howto_handle_failure]
@task(trigger_rule=TriggerRule.ONE_FAILED)
def handle(job: dict):
    log.info("job %s ended as %s: %s", job["job_key"], job["status"], job["result"]["message"])


with DAG(
    "failure_handled",
    description="A job that fails, and a task that deals with it: the failed job's result is in XCom all the same",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "huawei", "dli", "failure"],
):
    # No retries, unlike the other examples: they would submit a failed job anew before its failure is handled.
    query = DliSqlJobOperator(task_id="query", sql="SELECT * FROM missing_table", deferrable=True, retries=0)
    handle(query.output)
# [END howto_handle_failure]
