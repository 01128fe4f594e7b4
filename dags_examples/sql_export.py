# SPDX-License-Identifier: Apache-2.0
"""### Export what a query has found

`query` runs SQL on DLI, then exports the result to OBS by a second job that it waits for too; `load` goes on.

- XCom `return_value` of `query` is the query's result, with what became of the export in it.
- XCom `job_key` is the query, `export_job_key` the export.
- If the export fails, a retry makes a new export only: the query is not run again.
"""

import logging
from datetime import datetime

from airflow.sdk import DAG, task

from airflow_cloudjobs.huawei.dli import DliSqlJobOperator

log = logging.getLogger("airflow.task")


@task
def load(job: dict):
    log.info("the files are in %s", job["result"]["export"]["output_path"])


with DAG(
    "sql_export",
    description="Run SQL on Huawei Cloud DLI and export its result to OBS, as one task",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "huawei", "dli"],
):
    # [START howto_dli_export]
    query = DliSqlJobOperator(
        task_id="query",
        sql="SELECT city, count(*) FROM orders WHERE day = '{{ ds }}' GROUP BY city",
        output_path="obs://lake/orders/{{ ds }}",
        output_options={"export_mode": "Overwrite", "with_column_header": True},  # a clear writes the same directory
        deferrable=True,
        retries=2,  # a retry goes on with what is there, be it the query or the export
    )
    # [END howto_dli_export]
    load(query.output)
