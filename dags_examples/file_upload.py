# SPDX-License-Identifier: Apache-2.0
"""Upload a file to Alibaba Cloud DMS and use it in the next task."""

from datetime import datetime

from airflow.sdk import DAG

from airflow_cloudjobs.alibaba.dms import DmsFileUploadOperator

with DAG("file_upload", start_date=datetime(2026, 1, 1), schedule=None, tags=["cloudjobs"]):
    DmsFileUploadOperator(
        task_id="upload",
        file_name="customers.sql",
        file_source="datacorrect",
        upload_url="https://files.example.com/customers.sql",
        deferrable=True,
        retries=2,  # a retry goes on with the job of the attempt before
    )
