# SPDX-License-Identifier: Apache-2.0
"""The one place that knows how Airflow differs between versions; everything else imports it from here."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary


def _found(name: str, *modules: str) -> Any:
    """A name of Airflow's from the first of these modules that has it; they stand from new to old."""
    for module in modules:
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError):
            pass
    raise ImportError(f"this Airflow has no {name} in {', '.join(modules)}")


_EXCEPTIONS = ("airflow.sdk.exceptions", "airflow.exceptions")
_MASKING = ("airflow.sdk.log", "airflow.sdk.execution_time.secrets_masker", "airflow.utils.log.secrets_masker")

if TYPE_CHECKING:
    from airflow.sdk import (
        BaseHook,
        BaseOperator,
        BaseOperatorLink,
        BaseSensorOperator,
        Connection,
        PokeReturnValue,
    )
    from airflow.sdk.configuration import conf
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowRescheduleException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
        TaskDeferralError,
        TaskDeferred,
    )
    from airflow.sdk.execution_time.xcom import XCom
    from airflow.sdk.observability.stats import Stats
else:
    BaseHook = _found("BaseHook", "airflow.sdk", "airflow.hooks.base")
    BaseOperator = _found("BaseOperator", "airflow.sdk", "airflow.models.baseoperator")
    BaseOperatorLink = _found("BaseOperatorLink", "airflow.sdk", "airflow.models.baseoperatorlink")
    BaseSensorOperator = _found("BaseSensorOperator", "airflow.sdk", "airflow.sensors.base")
    Connection = _found("Connection", "airflow.sdk", "airflow.models.connection")
    PokeReturnValue = _found("PokeReturnValue", "airflow.sdk", "airflow.sensors.base")
    Stats = _found("Stats", "airflow.sdk.observability.stats", "airflow.observability.stats", "airflow.stats")
    XCom = _found("XCom", "airflow.sdk.execution_time.xcom", "airflow.models.xcom")
    conf = _found("conf", "airflow.sdk.configuration", "airflow.configuration")

    AirflowException = _found("AirflowException", *_EXCEPTIONS)
    AirflowFailException = _found("AirflowFailException", *_EXCEPTIONS)
    AirflowNotFoundException = _found("AirflowNotFoundException", *_EXCEPTIONS)
    AirflowRescheduleException = _found("AirflowRescheduleException", *_EXCEPTIONS)
    AirflowSensorTimeout = _found("AirflowSensorTimeout", *_EXCEPTIONS)
    AirflowSkipException = _found("AirflowSkipException", *_EXCEPTIONS)
    AirflowTaskTimeout = _found("AirflowTaskTimeout", *_EXCEPTIONS)
    TaskDeferralError = _found("TaskDeferralError", *_EXCEPTIONS)
    TaskDeferred = _found("TaskDeferred", *_EXCEPTIONS)

__all__ = [
    "EVENT_HOLD",
    "LATE_TASKS_RESUME",
    "TASKS_HAVE_SUPERVISORS",
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowRescheduleException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "Connection",
    "PokeReturnValue",
    "Stats",
    "TaskAwaitingInput",
    "TaskDeferralError",
    "TaskDeferralTimeout",
    "TaskDeferred",
    "XCom",
    "ahide_in_logs",
    "answer_to",
    "asset_event_extras",
    "can_ask",
    "conf",
    "default_deferrable",
    "delete_plain_xcom",
    "delete_plain_xcom_of",
    "first_reschedule",
    "get_async_connection",
    "hidden_in",
    "hide_in_logs",
    "hides_rendered_fields",
    "hold",
    "is_cleared",
    "is_run_by_hand",
    "let_read_connections",
    "name_mapped",
    "object_storage_path",
    "plain_xcom_of",
    "push_plain_xcom",
    "push_plain_xcom_of",
    "push_xcom",
    "put_question",
    "row_of",
    "run_marks",
    "shows_sql",
    "state_for_trigger",
    "state_of",
    "success_event",
    "task_store",
    "triggers_end_tasks",
    "triggers_hear_of_kills",
    "try_number_of",
    "wait_for_answer",
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


try:
    from airflow.sdk.exceptions import TaskAwaitingInput
except ImportError:

    class TaskAwaitingInput(BaseException):  # type: ignore[no-redef]
        """Airflow before 3.3 has no state for a task that waits for a person: it is deferred."""


TASKS_HAVE_SUPERVISORS = find_spec("airflow.sdk") is not None
"""True where tasks and triggers ask a supervisor for what is in Airflow's database (Airflow 3)."""


LATE_TASKS_RESUME = TASKS_HAVE_SUPERVISORS
"""False where a task that comes back from its trigger after its ``execution_timeout`` is not run again (Airflow 2)."""


EVENT_HOLD = 10.0
"""Seconds that pass at least from a task's leaving its worker (deferred or rescheduled) to its coming back to one.

Airflow's scheduler reads some seconds later that the process it left has ended, when it drains its executor's events.
If the task is queued or running again by then, it takes that end for the new process's, logs a "state mismatch" and
fails the task (``process_executor_events``; apache/airflow#66374, #67287, #71580, #72716; for a reschedule #71172).
3.3.2 excuses a task that is SCHEDULED only. No release is known to be fixed; the first that is gets 0.0 here, by a
feature test.

The check looks at tasks that are to run or run (SCHEDULED, QUEUED, RUNNING, RESTARTING) only. So a task whose success a
trigger stores without another worker is safe at once, and one that began on a triggerer has left no process.
"""


def triggers_hear_of_kills() -> bool:
    """True where Airflow tells a trigger that its task was killed (>= 3.3); elsewhere it is only cancelled."""
    from airflow.triggers.base import BaseTrigger  # slow, and nothing that most DAG files need

    return hasattr(BaseTrigger, "on_kill")


def triggers_end_tasks() -> bool:
    """True where a trigger can store a task's result and end it (XComs from triggers came to stay with 3.3)."""
    return triggers_hear_of_kills()


async def hold(handed_over: float, began: float) -> None:
    """Let pass what is left of the time in which Airflow would fail a task that comes back.

    It runs from the trigger's beginning: on a machine so busy that this comes late, Airflow's scheduler is late too.
    One that begins anew, on another triggerer, need not wait as long again.

    :param handed_over: when the task left its worker, by the worker's clock, seconds since the epoch.
    :param began: when the trigger began, by this clock.
    """
    left = min(began, handed_over + EVENT_HOLD)
    await asyncio.sleep(max(0.0, left + EVENT_HOLD - time.time()))


def default_deferrable() -> bool:
    """Airflow's ``[operators] default_deferrable``."""
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def shows_sql() -> bool:
    """Airflow's ``[cloudjobs] show_sql``."""
    return bool(conf.getboolean("cloudjobs", "show_sql", fallback=False))


def running_task() -> Any | None:
    """The task whose code is running, as Airflow will stop it; None outside of tasks."""
    get_current_context = _found("get_current_context", "airflow.sdk", "airflow.operators.python")
    try:
        return get_current_context()["ti"].task
    except (AirflowException, RuntimeError):
        return None


def hide_in_logs(secret: str) -> None:
    """Have Airflow replace a text by ``***`` wherever it would show it (logs, rendered fields)."""
    _found("mask_secret", *_MASKING)(secret)


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


async def get_async_connection(conn_id: str, hook: Any) -> Connection:
    """A connection, for use on an event loop.

    :param conn_id: its id.
    :param hook: the class that is asked.
    """
    if hasattr(Connection, "aextra_dejson"):
        return cast(Connection, await hook.aget_connection(conn_id))
    # Airflow's look-up for event loops, where there is one, hides secrets by a call that blocks the loop (below 3.3.2).
    return cast(Connection, await _in_thread(hook.get_connection, conn_id))


def let_read_connections() -> None:
    """Let a program of ours, that is no task, read connections from Airflow's database (Airflow >= 3)."""
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")


def is_run_by_hand() -> bool:
    """True in ``airflow dags test``, ``airflow tasks test`` and ``dag.test()``: when that stops, nobody goes on."""
    try:
        from airflow.sdk.execution_time import task_runner
    except ImportError:
        return False
    return type(getattr(task_runner, "SUPERVISOR_COMMS", None)).__name__ == "InProcessSupervisorComms"


def can_ask() -> bool:
    """True where Airflow has a page on which people answer what tasks ask ("human in the loop", >= 3.1)."""
    return TASKS_HAVE_SUPERVISORS and find_spec("airflow.sdk.execution_time.hitl") is not None


def put_question(
    context: Mapping[str, Any], *, subject: str, body: str, options: list[str], fields: Mapping[str, Mapping[str, Any]]
) -> None:
    """Have Airflow show a question of a running task to people.

    Airflow keeps one question for a task in a run, and its text: where one has been put before, be it by an attempt
    before, only the answer to it is forgotten (Airflow 3.3.2).

    :param context: the task's context.
    :param subject: a line.
    :param body: Markdown.
    :param options: of which one is chosen.
    :param fields: what else may be filled in: for each field the arguments of Airflow's ``Param``.
    """
    from airflow.sdk import Param
    from airflow.sdk.execution_time.hitl import upsert_hitl_detail

    upsert_hitl_detail(
        ti_id=context["ti"].id,
        options=options,
        subject=subject,
        body=body,
        params={name: Param(**field).serialize() for name, field in fields.items()},
    )


def wait_for_answer(method_name: str, kwargs: dict[str, Any], timeout: timedelta | None) -> None:
    """Leave the worker until a person has answered; return where a trigger has to wait for it (Airflow before 3.3).

    Nothing can be held here as events are (:data:`EVENT_HOLD`): Airflow itself brings the task back, at the answer. One
    that a script gives as soon as the question is there meets that race (3.3.2 on SQLite: 3 of 4 tasks failed with a
    "state mismatch", 1 kept waiting with its answer stored); 8 s later none did. A retry asks again.

    :param method_name: goes on with the answer, in the argument ``event``.
    :param kwargs: its other arguments.
    :param timeout: after which it goes on without one.
    """
    if TaskAwaitingInput.__module__ != __name__:
        raise TaskAwaitingInput(method_name=method_name, kwargs=kwargs, timeout=timeout)


async def answer_to(ti_id: str) -> dict[str, Any] | None:
    """What a person has answered to the question of a task, as Airflow from 3.3 on tells it; None if nobody has yet.

    For use on a triggerer.
    """
    from uuid import UUID

    from airflow.sdk.execution_time.comms import GetHITLDetailResponse

    answer = await _asked(GetHITLDetailResponse(ti_id=UUID(ti_id)))
    if not answer.response_received:
        return None
    who = answer.responded_by_user
    return {
        "chosen_options": list(answer.chosen_options or ()),
        "params_input": dict(answer.params_input or {}),
        "responded_by_user": {"id": who.id, "name": who.name} if who else None,
    }


def hides_rendered_fields() -> bool:
    """True if Airflow hides what it was told to in a task's arguments before it stores what they were rendered to.

    3.0 does not, nor does 3.1 before 3.1.4; of 3.1.4 and 3.1.5 it cannot be seen.
    """
    if not TASKS_HAVE_SUPERVISORS:
        return True
    from airflow.sdk.execution_time import task_runner

    return hasattr(task_runner, "_serialize_template_field")


def hidden_in(value: T) -> T:
    """A value as Airflow would show it: what is to be hidden replaced by ``***`` in its texts, however deep."""
    return cast(T, _found("redact", *_MASKING)(value, max_depth=100))


def tells_lineage() -> bool:
    """True in a process whose tasks OpenLineage is told of: its provider is there and has a transport."""
    conf = sys.modules.get("airflow.providers.openlineage.conf")
    return conf is not None and not conf.is_disabled()


def name_mapped(context: Any, name: str) -> None:
    """Have Airflow's page call a mapped task instance by a name, unless its DAG says how (``map_index_template``).

    :param context: the task's context.
    :param name: one line.
    """
    ti, task = context.get("ti"), context.get("task")
    if getattr(ti, "map_index", -1) < 0 or getattr(task, "map_index_template", None) is not None:
        return
    # Airflow takes a template, from the context. Where templates make Python values, a key of digits would become a
    # number, which Airflow cannot store.
    native = getattr(getattr(task, "dag", None), "render_template_as_native_obj", False)
    literal = repr(repr(name)) if native else repr(name)
    context["map_index_template"] = f"{{{{ {literal} }}}}"
    if TASKS_HAVE_SUPERVISORS and hasattr(ti, "rendered_map_index"):
        ti.rendered_map_index = name  # Airflow renders no template at a deferral


def asset_event_extras(context: Mapping[str, Any], outlets: Sequence[Any]) -> list[dict[str, Any]]:
    """What the events of a task's assets will carry, to be added to.

    :param context: the task's context.
    :param outlets: the task's; one that Airflow makes no event of (a lineage entity) is passed over.
    """
    events: Any = context.get("outlet_events")
    extras = []
    for outlet in outlets if events is not None else ():
        with suppress(KeyError, TypeError):
            extras.append(events[outlet].extra)
    return extras


def try_number_of(context: Mapping[str, Any]) -> int:
    """Which attempt this is, from 1."""
    return int(getattr(context.get("ti"), "try_number", 1) or 1)


def task_store(context: Mapping[str, Any]) -> Any | None:
    """The task's own store, which outlives its attempts (Airflow >= 3.3); None where there is none."""
    return context.get("task_state_store")


def object_storage_path(url: str) -> Any:
    """A path as Airflow's tasks have them, in whatever is attached by scheme and connection."""
    return _found("ObjectStoragePath", "airflow.sdk", "airflow.io.path")(url)  # imported by few


def run_marks(context: Mapping[str, Any]) -> tuple[str, str] | None:
    """What tells a DAG run from one by the same name that was deleted before. Both stay the same over retries.

    :return: when it was made (Airflow 3) or its number (Airflow 2), which no other run has; and when it began, which is
        another time once it was queued again. None if neither tells: Airflow 2's ``dag.test()`` repeats all of it.
    """
    run: Any = context.get("dag_run")
    began = getattr(run, "start_date", None)
    if began is None:
        return None
    if hasattr(run, "run_after"):
        return run.run_after.isoformat(), began.isoformat()
    number = getattr(run, "id", None)
    if number is None or getattr(run, "queued_at", None) is None:
        return None
    return str(number), began.isoformat()


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


async def state_for_trigger(trigger: Any) -> str | None:
    """The state that Airflow has of a trigger's task now; for use on a triggerer."""
    from airflow.sdk.execution_time.comms import GetTaskStates

    ti = trigger.task_instance
    states = await _asked(GetTaskStates(**_place_of(ti)))
    return _state_in(states.task_states, ti)


async def plain_xcom_of(trigger: Any, key: str) -> Any:
    """An XCom of a trigger's task, as it stands in Airflow's database; for use on a triggerer (Airflow 3)."""
    from airflow.sdk.execution_time.comms import GetXCom

    found = await _asked(GetXCom(key=key, **_names_of(trigger.task_instance)))
    return found.value


def push_plain_xcom(context: Mapping[str, Any], key: str, value: Any) -> None:
    """Store an XCom of a running task in Airflow's database itself, past any XCom backend, as Airflow stores links.

    For what is read without a backend; a task that is run without a supervisor has nobody who would read it.
    """
    _tell_supervisor(context, "SetXCom", key=key, value=value)


def delete_plain_xcom(context: Mapping[str, Any], key: str) -> None:
    """Delete what :func:`push_plain_xcom` has stored."""
    _tell_supervisor(context, "DeleteXCom", key=key)


def _tell_supervisor(context: Mapping[str, Any], message: str, **about: Any) -> None:
    """Send a message about a running task's XCom to the process that supervises it, where there is one."""
    try:
        from airflow.sdk.execution_time import comms, task_runner
    except ImportError:
        return
    ti: Any = context.get("ti")
    supervisor: Any = getattr(task_runner, "SUPERVISOR_COMMS", None)
    if ti is not None and supervisor is not None:
        supervisor.send(getattr(comms, message)(**about, **_names_of(ti)))


async def delete_plain_xcom_of(trigger: Any, key: str) -> None:
    """The same for a trigger's task; for use on a triggerer."""
    from airflow.sdk.execution_time.comms import DeleteXCom

    await _asked(DeleteXCom(key=key, **_names_of(trigger.task_instance)))


async def push_plain_xcom_of(trigger: Any, key: str, value: Any) -> None:
    """The same for a trigger's task; for use on a triggerer."""
    await _store_xcom(trigger, key, value)


def _names_of(ti: Any) -> dict[str, Any]:
    """What names a task instance where its XComs are."""
    return {name: getattr(ti, name) for name in PLACE}


def _place_of(ti: Any) -> dict[str, Any]:
    """What names a task instance when Airflow is asked for its state."""
    return {
        "dag_id": ti.dag_id,
        "run_ids": [ti.run_id],
        "task_ids": [ti.task_id],
        "map_index": ti.map_index if ti.map_index >= 0 else None,
    }


def _state_in(states: Mapping[str, Mapping[str, str | None]], ti: Any) -> str | None:
    """The state of a task instance in Airflow's answer."""
    name = f"{ti.task_id}_{ti.map_index}" if ti.map_index >= 0 else ti.task_id
    return states.get(ti.run_id, {}).get(name)


async def _asked(message: Any) -> Any:
    """An answer of the triggerer's supervisor, which may be the only way to Airflow's database."""
    from airflow.sdk.execution_time import task_runner

    comms: Any = task_runner.SUPERVISOR_COMMS
    if hasattr(comms, "asend"):
        return await comms.asend(message)
    return await _in_thread(comms.send, message)


PLACE = ("dag_id", "task_id", "run_id", "map_index")
"""What names a task instance in Airflow's database."""


def row_of(ti: Any) -> tuple[str | None, int | None]:
    """State and trigger of a task instance in Airflow 2's database; nothing if it is gone."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        row = session.get(TaskInstance, {name: getattr(ti, name) for name in PLACE})
        return (row.state, row.trigger_id) if row else (None, None)


def state_of(ti: Any) -> str | None:
    """The state that Airflow has of a task instance now; for use on a worker."""
    if not hasattr(ti, "get_task_states"):
        return row_of(ti)[0]
    return _state_in(ti.get_task_states(**_place_of(ti)), ti)


def is_cleared(context: Mapping[str, Any]) -> bool:
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


async def push_xcom(trigger: Any, key: str, value: Any) -> None:
    """Store an XCom of a task from its trigger, through the XCom backend, so that it reads just as if a worker had.

    The event that ends a task can carry XComs, but what it carries is encoded twice (Airflow 3.3.2).
    """
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.execution_time.xcom import XCom as TaskXCom

    names = _names_of(trigger.task_instance)
    length = len(value) if isinstance(value, list) and names["map_index"] < 0 else None
    if TaskXCom.serialize_value is BaseXCom.serialize_value:
        stored = TaskXCom.serialize_value(value, key=key, **names)
    else:
        # A backend may do with it what takes time, as sending it to an object store.
        stored = await _in_thread(partial(TaskXCom.serialize_value, key=key, **names), value)
    await _store_xcom(trigger, key, stored, length)


async def _store_xcom(trigger: Any, key: str, stored: Any, length: int | None = None) -> None:
    """Have Airflow's database hold what an XCom backend has made of a value, or the value where no backend reads it."""
    from airflow.sdk.execution_time.comms import SetXCom

    message = SetXCom(key=key, value=stored, mapped_length=length, **_names_of(trigger.task_instance))
    async with _pushing.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(PUSHES)):
        await _asked(message)


PUSHES = 4
"""XComs that an event loop has Airflow store at a time: its supervisor takes what triggers ask of it one by one, and
whoever asks for a connection must not stand behind thousands of them."""

_pushing: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def success_event() -> Any:
    """The event that ends a task as a success."""
    from airflow.triggers.base import TaskSuccessEvent

    return TaskSuccessEvent()
