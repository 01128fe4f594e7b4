# SPDX-License-Identifier: Apache-2.0
"""The one place that knows how Airflow differs between versions; everything else imports it from here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseHook,
    BaseOperator,
    BaseOperatorLink,
    BaseSensorOperator,
    Connection,
    PokeReturnValue,
    XCom,
    conf,
)

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "Connection",
    "PokeReturnValue",
    "XCom",
    "default_deferrable",
    "first_reschedule",
    "get_async_connection",
    "get_async_extra_dejson",
    "hide_in_logs",
    "is_built",
    "let_read_connections",
    "task_store",
]


def default_deferrable() -> bool:
    """Airflow's ``[operators] default_deferrable``."""
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def hide_in_logs(secret: str) -> None:
    """Have Airflow replace a text by ``***`` wherever it would show it (logs, rendered fields)."""
    from airflow.providers.common.compat.sdk import mask_secret

    mask_secret(secret)


def is_built(operator: object) -> bool:
    """True once an operator's constructor has run: attributes set later are rendered ones."""
    return bool(getattr(operator, "_BaseOperator__instantiated", False))


def let_read_connections() -> None:
    """Let a program of ours, that is no task, read connections from Airflow's database (Airflow >= 3)."""
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")


def task_store(context: Mapping[str, Any]) -> Any | None:
    """The task's own store, which outlives its attempts (Airflow >= 3.3); None where there is none."""
    return context.get("task_state_store")


def first_reschedule(context: Mapping[str, Any]) -> float | None:
    """When a sensor in reschedule mode looked for the first time, seconds since the epoch; None if not yet."""
    ti: Any = context.get("ti")
    if hasattr(ti, "get_first_reschedule_date"):
        moment = ti.get_first_reschedule_date(context)
        return moment.timestamp() if moment else None
    if ti is None:
        return None
    # Airflow 2 has the dates in its database only.
    from airflow.models.taskreschedule import TaskReschedule

    first = TaskReschedule.stmt_for_task_instance(ti).limit(1)
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.scalar(first)
        return found.start_date.timestamp() if found else None
