# SPDX-License-Identifier: Apache-2.0
"""AnalyticDB for MySQL 2021-12-01: Spark applications.

A submit has no token. How an unknown application is refused, and the end of one that has ended, the SDK does not say.
"""

from __future__ import annotations

import secrets

from airflow_cloudjobs.localcloud.alibaba.jobs import find, start, why
from airflow_cloudjobs.localcloud.alibaba.rpc import answer, given, one_of, required
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.operation import Operation

VERSION = "2021-12-01"
API = "adb.spark_app"

_APP_TYPES = ("SQL", "STREAMING", "BATCH")


def submit_spark_app(call: Call) -> Answer:
    """SubmitSparkApp: run a Spark application on a resource group of a cluster."""
    for name in ("DBClusterId", "ResourceGroupName"):
        required(call, name)
    data = required(call, "Data")
    if call.parameters.get("AppType"):
        one_of(call, "AppType", _APP_TYPES)
    job = start(call, API, f"s{secrets.token_hex(14)}", given(call), data)
    return _answer(call, job)


def get_spark_app_state(call: Call) -> Answer:
    """GetSparkAppState: how far an application is."""
    return _answer(call, _find(call))


def kill_spark_app(call: Call) -> Answer:
    """KillSparkApp: kill an application that has not ended."""
    job = _find(call)
    if job.ended(call.now):
        raise Refused(400, "Spark.App.Ended", f"The Spark application {job.key} has ended.")
    call.state.cancel(job)
    return _answer(call, job)


OPERATIONS = (
    Operation("alibaba", "adb", "SubmitSparkApp", "submit", submit_spark_app, API),
    Operation("alibaba", "adb", "GetSparkAppState", "poll", get_spark_app_state, API),
    Operation("alibaba", "adb", "KillSparkApp", "cancel", kill_spark_app, API),
)


def _find(call: Call) -> Job:
    key = required(call, "AppId")
    refused = Refused(404, "Spark.App.NotFound", f"The Spark application {key} does not exist.")
    return find(call, API, key, refused, DBClusterId=call.parameters.get("DBClusterId", ""))


def _answer(call: Call, job: Job) -> Answer:
    now = call.now
    data = {
        "AppId": job.key,
        "AppName": job.fields.get("AppName", "localcloud"),
        "DBClusterId": job.fields.get("DBClusterId", call.parameters.get("DBClusterId", "")),
        "Message": why(job, now)[1] or None,
        "State": call.status(job, now),
    }
    return answer(call, {"Data": data})
