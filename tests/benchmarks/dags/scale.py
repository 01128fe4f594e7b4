# SPDX-License-Identifier: Apache-2.0
"""Many mapped tasks with jobs of 1 to 20 s, in several ways; the run's ``conf`` says how many."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import DAG, get_parsing_context, task

from airflow_cloudjobs.huawei.dli import DliSqlJobOperator

#: DAG -> the operator's arguments.
WAYS: dict[str, dict[str, Any]] = {
    "deferrable": {"deferrable": True},
    "end_from_trigger": {"deferrable": True, "end_from_trigger": True},
    "blocking": {"deferrable": False},
    "project_id": {"deferrable": True, "huaweicloud_conn_id": "huaweicloud_project_id"},
}

#: The DAG that a worker has come for; it pays for no other.
wanted = get_parsing_context().dag_id

for way, arguments in WAYS.items():
    if wanted not in (None, way):
        continue
    # A retry would find its job's success, and hide that Airflow has failed a task.
    with DAG(way, start_date=datetime(2026, 1, 1), schedule=None, default_args={"retries": 0}):

        @task
        def statements(dag_run: Any = None) -> list[str]:
            """Write the SQL of the jobs."""
            count = dag_run.conf["jobs"]
            return [f"SELECT {number} /* localcloud.seconds={1 + number % 20} */" for number in range(count)]

        DliSqlJobOperator.partial(task_id="job", **arguments).expand(sql=statements())
