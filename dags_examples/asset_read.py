# SPDX-License-Identifier: Apache-2.0
"""### Go on where a job of another DAG has ended

This DAG is *scheduled by an asset*: the table that the DAG `asset_written` writes. Start that one; this one follows.

- `report` writes to its log which job has written the table, and how many rows it has read.
- What the event says is its `extra`; nobody has to ask the cloud again.
- Start this DAG by hand, and there is no event to read.
"""

import logging
from datetime import datetime

from airflow.sdk import DAG, Asset, task

log = logging.getLogger("airflow.task")

TOTALS = Asset(name="totals", uri="obs://shop-warehouse/totals")

with DAG(
    "asset_read",
    description="Start when a job of another DAG has written a table, and read from the event which job it was",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=[TOTALS],
    tags=["cloudjobs", "events"],
):
    # [START howto_asset_read]
    @task(retries=2)
    def report(*, triggering_asset_events=None):
        for event in triggering_asset_events[TOTALS]:
            job = event.extra
            log.info("%s %s ended as %s: %s", job["api"], job["job_key"], job["status"], job["counts"])

    # [END howto_asset_read]
    report()
