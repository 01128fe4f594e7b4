# SPDX-License-Identifier: Apache-2.0
"""What does not fit into a matrix: mapped tasks, tasks in a row, lists, jobs that have ended, secrets, links."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, TriggerRule

from airflow_cloudjobs.alibaba.dms import DmsDataTrackExportOperator, DmsFileUploadOperator, DmsFileUploadSensor
from airflow_cloudjobs.alibaba.ice import IceUrlUploadOperator, IceUrlUploadSensor
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator, DliSqlJobSensor

QUICK = {"poke_interval": 1, "timeout": 200}

with DAG("extras", start_date=datetime(2026, 1, 1), schedule=None, max_active_tasks=64):
    # One after the other
    submit = DmsFileUploadOperator(
        task_id="submit",
        file_name="orders.sql",
        file_source="datacorrect",
        upload_url="https://files.test/orders.sql",
        wait_for_completion=False,
    )
    DmsFileUploadSensor(task_id="sense", job_key=submit.output["job_key"], deferrable=True, **QUICK)
    DliSqlJobOperator(task_id="not_awaited", sql="SELECT 1 -- localcloud=forever", wait_for_completion=False)

    # Mapped
    upload = DmsFileUploadOperator.partial(
        task_id="mapped_operator", file_name="part.sql", file_source="big-file", deferrable=True, poll_interval=1
    ).expand(upload_url=[f"https://files.test/part{number}.sql" for number in range(3)])
    DmsFileUploadSensor(task_id="sense_all", job_key=upload.output["job_key"], **QUICK)
    DliSqlJobSensor.partial(task_id="mapped_sensor", mode="reschedule", poke_interval=6, timeout=200).expand(
        job_id=["mapped-one", "mapped-two"]
    )

    # Lists
    many = [f"many-{number:02d}" for number in range(12)]
    IceUrlUploadSensor(task_id="many_poke", job_ids=many, **QUICK)
    IceUrlUploadSensor(task_id="many_deferrable", job_ids=many, deferrable=True, **QUICK)
    IceUrlUploadOperator(task_id="many_adopted", job_ids=many, deferrable=True, poll_interval=1)

    # Jobs that have ended before
    DmsFileUploadOperator(task_id="ended_operator", job_key="ended-upload", deferrable=True)
    DliSqlJobSensor(task_id="ended_deferrable", job_id="ended-sql", deferrable=True)
    DliSqlJobSensor(task_id="ended_reschedule", job_id="ended-sql", mode="reschedule")
    DliSqlJobSensor(task_id="ended_badly", job_id="ended-badly", deferrable=True)

    # Retries
    again = {"retries": 1, "retry_delay": timedelta(seconds=0)}
    DliSqlJobOperator(task_id="retried", sql="SELECT 2 -- localcloud=fail retried", poll_interval=1, **again)
    DliSqlJobSensor(task_id="not_retried", job_id="ended-badly", **again)

    # Airflow 3 does not watch execution_timeout while a task is deferred; we do. On a worker both do.
    for mode, number in (("deferrable", 30), ("blocking", 31)):
        DliSqlJobOperator(
            task_id=f"execution_timeout_{mode}",
            sql=f"SELECT {number} -- localcloud={{{{ 'forever' if ti.try_number == 1 else 'success' }}}}",
            deferrable=mode == "deferrable",
            poll_interval=1,
            execution_timeout=timedelta(seconds=40),  # a start takes 12 s on a busy machine
            **again,
        )

    # Links
    DliSqlJobSensor(task_id="linked", job_id="linked", deferrable=True, poke_interval=1, timeout=250)

    # Secrets
    IceUrlUploadOperator(task_id="signed", upload_urls="{{ var.value.signed }}", deferrable=True, poll_interval=1)
    IceUrlUploadOperator(task_id="signed_fails", upload_urls="{{ var.value.signed_fails }}", poll_interval=1)
    IceUrlUploadSensor(task_id="signed_sensor", upload_urls="{{ var.value.signed_found }}", deferrable=True, **QUICK)
    IceUrlUploadSensor(task_id="signed_unknown", job_ids="signed-unknown", deferrable=True, **QUICK)
    DliSqlJobOperator(task_id="secret_sql", sql="{{ var.value.secret_sql }}", deferrable=True, poll_interval=1)
    DliSqlJobOperator(task_id="refused_sql", sql="{{ var.value.refused_sql }}")
    DmsDataTrackExportOperator(task_id="export", order_id=1, rollback_sql_type="REVERSE", deferrable=True)
    temporary = {"alibabacloud_conn_id": "sts", "deferrable": True}
    DmsFileUploadSensor(task_id="sts", job_key="sts", **temporary, **QUICK)
    DliSqlJobSensor(task_id="iam", job_id="iam", huaweicloud_conn_id="iam", deferrable=True, **QUICK)
    DliSqlJobSensor(task_id="iam_wrong", job_id="iam", huaweicloud_conn_id="iam_wrong")
    DmsFileUploadSensor(task_id="ak_wrong", job_key="sts", alibabacloud_conn_id="ak_wrong")

    # A failure that is handled: the result of a failed job is there for the next task.
    failing = DliSqlJobOperator(task_id="failing", sql="SELECT 4 -- localcloud=fail", deferrable=True, poll_interval=1)
    DmsFileUploadOperator(
        task_id="handler",
        file_name="report.txt",
        file_source="sqlreview",
        upload_url="https://files.test/{{ ti.xcom_pull('failing')['outcome'] }}.txt",
        trigger_rule=TriggerRule.ONE_FAILED,
        poll_interval=1,
    ).set_upstream(failing)
