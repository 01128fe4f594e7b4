# SPDX-License-Identifier: Apache-2.0
"""### Run a Spark batch on Huawei Cloud DLI

`batch` is a job of the catalogue: the parameters are those of the vendor's page. `show_log` calls DLI by its key.

- While the batch runs `batch` is *deferred*: it holds no worker.
- The log of `show_log` has the first lines of the batch's own log.
- `HuaweiCloudHook().call` calls any operation of the cloud, with the connection's login and region.
"""

import logging
from datetime import datetime, timedelta

from airflow.sdk import DAG, task

from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.huawei.jobs import HuaweiJobOperator

log = logging.getLogger("airflow.task")


# [START howto_hook_call]
@task(retries=2)
def show_log(job: dict):
    operation = "ShowSparkJobLog GET /v2.0/{project_id}/batches/{batch_id}/log"
    answer = HuaweiCloudHook().call("dli", operation, batch_id=job["job_key"], size=50)
    log.info("batch %s ended as %s:\n%s", job["job_key"], job["status"], "\n".join(answer["log"]))


# [END howto_hook_call]

with DAG(
    "dli_spark",
    description="Run a Spark batch on Huawei Cloud DLI, then read its log by the batch's key",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "huawei", "dli", "spark"],
):
    # [START howto_dli_spark]
    batch = HuaweiJobOperator(
        task_id="batch",
        api="dli.spark_batch",
        parameters={
            "name": "totals-{{ ds }}",
            "queue": "spark_general",
            "file": "obs://shop-code/spark/totals-1.8.jar",
            "className": "com.example.totals.Daily",
            "args": ["--day", "{{ ds }}", "--into", "obs://shop-warehouse/totals"],
            "spark_version": "3.3.1",
            "execution_agency_urn": "dli_shop_access",  # Spark 3.3.1 reads and writes OBS with an agency of yours
            "obs_bucket": "shop-dli-logs",
            "driverMemory": "4G",
            "driverCores": 2,
            "executorMemory": "8G",
            "executorCores": 2,
            "numExecutors": 4,
            "conf": {"spark.sql.shuffle.partitions": "64"},
        },
        execution_timeout=timedelta(hours=1),
        deferrable=True,
        retries=2,  # a retry goes on with the batch of the attempt before
        # DLI takes no token here: a submit whose answer is lost is not repeated, and a person is asked to look.
    )
    # [END howto_dli_spark]
    show_log(batch.output)
