# SPDX-License-Identifier: Apache-2.0
"""What a query on DLI yields: columns and rows, as a plan says, or some of our own."""

from __future__ import annotations

import json
from typing import Any

from airflow_cloudjobs.localcloud.jobs import Job

PREVIEWED = 1000
"""Rows of a result that DLI shows at most."""

ROWS = 4
"""Rows of a query of which nobody has said what it yields."""


def schema_of(job: Job) -> list[dict[str, str]]:
    """The columns: an object with name and type for each."""
    return list(job.script.result["schema"]) if job.script.result else [{"id": "int"}]


def count_of(job: Job) -> int:
    """How many rows the query has."""
    return len(job.script.result["rows"]) if job.script.result else int(job.fields.get("result_count", ROWS))


def rows_of(job: Job, most: int) -> list[list[Any]]:
    """The first rows, a list of values each."""
    if job.script.result:
        return list(job.script.result["rows"][:most])
    return [[number] for number in range(1, min(most, count_of(job)) + 1)]


def described(job: Job) -> str:
    """The columns as a job's status has them: the JSON text of Spark's type."""
    names = {"int": "integer", "bigint": "long"}
    fields = [
        {"name": name, "type": names.get(kind, kind), "nullable": True, "metadata": {}}
        for column in schema_of(job)
        for name, kind in column.items()
    ]
    return json.dumps({"type": "struct", "fields": fields})
