# SPDX-License-Identifier: Apache-2.0
"""DAGs that end in every way a DAG can, without any cloud."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, BaseHook, BaseOperator, task


class Deferring(BaseOperator):
    """Waits in the triggerer."""

    def __init__(self, seconds: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seconds = seconds

    def execute(self, context: Any) -> None:
        """Go to the triggerer."""
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=self.seconds)), method_name="resume")

    def resume(self, context: Any, event: Any) -> str:
        """Come back."""
        self.log.info("back from the triggerer")
        return "waited"


@task
def succeed(ti: Any = None, dag_run: Any = None) -> dict[str, Any]:
    """Push two XComs: what the run was given and what the connection holds."""
    ti.xcom_push("job_key", "key-1")
    connection = BaseHook.get_connection("over_there")
    return {"conf": dag_run.conf, "host": connection.host, "extra": connection.extra_dejson}


@task
def fail() -> None:
    """Fail with a text that is not ASCII."""
    raise RuntimeError("Tabelle nicht gefunden: größe")


@task
def square(number: int) -> int:
    """Be mapped."""
    return number * number


with DAG("succeeds", schedule=None, tags=["a tag"]):
    succeed()

with DAG("fails", schedule=None):
    fail()

with DAG("mapped", schedule=None):
    square.expand(number=[1, 2, 3])

with DAG("deferred", schedule=None):
    Deferring(task_id="wait", seconds=3)

with DAG("deferred_for_hours", schedule=None):
    Deferring(task_id="wait", seconds=9999)

with DAG("linked", schedule=None):
    TriggerDagRunOperator(task_id="trigger", trigger_dag_id="mapped")

with DAG("scheduled", schedule="* * * * *"):
    succeed()
