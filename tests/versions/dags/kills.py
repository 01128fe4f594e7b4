# SPDX-License-Identifier: Apache-2.0
"""Tasks on jobs that never end by themselves, to be stopped in all the ways there are."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_cloudjobs.huawei.dli import DliSqlJobOperator

AGAIN = {"retries": 1, "retry_delay": timedelta(seconds=0)}

TASKS = {
    "kills": {
        "deferred_failed": {"deferrable": True},
        "deferred_moved": {"deferrable": True},
        "running_failed": {},
        "running_succeeded": {},
        "worker_replaced": AGAIN,
        "worker_gone": {},
        "adopted": {"job_id": "adopted", "deferrable": True},
    },
    # A run of its own, since Airflow says of a clear only in which run it was.
    "kills_cleared": {"deferred_cleared": {"deferrable": True}, "beside_cleared": AGAIN},
}

for dag_id, tasks in TASKS.items():
    with DAG(dag_id, start_date=datetime(2026, 1, 1), schedule=None):
        for name, arguments in tasks.items():
            job = {} if "job_id" in arguments else {"sql": f"SELECT '{name}' -- localcloud=forever"}
            DliSqlJobOperator(task_id=name, poll_interval=1, **job, **arguments)
