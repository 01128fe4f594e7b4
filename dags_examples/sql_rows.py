# SPDX-License-Identifier: Apache-2.0
"""### The rows of a query on Huawei Cloud DLI, in the next task

`query` runs the SQL and puts the first rows of its result into XCom, `report` writes them to its log.

- Each row is an object by the names of its columns: `row["city"]`. DLI shows up to 1,000 rows of a result.
- `truncated` in the result tells whether there are more.
- Whoever reads XComs reads the rows: fetch counts and totals rather than people.
"""

import logging
from datetime import datetime

from airflow.sdk import DAG, task

from airflow_cloudjobs.huawei.dli import DliSqlJobOperator

log = logging.getLogger("airflow.task")


# [START howto_dli_rows]
@task
def report(job: dict):
    result = job["result"]
    for row in result["rows"]:
        log.info("%s", ", ".join(f"{name} is {value}" for name, value in row.items()))
    if result["truncated"]:
        log.warning("there are more rows than these: %s", result["result_count"])


with DAG(
    "sql_rows",
    description="Put the rows of a query on Huawei Cloud DLI into XCom, and go through them in the next task",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "huawei", "dli"],
):
    query = DliSqlJobOperator(
        task_id="query",
        sql="SELECT city, count(*) AS orders FROM orders WHERE day = '{{ ds }}' GROUP BY city ORDER BY orders DESC",
        database="sales",
        fetch_rows=20,
        deferrable=True,
        retries=2,  # a retry goes on with the job of the attempt before, and fetches from it
    )
    report(query.output)
# [END howto_dli_rows]
