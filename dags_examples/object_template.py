# SPDX-License-Identifier: Apache-2.0
"""Import an object template into a synchronization job of Huawei Cloud DRS."""

from datetime import datetime
from pathlib import Path

from airflow.sdk import DAG

from airflow_cloudjobs.huawei.drs import DrsObjectTemplateOperator

with DAG("object_template", start_date=datetime(2026, 1, 1), schedule=None, tags=["cloudjobs"]):
    DrsObjectTemplateOperator(
        task_id="import_template",
        job_id="drs-demo-orders",
        file_path=str(Path(__file__).with_name("object_template.json")),
        deferrable=True,
        retries=2,  # a retry goes on with the job of the attempt before
    )
