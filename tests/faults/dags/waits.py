# SPDX-License-Identifier: Apache-2.0
"""Many waits that need no worker: sensors that begin and end on the triggerer.

Airflow's triggerer reads the whole DAG for each of them, so the DAG has few, and is run many times.
"""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import DAG

from airflow_cloudjobs.huawei.dli import DliSqlJobSensor

WAITS = 50

with DAG("dli.sql_job-waits", start_date=datetime(2026, 1, 1), schedule=None):
    for number in range(WAITS):
        DliSqlJobSensor(
            task_id=f"job-{number:02}",
            job_id=f"{{{{ dag_run.conf['word'] }}}}-{number:02}",
            deferrable=True,
            start_from_trigger=True,
            end_from_trigger=True,
            poke_interval=3,
        )
