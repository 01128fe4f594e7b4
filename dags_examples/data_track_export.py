# SPDX-License-Identifier: Apache-2.0
"""Export what a data-track ticket of Alibaba Cloud DMS has found."""

from datetime import datetime

from airflow.sdk import DAG

from airflow_cloudjobs.alibaba.dms import DmsDataTrackExportOperator

with DAG("data_track_export", start_date=datetime(2026, 1, 1), schedule=None, tags=["cloudjobs"]):
    DmsDataTrackExportOperator(
        task_id="export",
        order_id=4711,
        rollback_sql_type="REVERSE",
        filter_type_list=["UPDATE", "DELETE"],
        deferrable=True,
        retries=2,  # a retry goes on with the job of the attempt before
    )
