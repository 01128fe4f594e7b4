# SPDX-License-Identifier: Apache-2.0
"""### Import an object template into a job of Huawei Cloud DRS

A file says which databases and tables a synchronization job of DRS, which exists, is to carry over.

- `file_path` is read on the worker, and sent as it is.
- While DRS imports it the task is *deferred*: it holds no worker.
- A template that DRS refuses fails the task, with DRS's own code and message.
"""

from datetime import datetime
from pathlib import Path

from airflow.sdk import DAG

from airflow_cloudjobs.huawei.drs import DrsObjectTemplateOperator

with DAG(
    "object_template",
    description="Import an object template into a synchronization job of Huawei Cloud DRS",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "huawei", "drs"],
):
    # [START howto_drs_object_template]
    DrsObjectTemplateOperator(
        task_id="import_template",
        job_id="drs-demo-orders",
        file_path=str(Path(__file__).with_name("object_template.json")),
        deferrable=True,
        retries=2,  # a retry goes on with the job of the attempt before
    )
    # [END howto_drs_object_template]
