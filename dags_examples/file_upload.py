# SPDX-License-Identifier: Apache-2.0
"""### Upload a file to Alibaba Cloud DMS

DMS fetches a file from an address and keeps it for a data import.

- While DMS fetches, the task is *deferred*: it holds no worker.
- XCom `return_value` has the `AttachmentKey` by which DMS knows the file; a next task takes it from there.
- A worker killed after the submit does no harm: DMS has the job, and the retry waits for its end.
"""

from datetime import datetime

from airflow.sdk import DAG

from airflow_cloudjobs.alibaba.dms import DmsFileUploadOperator

with DAG(
    "file_upload",
    description="Upload a file to Alibaba Cloud DMS",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "alibaba", "dms"],
):
    # [START howto_dms_file_upload]
    DmsFileUploadOperator(
        task_id="upload",
        file_name="customers.sql",
        file_source="datacorrect",
        upload_url="https://files.example.com/customers.sql",
        deferrable=True,
        retries=2,  # a retry goes on with the job of the attempt before
    )
    # [END howto_dms_file_upload]
