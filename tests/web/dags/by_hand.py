# SPDX-License-Identifier: Apache-2.0
"""A task for each connection that the test makes by hand."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import DAG

from airflow_cloudjobs.alibaba.dms import DmsFileUploadSensor
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator

with DAG("by_hand", start_date=datetime(2026, 1, 1), schedule=None):
    DmsFileUploadSensor(
        task_id="alibaba",
        alibabacloud_conn_id="alibaba_by_hand",
        job_key="by-hand",
        deferrable=True,
        poke_interval=1,
        timeout=60,
    )
    DliSqlJobOperator(
        task_id="huawei", huaweicloud_conn_id="huawei_by_hand", sql="SELECT 1", deferrable=True, poll_interval=1
    )
