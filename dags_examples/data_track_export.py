# SPDX-License-Identifier: Apache-2.0
"""### Export what a data-track ticket of Alibaba Cloud DMS has found

A ticket that exists (`order_id`) has listed changes of a table; the job writes SQL that reverses them into a file.

- While the job runs the task is *deferred*: it holds no worker.
- XCom `return_value` says how the job ended; `job_key` is there as soon as it is submitted.
- `save_to` has the file downloaded, whole or not at all; `return_value` says its path, size, SHA-256 and entries.
- `include_download_url=True` would add the file's signed address, which is left out since XCom is for many eyes.
"""

from datetime import datetime
from tempfile import gettempdir

from airflow.sdk import DAG

from airflow_cloudjobs.alibaba.dms import DmsDataTrackExportOperator

with DAG(
    "data_track_export",
    description="Export what a data-track ticket of Alibaba Cloud DMS has found",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "alibaba", "dms"],
):
    # [START howto_dms_data_track_export]
    DmsDataTrackExportOperator(
        task_id="export",
        order_id=4711,
        rollback_sql_type="REVERSE",
        filter_type_list=["UPDATE", "DELETE"],
        save_to=f"{gettempdir()}/",  # a folder of the worker; or "s3://my_aws_connection@exports/{{ ds }}.zip"
        deferrable=True,
        retries=2,  # a retry goes on with the job of the attempt before
    )
    # [END howto_dms_data_track_export]
