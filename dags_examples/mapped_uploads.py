# SPDX-License-Identifier: Apache-2.0
"""### A list of jobs: one mapped task instance per file

The first task lists files, the second is *mapped* over them with `expand_kwargs`.

- All instances wait at once, and none holds a worker: their jobs are asked for together.
- Each instance has its own log, XCom, retries and job.
- One that fails is cleared alone; the others keep what they have.
"""

from datetime import datetime

from airflow.sdk import DAG, task

from airflow_cloudjobs.alibaba.dms import DmsFileUploadOperator


@task
def files() -> list[dict]:
    return [{"file_name": f"part_{n}.sql", "upload_url": f"https://files.example.com/part_{n}.sql"} for n in range(3)]


with DAG(
    "mapped_uploads",
    description="A list of jobs: one mapped task instance per file, all waiting at once without a worker",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "alibaba", "dms", "mapped"],
):
    # [START howto_mapped_jobs]
    # A retry goes on with the job of the attempt before.
    upload = DmsFileUploadOperator.partial(task_id="upload", file_source="big-file", deferrable=True, retries=2)
    upload.expand_kwargs(files())
    # [END howto_mapped_jobs]
