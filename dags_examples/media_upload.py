# SPDX-License-Identifier: Apache-2.0
"""Have Alibaba Cloud ICE fetch media files by URL: one task, one job per address."""

from datetime import datetime

from airflow.sdk import DAG

from airflow_cloudjobs.alibaba.ice import IceUrlUploadOperator

with DAG("media_upload", start_date=datetime(2026, 1, 1), schedule=None, tags=["cloudjobs"]):
    IceUrlUploadOperator(
        task_id="upload",
        upload_urls=["https://media.example.com/trailer.mp4", "https://media.example.com/teaser.mp4"],
        user_data={"Extend": {"campaign": "spring"}},
        poll_interval=30,
        deferrable=True,
        retries=2,  # a retry goes on with the job of the attempt before
    )
