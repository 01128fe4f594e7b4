# SPDX-License-Identifier: Apache-2.0
"""The filters, the order and the pages of DLI's list of SQL jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_cloudjobs.localcloud.answers import Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei.rest import number, one_of
from airflow_cloudjobs.localcloud.jobs import Job

_BAD = "DLI.0001"
_LARGEST = 2**63 - 1
_ORDERS = ("start_time_desc", "start_time_asc", "duration_desc", "duration_asc")
#: Filters that ask for the very value of a field: query parameter and field.
_EQUAL = {
    "job-type": "job_type",
    "queue_name": "queue_name",
    "db_name": "currentdb",
    "table_name": "table_name",
    "owner": "owner",
    "engine-type": "engine_type",
}


def select(call: Call, jobs: list[Job]) -> tuple[list[Job], list[Job]]:
    """The jobs that pass the filters in the order asked for, and the page of them.

    :param call: the call, whose query parameters are read.
    :param jobs: the jobs to choose from.
    :raises Refused: ``DLI.0001`` for a page size outside 1..100 or another bad parameter.
    """
    size = number(call, "page-size", 50, 1, 100, _BAD)
    page = number(call, "current-page", 1, 1, _LARGEST, _BAD)
    order = one_of(call, "order", _ORDERS, _BAD) if call.parameters.get("order") else _ORDERS[0]
    tests = _tests(call)
    chosen = [job for job in jobs if all(test(job) for test in tests)]
    now = call.now
    by_duration = order.startswith("duration")

    def rank(job: Job) -> float:
        return job.lasted(now) if by_duration else job.started

    chosen.sort(key=rank, reverse=order.endswith("desc"))
    return chosen, chosen[(page - 1) * size : page * size]


def _tests(call: Call) -> list[Callable[[Job], bool]]:
    asked, now = call.parameters, call.now
    tests: list[Callable[[Job], bool]] = []
    for parameter, field in _EQUAL.items():
        if value := asked.get(parameter):
            tests.append(_equals(field, value))
    if status := asked.get("job-status"):
        tests.append(lambda job: job.status(now) == status)
    if key := asked.get("job-id"):
        tests.append(lambda job: job.key == key)
    if pattern := asked.get("sql_pattern"):
        tests.append(lambda job: pattern in job.fields.get("sql", ""))
    if asked.get("start"):
        earliest = number(call, "start", 0, 0, _LARGEST, _BAD)
        tests.append(lambda job: job.started * 1000 >= earliest)
    if asked.get("end"):
        latest = number(call, "end", 0, 0, _LARGEST, _BAD)
        tests.append(lambda job: job.started * 1000 <= latest)
    types = {value for name, value in call.received.query if name == "job_types"}
    if types:
        tests.append(lambda job: job.fields.get("job_type", "QUERY") in types)
    if tags := asked.get("tags"):
        wanted = [_tag(entry) for entry in tags.split(",")]
        tests.append(lambda job: all(tag in job.fields.get("tags", []) for tag in wanted))
    return tests


def _equals(field: str, value: str) -> Callable[[Job], bool]:
    return lambda job: job.fields.get(field) == value


def _tag(entry: str) -> dict[str, Any]:
    key, separator, value = entry.partition("=")
    if not (key and separator):
        raise Refused(400, _BAD, f"The value of parameter tags is not of the form key=value: {entry}.")
    return {"key": key, "value": value}
