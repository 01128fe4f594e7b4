# SPDX-License-Identifier: Apache-2.0
"""Tasks on jobs that never end by themselves, to be stopped in all the ways there are."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_cloudjobs.huawei.dli import DliSqlJobOperator

AGAIN = {"retries": 1, "retry_delay": timedelta(seconds=0)}

with DAG("kills", start_date=datetime(2026, 1, 1), schedule=None):
    for name, arguments in {
        "deferred_failed": {"deferrable": True},
        "deferred_cleared": {"deferrable": True},
        "deferred_moved": {"deferrable": True},
        "running_failed": {},
        "running_succeeded": {},
        "worker_replaced": AGAIN,
        "worker_gone": {},
    }.items():
        DliSqlJobOperator(task_id=name, sql=f"SELECT '{name}' -- localcloud=forever", poll_interval=1, **arguments)
    DliSqlJobOperator(task_id="adopted", job_id="adopted", deferrable=True, poll_interval=1)
