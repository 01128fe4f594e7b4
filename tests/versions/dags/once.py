# SPDX-License-Identifier: Apache-2.0
"""Tasks of APIs that cannot look a job up, to be killed around the submit: only what is stored tells of the job."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_cloudjobs.alibaba.dms import DmsDataTrackExportOperator, DmsFileUploadOperator
from airflow_cloudjobs.huawei.drs import DrsObjectTemplateOperator

TEMPLATES = os.environ.get("ONCE_TEMPLATES", "")
"""The folder of the files that DRS takes."""

# A retry that comes sooner may be failed for the end of the attempt before, which Airflow reads only then.
DEFAULTS = {"retries": 1, "retry_delay": timedelta(seconds=10), "poll_interval": 1}

for case, deferrable in {"kept": False, "lost": False, "moved": True, "cleared": False, "remade": True}.items():
    common: dict[str, Any] = {"deferrable": deferrable}
    with DAG(f"once_{case}", start_date=datetime(2026, 1, 1), schedule=None, default_args=DEFAULTS):
        word = f"{case}-word"  # which only the jobs of this DAG have in their input, or as their key
        DmsFileUploadOperator(
            task_id="upload",
            file_name=f"{word}.sql",
            file_source="datacorrect",
            upload_url="https://a.test/a",
            **common,
        )
        if case in ("cleared", "remade"):
            continue
        DmsDataTrackExportOperator(
            task_id="export", order_id=4711, rollback_sql_type="REVERSE", filter_table_list=[word], **common
        )
        DrsObjectTemplateOperator(task_id="template", job_id=word, file_path=f"{TEMPLATES}/{word}.json", **common)
