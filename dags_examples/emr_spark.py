# SPDX-License-Identifier: Apache-2.0
"""### Run Spark on Alibaba Cloud EMR Serverless

`clean` runs a JAR, then `report` a script for each table, all at once. `emr.spark_job` is an API of the catalogue.

- The parameters are those of StartJobRun, templates in them too (`{{ ds }}`).
- Each submit carries a token, so that EMR takes it once whatever happens to the worker.
- A job that is late (`execution_timeout`) is cancelled.
"""

from datetime import datetime, timedelta

from airflow.sdk import DAG

from airflow_cloudjobs.alibaba.jobs import AlibabaJobOperator

CODE = "oss://shop-code/spark"
WAREHOUSE = "oss://shop-warehouse"
CONF = "--conf spark.executor.instances=4 --conf spark.executor.cores=4 --conf spark.executor.memory=14g"


def job(name: str, code_type: str, entry_point: str, arguments: list[str], conf: str) -> dict:
    """The parameters of StartJobRun, in the words of its page."""
    return {
        "workspaceId": "w-1234567890abcdef",
        "resourceQueueId": "root_queue",
        "releaseVersion": "esr-4.3.0 (Spark 3.5.2, Scala 2.12)",
        "name": name,
        "codeType": code_type,
        "jobDriver": {
            "sparkSubmit": {
                "entryPoint": entry_point,
                "entryPointArguments": arguments,
                "sparkSubmitParameters": conf,
            }
        },
        "tags": [{"key": "dag", "value": "{{ dag.dag_id }}"}],
    }


# [START howto_emr_spark]
with DAG(
    "emr_spark",
    description="Run Spark on Alibaba Cloud EMR Serverless: a JAR, then a script for each of its tables, all at once",
    doc_md=__doc__,
    start_date=datetime(2026, 1, 1),
    schedule=None,
    tags=["cloudjobs", "alibaba", "emr", "spark"],
    default_args={
        "api": "emr.spark_job",
        "deferrable": True,
        "retries": 2,  # a retry goes on with the job of the attempt before
        "execution_timeout": timedelta(hours=2),  # a job that is late is cancelled
    },
):
    clean = AlibabaJobOperator(
        task_id="clean",
        parameters=job(
            "clean {{ ds }}",
            "JAR",
            f"{CODE}/orders-2.4.jar",
            [f"{WAREHOUSE}/raw/{{{{ ds }}}}", f"{WAREHOUSE}/clean/{{{{ ds }}}}"],
            f"--class com.example.orders.Clean {CONF}",
        ),
    )
    reports = AlibabaJobOperator.partial(task_id="report").expand(
        parameters=[
            job(f"report {table} {{{{ ds }}}}", "PYTHON", f"{CODE}/report.py", ["--table", table, "{{ ds }}"], CONF)
            for table in ("orders", "returns")
        ]
    )
    clean >> reports
# [END howto_emr_spark]
