# SPDX-License-Identifier: Apache-2.0
"""### Check data on Huawei Cloud DLI before it is used

`load` fills a table, `check` asks whether there is anything in it, with an operator of Airflow's own `common.sql`.

- `check` finds DLI by the type of its connection, *Huawei Cloud DLI SQL (cloudjobs)*. `load` takes the same connection.
- A check that does not hold fails the task, and nothing after it runs.
- A check waits on its worker; kill it, and its job is cancelled.
"""

from datetime import datetime

from airflow.providers.common.sql.operators.sql import SQLCheckOperator
from airflow.sdk import DAG

from airflow_cloudjobs.huawei.dli import DliSqlJobOperator

with DAG(
    "sql_check",
    description="Check data on Huawei Cloud DLI with an operator of common.sql before it is used",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "huawei", "dli", "quality"],
):
    # [START howto_dli_check]
    load = DliSqlJobOperator(
        task_id="load",
        sql="INSERT INTO sales.totals SELECT '{{ ds }}', sum(amount) FROM sales.orders WHERE day = '{{ ds }}'",
        deferrable=True,
        retries=2,
    )
    check = SQLCheckOperator(
        task_id="check",
        conn_id="huaweicloud_default",
        sql="SELECT count(*) FROM totals WHERE day = '{{ ds }}'",
        database="sales",
        retries=2,
    )
    load >> check
    # [END howto_dli_check]
