# SPDX-License-Identifier: Apache-2.0
"""One DAG for each API and way of waiting; the run's ``conf`` says what for."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, get_parsing_context, task

from airflow_cloudjobs.alibaba.dms import (
    DmsDataTrackExportOperator,
    DmsDataTrackExportSensor,
    DmsFileUploadOperator,
    DmsFileUploadSensor,
)
from airflow_cloudjobs.alibaba.ice import IceUrlUploadOperator, IceUrlUploadSensor
from airflow_cloudjobs.alibaba.jobs import AlibabaJobOperator, AlibabaJobSensor
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator, DliSqlJobSensor
from airflow_cloudjobs.huawei.drs import DrsObjectTemplateOperator, DrsObjectTemplateSensor
from airflow_cloudjobs.huawei.jobs import HuaweiJobOperator, HuaweiJobSensor

#: A word that only the jobs of this run have in their input.
WORD = "{{ dag_run.conf['word'] }}"
#: A job that exists; the DRS task, which is there before its import.
KEY = "{{ dag_run.conf['key'] }}"
ORDER = 4711
LIMIT = 8.0

ALIBABA = {"alibabacloud_conn_id": "{{ dag_run.conf['alibaba'] }}"}
HUAWEI = {"huaweicloud_conn_id": "{{ dag_run.conf['huawei'] }}"}

#: The parameters of jobs of the catalogue's APIs.
SPARK = {"workspaceId": "w-1", "name": WORD, "codeType": "JAR", "jobDriver": {"sparkSubmit": {"entryPoint": "a.jar"}}}
FILM = {"ProjectName": "films", "Sources": [{"URI": f"oss://b/{WORD}.mp4"}], "Targets": [{"URI": "oss://b/out.mp4"}]}
MRS_JOB = {"cluster_id": "c-1", "job_type": "SparkSubmit", "job_name": "nightly", "arguments": [WORD]}

#: api -> operator, its arguments for a new job, sensor, its arguments.
APIS: dict[str, tuple[type[Any], dict[str, Any], type[Any], dict[str, Any]]] = {
    "dms.file_upload": (
        DmsFileUploadOperator,
        {"file_name": f"{WORD}.sql", "file_source": "datacorrect", "upload_url": f"https://a.test/{WORD}", **ALIBABA},
        DmsFileUploadSensor,
        {"job_key": KEY, **ALIBABA},
    ),
    "dms.data_track_export": (
        DmsDataTrackExportOperator,
        {"order_id": ORDER, "rollback_sql_type": "REVERSE", "filter_table_list": [WORD], **ALIBABA},
        DmsDataTrackExportSensor,
        {"order_id": ORDER, "download_key_id": KEY, **ALIBABA},
    ),
    "ice.url_upload": (
        IceUrlUploadOperator,
        {"upload_urls": f"https://a.test/{WORD}.mp4", **ALIBABA},
        IceUrlUploadSensor,
        {"job_ids": KEY, **ALIBABA},
    ),
    "dli.sql_job": (
        DliSqlJobOperator,
        {"sql": f"SELECT 1 /* {WORD} */", **HUAWEI},
        DliSqlJobSensor,
        {"job_id": KEY, **HUAWEI},
    ),
    "drs.object_template": (
        DrsObjectTemplateOperator,
        {"job_id": KEY, "file_path": f"{{{{ dag_run.conf['folder'] }}}}/{WORD}.json", **HUAWEI},
        DrsObjectTemplateSensor,
        {"job_id": KEY, **HUAWEI},
    ),
    "emr.spark_job": (
        AlibabaJobOperator,
        {"api": "emr.spark_job", "parameters": SPARK, **ALIBABA},
        AlibabaJobSensor,
        {"api": "emr.spark_job", "parameters": SPARK, "key": KEY, **ALIBABA},
    ),
    "imm.media_convert": (
        AlibabaJobOperator,
        {"api": "imm.media_convert", "parameters": FILM, **ALIBABA},
        AlibabaJobSensor,
        {"api": "imm.media_convert", "parameters": FILM, "key": KEY, **ALIBABA},
    ),
    "mrs.job": (
        HuaweiJobOperator,
        {"api": "mrs.job", "parameters": MRS_JOB, **HUAWEI},
        HuaweiJobSensor,
        {"api": "mrs.job", "parameters": MRS_JOB, "key": KEY, **HUAWEI},
    ),
}


def dag(api: str, way: str) -> DAG:
    """A DAG whose tasks are retried twice, at once."""
    defaults = {"retries": 2, "retry_delay": timedelta(seconds=1)}
    return DAG(f"{api}-{way}", start_date=datetime(2026, 1, 1), schedule=None, default_args=defaults)


#: The DAG that a worker has come for; it pays for no more than those of its API.
wanted = get_parsing_context().dag_id

#: api -> the argument that a mapped task of it is mapped over.
MAPPED = {
    "dms.file_upload": "file_name",
    "dms.data_track_export": "filter_table_list",
    "ice.url_upload": "upload_urls",
    "dli.sql_job": "sql",
    "drs.object_template": "job_id",
    "emr.spark_job": "parameters",
    "imm.media_convert": "parameters",
    "mrs.job": "parameters",
}
#: Where that has the word that only one mapped task has.
OWN_WORD = "<word>"

#: Retries of tasks whose workers are killed time and again.
MANY = 50

for api, (operator, new, sensor, existing) in APIS.items():
    if wanted and not wanted.startswith(api):
        continue
    for way, limit in (("", None), ("-limited", LIMIT)):
        with dag(api, f"deferrable{way}"):
            operator(task_id="job", deferrable=True, poll_interval=3, wait_timeout=limit, **new)
        with dag(api, f"blocking{way}"):
            operator(task_id="job", deferrable=False, poll_interval=3, wait_timeout=limit, **new)
        with dag(api, f"sensor{way}"):
            sensor(task_id="job", deferrable=True, poke_interval=3, timeout=limit or 3600, **existing)
        if not api.startswith("drs"):  # its operator always uploads
            with dag(api, f"adopting{way}"):
                operator(task_id="job", deferrable=True, poll_interval=3, wait_timeout=limit, **existing)
    for way, on_triggerer in (("deferrable", True), ("blocking", False)):
        with dag(api, f"mapped-{way}"):
            argument = MAPPED[api]
            pattern = json.dumps(new[argument]).replace(WORD, OWN_WORD).replace(KEY, OWN_WORD)

            @task(retries=MANY)
            def values(pattern: str, dag_run: Any = None) -> list[Any]:
                """What each task is mapped over."""
                words = [f"{dag_run.conf['word']}-{number:03}" for number in range(dag_run.conf["jobs"])]
                return [json.loads(pattern.replace(OWN_WORD, word)) for word in words]

            others = {name: value for name, value in new.items() if name != argument}
            operator.partial(task_id="job", deferrable=on_triggerer, poll_interval=3, retries=MANY, **others).expand(
                **{argument: values(pattern)}
            )

with dag("dli.sql_job", "mapped"):

    @task
    def statements(dag_run: Any = None) -> list[str]:
        """Write the SQL of many jobs."""
        return [f"SELECT {number} /* {dag_run.conf['word']} */" for number in range(dag_run.conf["jobs"])]

    DliSqlJobOperator.partial(task_id="job", deferrable=True, poll_interval=3).expand(sql=statements())

with dag("dli.sql_job", "mapped-short"):

    @task
    def short_statements(dag_run: Any = None) -> list[str]:
        """Write the SQL of many jobs that last 1 to 20 s."""
        word = dag_run.conf["word"]
        return [f"SELECT 1 /* {word} localcloud.seconds={1 + n % 20} */" for n in range(dag_run.conf["jobs"])]

    # A retry would find the job's success, and hide that Airflow has failed the first attempt.
    DliSqlJobOperator.partial(task_id="job", deferrable=True, poll_interval=3, retries=0).expand(sql=short_statements())

with dag("dli.sql_job", "mapped-reschedule"):

    @task
    def keys(dag_run: Any = None) -> list[str]:
        """Name many jobs that exist."""
        return [f"{dag_run.conf['word']}-{number}" for number in range(dag_run.conf["jobs"])]

    DliSqlJobSensor.partial(task_id="job", mode="reschedule", poke_interval=3, retries=0).expand(job_id=keys())
