# SPDX-License-Identifier: Apache-2.0
"""Tasks that ask a person what became of their submits; the run's ``conf`` gives each run words of its own."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG

from airflow_cloudjobs.alibaba.dms import DmsFileUploadOperator
from airflow_cloudjobs.huawei.drs import DrsObjectTemplateOperator

WORD = "{{ dag_run.conf['word'] }}"
UPLOAD = {
    "file_source": "datacorrect",
    "upload_url": f"https://files.test/{WORD}.sql?Expires=1&Signature=verysecret",
    "on_unknown_submit": "ask",
    "poll_interval": 2,
}


def dag(name: str, **options: object) -> DAG:
    """A DAG that is only started by hand."""
    return DAG(name, start_date=datetime(2026, 1, 1), schedule=None, **options)


with dag("upload"):
    DmsFileUploadOperator(task_id="job", file_name=f"{WORD}.sql", deferrable=True, **UPLOAD)

with dag("retried"):
    DmsFileUploadOperator(
        task_id="job", file_name=f"{WORD}.sql", deferrable=True, retries=2, retry_delay=timedelta(seconds=1), **UPLOAD
    )

with dag("limited"):
    DmsFileUploadOperator(task_id="job", file_name=f"{WORD}.sql", execution_timeout=timedelta(seconds=25), **UPLOAD)

with dag("mapped"):
    DmsFileUploadOperator.partial(task_id="job", deferrable=True, **UPLOAD).expand(
        file_name=[f"订单-{WORD}.sql", f"客户-{WORD}.sql"]
    )

with dag("template"):
    DrsObjectTemplateOperator(
        task_id="job",
        job_id="{{ dag_run.conf['key'] }}",
        file_path="{{ dag_run.conf['file'] }}",
        on_unknown_submit="ask",
        poll_interval=2,
        deferrable=True,
    )
