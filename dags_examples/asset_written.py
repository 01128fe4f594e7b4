# SPDX-License-Identifier: Apache-2.0
"""### Write a table, and say so

`totals` writes a table with SQL on Huawei Cloud DLI. The table is an *asset*: DAGs that are scheduled by it run next.

- The asset's event names the job: its API, key and status, and how much there is. See it on the page *Assets*.
- The event comes with success only. A retry that goes on with the job of the attempt before makes one event.
- The DAG `asset_read` is started by it.
"""

from datetime import datetime

from airflow.sdk import DAG, Asset

from airflow_cloudjobs.huawei.dli import DliSqlJobOperator

with DAG(
    "asset_written",
    description="Write a table that other DAGs wait for: the asset's event names the job, and how much there is",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "huawei", "dli", "events"],
):
    # [START howto_asset_written]
    DliSqlJobOperator(
        task_id="totals",
        sql="INSERT OVERWRITE TABLE totals SELECT city, sum(price) FROM orders GROUP BY city",
        database="sales",
        outlets=[Asset(name="totals", uri="obs://shop-warehouse/totals")],
        deferrable=True,
        retries=2,  # a retry goes on with the job of the attempt before
    )
    # [END howto_asset_written]
