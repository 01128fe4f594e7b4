# SPDX-License-Identifier: Apache-2.0
"""A list of jobs: one mapped task instance per file, all waiting at once without a worker."""

from datetime import datetime

from airflow.sdk import DAG, task

from airflow_cloudjobs.alibaba.dms import DmsFileUploadOperator


@task
def files() -> list[dict]:
    return [{"file_name": f"part_{n}.sql", "upload_url": f"https://files.example.com/part_{n}.sql"} for n in range(3)]


with DAG("mapped_uploads", start_date=datetime(2026, 1, 1), schedule=None, tags=["cloudjobs"]):
    # A retry goes on with the job of the attempt before.
    upload = DmsFileUploadOperator.partial(task_id="upload", file_source="big-file", deferrable=True, retries=2)
    upload.expand_kwargs(files())
