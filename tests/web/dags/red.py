# SPDX-License-Identifier: Apache-2.0
"""Tasks that end red, each in another way."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import DAG

from airflow_cloudjobs.alibaba.ice import IceUrlUploadOperator
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator, DliSqlJobSensor

with DAG("red", start_date=datetime(2026, 1, 1), schedule=None):
    DliSqlJobOperator(task_id="failed", sql="SELECT 1 -- localcloud=fail", poll_interval=1)
    DliSqlJobOperator(task_id="deferred", sql="SELECT 1 -- localcloud=fail", poll_interval=1, deferrable=True)
    DliSqlJobOperator(task_id="time_out", sql="SELECT 1 -- localcloud=forever", poll_interval=1, wait_timeout=5)
    DliSqlJobSensor(task_id="unknown_key", job_id="no-such-job", poke_interval=1)
    DliSqlJobSensor(task_id="skipped", job_id="no-such-job", poke_interval=1, soft_fail=True)
    IceUrlUploadOperator(
        task_id="wrong_secret", upload_urls="https://files.test/film.mp4", alibabacloud_conn_id="wrong_secret"
    )
