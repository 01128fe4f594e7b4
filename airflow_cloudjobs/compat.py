# SPDX-License-Identifier: Apache-2.0
"""The one place that knows how Airflow differs between versions; everything else imports it from here."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from airflow.providers.common.compat.connection import get_async_connection
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
    Stats,
    XCom,
    conf,
)
from airflow.triggers.base import BaseTrigger, StartTriggerArgs

from airflow_cloudjobs.jobs.identity import Identity

__all__ = [
    "TRIGGERS_END_TASKS",
    "TRIGGERS_HEAR_OF_KILLS",
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
    "StartTriggerArgs",
    "Stats",
    "TaskDeferralTimeout",
    "XCom",
    "ahide_in_logs",
    "apart",
    "default_deferrable",
    "first_reschedule",
    "get_async_connection",
    "hide_in_logs",
    "identity_of",
    "is_built",
    "is_given_up",
    "let_read_connections",
    "push_xcom",
    "still_owns",
    "success_event",
    "task_store",
    "try_number_of",
]


T = TypeVar("T")

try:
    from airflow.sdk.exceptions import TaskDeferralTimeout
except ImportError:

    class TaskDeferralTimeout(Exception):  # type: ignore[no-redef]
        """Airflow 2 does not tell it from other trouble of a trigger."""


TRIGGERS_HEAR_OF_KILLS = hasattr(BaseTrigger, "on_kill")
"""True where Airflow tells a trigger that its task was killed (>= 3.3); elsewhere it is only cancelled."""


TRIGGERS_END_TASKS = TRIGGERS_HEAR_OF_KILLS
"""True where a trigger can store a task's result and end it (XComs from triggers came to stay with 3.3)."""


def default_deferrable() -> bool:
    """Airflow's ``[operators] default_deferrable``."""
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def hide_in_logs(secret: str) -> None:
    """Have Airflow replace a text by ``***`` wherever it would show it (logs, rendered fields)."""
    from airflow.providers.common.compat.sdk import mask_secret

    mask_secret(secret)


async def ahide_in_logs(secret: str) -> None:
    """The same on an event loop, where asking Airflow's supervisor must not block."""
    try:
        from airflow.sdk.log import amask_secret
    except ImportError:
        await asyncio.to_thread(hide_in_logs, secret)
    else:
        await amask_secret(secret)


def is_built(operator: object) -> bool:
    """True once an operator's constructor has run: attributes set later are rendered ones."""
    return bool(getattr(operator, "_BaseOperator__instantiated", False))


def let_read_connections() -> None:
    """Let a program of ours, that is no task, read connections from Airflow's database (Airflow >= 3)."""
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")


def identity_of(context: Mapping[str, Any]) -> Identity | None:
    """Whose job a task's job is; None outside of a task instance."""
    ti: Any = context.get("ti")
    if not hasattr(ti, "max_tries"):
        return None
    # Both only grow: max_tries when a user clears the task, unless it runs just then; clear_number with every clear in
    # its run. Over retries they stay the same: just what an epoch is.
    epoch = int(ti.max_tries) + int(getattr(context.get("dag_run"), "clear_number", 0) or 0)
    return Identity(str(ti.dag_id), str(ti.run_id), str(ti.task_id), int(ti.map_index), epoch)


def try_number_of(context: Mapping[str, Any]) -> int:
    """Which attempt this is, from 1."""
    return int(getattr(context.get("ti"), "try_number", 1) or 1)


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


async def still_owns(trigger: Any, xcom_key: str, value: Any) -> bool:
    """True if a trigger's task still waits for what it waits for: the trigger was only moved.

    Airflow cancels a trigger in the same way when a user kills its task and when another triggerer takes it
    over. The task's state alone does not tell them apart: cleared, it may be deferred again, on another job.

    :param trigger: the trigger.
    :param xcom_key: the XCom in which the task says what it waits for.
    :param value: what it says if that is what this trigger waits for.
    """
    ti = trigger.task_instance
    try:
        from airflow.sdk.execution_time.comms import GetTaskStates, GetXCom
    except ImportError:
        return await asyncio.to_thread(_still_owns_by_row, trigger)
    mapped = ti.map_index >= 0
    states = await _asked(
        GetTaskStates(
            dag_id=ti.dag_id,
            run_ids=[ti.run_id],
            task_ids=[ti.task_id],
            map_index=ti.map_index if mapped else None,
        )
    )
    name = f"{ti.task_id}_{ti.map_index}" if mapped else ti.task_id
    if states.task_states.get(ti.run_id, {}).get(name) != "deferred":
        return False
    found = await _asked(
        GetXCom(key=xcom_key, dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=ti.map_index)
    )
    return bool(found.value == value)


async def _asked(message: Any) -> Any:
    """An answer of the triggerer's supervisor, which may be the only way to Airflow's database."""
    from airflow.sdk.execution_time import task_runner

    comms: Any = task_runner.SUPERVISOR_COMMS
    if hasattr(comms, "asend"):
        return await comms.asend(message)
    return await asyncio.to_thread(comms.send, message)


def _still_owns_by_row(trigger: Any) -> bool:
    """The same from Airflow 2's database, where the task's row names its trigger."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    ti = trigger.task_instance
    place = {name: getattr(ti, name) for name in ("dag_id", "task_id", "run_id", "map_index")}
    with create_session() as session:
        row = session.get(TaskInstance, place)
        return bool(row and row.state == "deferred" and row.trigger_id == trigger.trigger_id)


GIVEN_UP = frozenset({"success", "failed", "skipped", "removed", "upstream_failed", "restarting"})
"""States of a task that somebody has ended, or cleared, while it ran."""


def is_given_up(context: Mapping[str, Any], patience: float = 3.0) -> bool:
    """True if nobody will go on with what a running task has begun, now that Airflow tells it to stop.

    Airflow stops a task in the same way when a user has ended it and when only its worker is replaced: it was not
    heard of for a while, its scheduler died, its machine is shut down. The next attempt then goes on with the job.

    :param context: the task's context.
    :param patience: seconds; Airflow gives five between asking a task to stop and killing it.
    :raises TimeoutError: it cannot be found out.
    """
    ti: Any = context.get("ti")
    if not hasattr(ti, "get_task_states"):
        return True  # Airflow 2 stops a task for a user only

    def given_up() -> bool:
        if _is_cleared(context):
            return True  # the scheduler may be so quick that the state does not tell any more
        mapped = ti.map_index >= 0
        states = ti.get_task_states(
            dag_id=ti.dag_id,
            run_ids=[ti.run_id],
            task_ids=[ti.task_id],
            map_index=ti.map_index if mapped else None,
        )
        name = f"{ti.task_id}_{ti.map_index}" if mapped else ti.task_id
        state = states.get(ti.run_id, {}).get(name)
        if state == "running":
            return try_number_of(context) > int(ti.max_tries)  # of itself it goes on only if it is retried
        return state in GIVEN_UP

    return apart(given_up, patience)


def _is_cleared(context: Mapping[str, Any]) -> bool:
    """True if a user has cleared tasks of the run since this attempt began; one that is stopped then is among them."""
    try:
        from airflow.sdk.execution_time.comms import GetDagRun
    except ImportError:
        return False
    from airflow.sdk.execution_time import task_runner

    run: Any = context.get("dag_run")
    comms: Any = task_runner.SUPERVISOR_COMMS
    now = comms.send(GetDagRun(dag_id=run.dag_id, run_id=run.run_id))
    return bool(now.clear_number > run.clear_number)


def apart(work: Callable[[], T], patience: float) -> T:
    """Speak to Airflow from a task that is told to stop: the signal may have come while its thread did so already.

    :param work: what to do, in a thread of its own, which does not wait for the one that was struck.
    :param patience: seconds.
    :return: what it returns.
    :raises TimeoutError: it was not done in time.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome.result(patience)


async def push_xcom(trigger: Any, key: str, value: Any) -> None:
    """Store an XCom of a task from its trigger, so that it reads just as if a worker had.

    The event that ends a task can carry XComs, but what it carries is encoded twice (Airflow 3.3.2).
    """
    from airflow.sdk.execution_time.xcom import XCom as TaskXCom

    ti = trigger.task_instance
    await TaskXCom.aset(
        key=key,
        value=value,
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=ti.map_index,
        _mapped_length=len(value) if isinstance(value, list) and ti.map_index < 0 else None,
    )


def success_event() -> Any:
    """The event that ends a task as a success."""
    from airflow.triggers.base import TaskSuccessEvent

    return TaskSuccessEvent()
