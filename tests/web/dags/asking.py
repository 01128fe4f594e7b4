# SPDX-License-Identifier: Apache-2.0
"""A task that asks a person what became of its submit."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import DAG

from airflow_cloudjobs.alibaba.dms import DmsFileUploadOperator

with DAG("asking", start_date=datetime(2026, 1, 1), schedule=None):
    DmsFileUploadOperator(
        task_id="upload",
        file_name="订单_orders.sql",
        file_source="datacorrect",
        upload_url="https://files.test/orders.sql?Expires=1&Signature=verysecret",
        alibabacloud_conn_id="asking",
        on_unknown_submit="ask",
        deferrable=True,
        poll_interval=2,
    )
