# SPDX-License-Identifier: Apache-2.0
"""### Have Alibaba Cloud ICE fetch media files by URL

One task, and a job for each address: all are asked for together, ten in a call.

- XCom `job_key` is the list of the jobs' keys, there before the wait begins.
- XCom `return_value` is a list too, a result for each address, in their order.
- `fetch_media_info` adds what ICE knows of each stored file: title, format, duration, size.
- The task fails if one of the jobs fails, and says which.
"""

from datetime import datetime

from airflow.sdk import DAG

from airflow_cloudjobs.alibaba.ice import IceUrlUploadOperator

with DAG(
    "media_upload",
    description="Have Alibaba Cloud ICE fetch media files by URL: one task, one job per address",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "alibaba", "ice"],
):
    # [START howto_ice_url_upload]
    IceUrlUploadOperator(
        task_id="upload",
        upload_urls=["https://media.example.com/trailer.mp4", "https://media.example.com/teaser.mp4"],
        user_data={"Extend": {"campaign": "spring"}},
        poll_interval=30,
        fetch_media_info=True,
        deferrable=True,
        retries=2,  # a retry goes on with the job of the attempt before
    )
    # [END howto_ice_url_upload]
