# SPDX-License-Identifier: Apache-2.0
"""DAGs whose tasks return what the operators of this package return, without asking a cloud."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, task


def result(key: str, outcome: str = "succeeded") -> dict[str, Any]:
    """Make a result as an operator pushes it."""
    return {"api": "dli.sql_job", "job_key": key, "outcome": outcome, "status": outcome.upper(), "result": {}}


@task
def job(key: str) -> dict[str, Any]:
    """Be one job."""
    return result(key)


@task
def jobs() -> list[dict[str, Any]]:
    """Be a list of jobs."""
    return [result("key-a"), result("key-b")]


@task
def plain() -> str:
    """Be no job."""
    return "nothing"


@task
def failing_job(ti: Any = None) -> None:
    """Be a job that fails; its result is pushed before the task fails."""
    ti.xcom_push("return_value", result("key-failed", "failed"))
    raise RuntimeError("no such table")


@task
def job_without_result(ti: Any = None) -> None:
    """Be a job whose task fails before there is a result."""
    ti.xcom_push("job_key", "key-lost")
    raise RuntimeError("the worker fell ill")


with DAG("listed", schedule=None):
    jobs() >> plain()

with DAG("mapped", schedule=None):
    job.expand(key=["key-0", "key-größe"])

with DAG("handled", schedule=None):
    failing_job() >> plain.override(trigger_rule="all_failed")()

with DAG("lost", schedule=None):
    job_without_result()

ASSET = Asset(name="table", uri="obs://warehouse/table")


@task(outlets=[ASSET])
def write() -> None:
    """Write what another DAG waits for."""


@task
def read(triggering_asset_events: Any = None) -> None:
    """Need the event that has started the run."""
    assert triggering_asset_events[ASSET]


with DAG("leads", schedule=None):
    write()

with DAG("follows", schedule=[ASSET]):
    read()
