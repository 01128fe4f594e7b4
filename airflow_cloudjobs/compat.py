# SPDX-License-Identifier: Apache-2.0
"""The one place that knows how Airflow differs between versions; everything else imports it from here."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from importlib.util import find_spec
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

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
    "LATE_TASKS_RESUME",
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
    try:
        from airflow.exceptions import TaskDeferralTimeout  # type: ignore[no-redef]
    except ImportError:

        class TaskDeferralTimeout(Exception):  # type: ignore[no-redef]
            """Airflow 2 does not tell it from other trouble of a trigger."""


TRIGGERS_HEAR_OF_KILLS = hasattr(BaseTrigger, "on_kill")
"""True where Airflow tells a trigger that its task was killed (>= 3.3); elsewhere it is only cancelled."""


TRIGGERS_END_TASKS = TRIGGERS_HEAR_OF_KILLS
"""True where a trigger can store a task's result and end it (XComs from triggers came to stay with 3.3)."""


LATE_TASKS_RESUME = find_spec("airflow.sdk") is not None
"""False where a task that comes back from its trigger after its ``execution_timeout`` is not run again (Airflow 2)."""


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
        await _in_thread(hide_in_logs, secret)
    else:
        await amask_secret(secret)


async def _in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """What may speak to Airflow's supervisor, and would block the event loop.

    A triggerer's line to its supervisor belongs to its event loop. Only from a thread that asgiref has made does
    Airflow before 3.3 find back to it; from any other the answers get mixed up, which ends the triggerer.
    """
    from asgiref.sync import sync_to_async  # which no DAG file needs

    return await sync_to_async(work, thread_sensitive=False)(*arguments)


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
    # Airflow 2 has the dates in its database only. It counts ``timeout`` from the first attempt, or the first after
    # the task was cleared.
    from airflow.models.taskreschedule import TaskReschedule
    from airflow.utils.session import create_session
    from sqlalchemy import select

    attempt = int(ti.max_tries or 0) - int(context["task"].retries or 0) + 1
    query = select(TaskReschedule.start_date).where(
        *(getattr(TaskReschedule, name) == getattr(ti, name) for name in PLACE), TaskReschedule.try_number >= attempt
    )
    with create_session() as session:
        first = session.scalar(query.order_by(TaskReschedule.id).limit(1))
        return first.timestamp() if first else None


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
    return await _in_thread(comms.send, message)


def _still_owns_by_row(trigger: Any) -> bool:
    """The same from Airflow 2's database, where the task's row names its trigger."""
    state, trigger_id = _row_of(trigger.task_instance)
    return state == "deferred" and trigger_id == trigger.trigger_id


PLACE = ("dag_id", "task_id", "run_id", "map_index")
"""What names a task instance in Airflow 2's database."""


def _row_of(ti: Any) -> tuple[str | None, int | None]:
    """State and trigger of a task instance in Airflow 2's database; nothing if it is gone."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        row = session.get(TaskInstance, {name: getattr(ti, name) for name in PLACE})
        return (row.state, row.trigger_id) if row else (None, None)


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

    def given_up() -> bool:
        if _is_cleared(context):
            return True  # the scheduler may be so quick that the state does not tell any more
        state = _state_of(ti)
        if state == "running":
            return try_number_of(context) > int(ti.max_tries)  # of itself it goes on only if it is retried
        return state in GIVEN_UP

    return apart(given_up, patience)


def _state_of(ti: Any) -> str | None:
    """The state that Airflow has of a task instance now."""
    if not hasattr(ti, "get_task_states"):
        return _row_of(ti)[0]
    mapped = ti.map_index >= 0
    states: Any = ti.get_task_states(
        dag_id=ti.dag_id,
        run_ids=[ti.run_id],
        task_ids=[ti.task_id],
        map_index=ti.map_index if mapped else None,
    )
    name = f"{ti.task_id}_{ti.map_index}" if mapped else ti.task_id
    state: str | None = states.get(ti.run_id, {}).get(name)
    return state


def _is_cleared(context: Mapping[str, Any]) -> bool:
    """True if a user has cleared tasks of the run since this attempt began; one that is stopped then is among them."""
    try:
        from airflow.sdk.execution_time.comms import GetDagRun
    except ImportError:
        return False
    from airflow.sdk.execution_time import task_runner

    run: Any = context.get("dag_run")
    comms: Any = getattr(task_runner, "SUPERVISOR_COMMS", None)
    if run is None or comms is None:
        return False  # run by hand, not by a worker
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
    async with _pushing.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(PUSHES)):
        await TaskXCom.aset(
            key=key,
            value=value,
            dag_id=ti.dag_id,
            task_id=ti.task_id,
            run_id=ti.run_id,
            map_index=ti.map_index,
            _mapped_length=len(value) if isinstance(value, list) and ti.map_index < 0 else None,
        )


PUSHES = 4
"""XComs that an event loop has Airflow store at a time: its supervisor takes what triggers ask of it one by one, and
whoever asks for a connection must not stand behind thousands of them."""

_pushing: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def success_event() -> Any:
    """The event that ends a task as a success."""
    from airflow.triggers.base import TaskSuccessEvent

    return TaskSuccessEvent()
