# SPDX-License-Identifier: Apache-2.0
"""Runs a task in this process as Airflow's worker, scheduler and triggerer would, one phase after another.

Every phase is given a task made anew from its DAG file, and what travels between phases travels as JSON, so a
task that keeps something in itself is found out. Airflow's own processes run the same in ``test_matrix.py``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest
import structlog
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import GetTaskStates, TaskStatesResult

# Airflow wants execute() called by its task runner; this module stands in for that.
ExecutorSafeguard.test_mode = True

SUCCESS, FAILED, RETRY, SKIPPED = "success", "failed", "up_for_retry", "skipped"


class TaskInstance:
    """What a task may ask of its task instance."""

    dag_id, run_id, task_id, map_index = "bench", "manual__1", "t", -1

    def __init__(self) -> None:
        self.start_date = datetime.now(UTC)
        self.try_number = 1
        self.max_tries = 0
        self.xcoms: dict[str, Any] = {}
        self.pushed: list[tuple[str, float]] = []
        self.first_reschedule: datetime | None = None

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))
        self.pushed.append((key, time.time()))

    def xcom_pull(self, task_ids: str, key: str, map_indexes: int) -> Any:
        return self.xcoms.get(key)

    def get_task_states(self, **asked: Any) -> dict[str, dict[str, str]]:
        return {self.run_id: {self.task_id: "failed"}}  # a user has ended it

    def get_first_reschedule_date(self, context: Any) -> datetime | None:
        return self.first_reschedule


class Store(dict[str, Any]):
    """The store that outlives a task's attempts."""

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        self.pop(key, None)

    def __bool__(self) -> bool:
        return True


@dataclass
class Ran:
    """What became of a task.

    :param state: the state Airflow gives it, if it has retries left.
    :param result: what it returned, or what it left in XCom.
    :param error: the exception that ended it.
    :param ti: with its XComs.
    :param store: what it keeps between its attempts.
    :param deferrals: how often it went to a triggerer.
    :param reschedules: how often it gave its worker back.
    :param triggers: what was stored of each trigger.
    :param events: what each trigger told.
    :param log: the lines of the task's log.
    """

    state: str = ""
    result: Any = None
    error: BaseException | None = None
    ti: TaskInstance = field(default_factory=TaskInstance)
    store: Store = field(default_factory=Store)
    deferrals: int = 0
    reschedules: int = 0
    triggers: list[Any] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    log: str = ""


def run(make: Callable[[], Any], **context: Any) -> Ran:
    """Run a task until it has ended.

    :param make: makes the task, as its DAG file does.
    :param context: further names for its templates.
    """
    ran = Ran()
    with logged() as lines:
        try:
            ran.result = _phases(make, ran, {"ti": ran.ti, "task_state_store": ran.store, **context})
            ran.state = SUCCESS
        except AirflowSkipException as error:
            ran.state, ran.error = SKIPPED, error
        except (AirflowFailException, AirflowSensorTimeout) as error:
            ran.state, ran.error = FAILED, error
        except Exception as error:
            ran.state, ran.error = RETRY, error
    if ran.error is not None:
        ran.result = ran.ti.xcoms.get("return_value")
    ran.result = json.loads(json.dumps(ran.result))
    ran.log = "\n".join(lines)
    return ran


class Attempts:
    """A task that is tried again and again, blocking.

    :param make: makes the task, as its DAG file does.
    :param store: False for an Airflow without a store for tasks.
    """

    def __init__(self, make: Callable[[], Any], *, store: bool = True) -> None:
        self.ti = TaskInstance()
        self.ti.max_tries = 9
        self.store = Store() if store else None
        self.make = make

    def run(self) -> Any:
        """One attempt."""
        context = {"ti": self.ti, **({"task_state_store": self.store} if self.store is not None else {})}
        try:
            return rendered(self.make, context).execute(context)
        finally:
            self.ti.try_number += 1


class Killed(BaseException):
    """A worker that dies, or is told to."""


def kill_waiting(make: Callable[[], Any], context: dict[str, Any] | None = None) -> None:
    """Run a task until its first pause, and end it there as Airflow's handler of signals does.

    :param make: makes the task, as its DAG file does.
    :param context: the task's; None for one with a store.
    """
    task = rendered(make, context := context or {"ti": TaskInstance(), "task_state_store": Store()})
    with pytest.MonkeyPatch.context() as patch:

        def kill(seconds: float) -> None:
            patch.undo()  # a cancel may pause
            task.on_kill()
            raise Killed

        patch.setattr("airflow_cloudjobs.hook.time.sleep", kill)
        with pytest.raises(Killed):
            task.execute(context)


def kill_deferred(make: Callable[[], Any], before: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a task until it is deferred, have its trigger wait for a while, and end the task as a user does.

    :param make: makes the task, as its DAG file does.
    :param before: what happens just before the kill.
    :param monkeypatch: puts a supervisor into Airflow's place, which tells the trigger that its task was ended.
    :return: the lines of the trigger's log.
    """
    context = {"ti": TaskInstance(), "task_state_store": Store()}
    with pytest.raises(TaskDeferred) as deferred:
        rendered(make, context).execute(context)
    path, kwargs = deferred.value.trigger.serialize()
    trigger = _trigger(path, json.loads(json.dumps(kwargs)))
    trigger.task_instance = context["ti"]
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", _Supervisor(), raising=False)

    async def wait_and_kill() -> None:
        waiting = asyncio.create_task(anext(trigger.run()))
        await asyncio.wait([waiting], timeout=0.1)
        before()
        waiting.cancel()
        await asyncio.wait([waiting])
        await trigger.on_kill()

    with logged() as lines:
        asyncio.run(wait_and_kill())
    return "\n".join(lines)


class _Supervisor:
    """What a triggerer's supervisor answers of a task that a user has ended."""

    async def asend(self, message: Any) -> TaskStatesResult:
        assert isinstance(message, GetTaskStates)
        return TaskStatesResult(task_states={TaskInstance.run_id: {TaskInstance.task_id: "failed"}})


@contextmanager
def logged() -> Iterator[list[str]]:
    """What is logged meanwhile, whether through Airflow's task loggers or through Python's."""
    lines: list[str] = []
    python = _Lines(lines)
    root = logging.getLogger()
    level = root.level
    root.addHandler(python)
    root.setLevel(logging.INFO)

    def keep(logger: Any, method: str, event: structlog.typing.EventDict) -> Any:
        lines.append(f"{method.upper()} {event['event']}")
        raise structlog.DropEvent

    before = structlog.get_config()["processors"]
    kept = list(before)
    before[:] = [keep]
    try:
        yield lines
    finally:
        before[:] = kept
        root.setLevel(level)
        root.removeHandler(python)


def _phases(make: Callable[[], Any], ran: Ran, context: dict[str, Any]) -> Any:
    resumed: tuple[str, dict[str, Any]] | None = None
    while True:
        task = rendered(make, context)
        try:
            return task.resume_execution(*resumed, context) if resumed else task.execute(context)
        except AirflowRescheduleException as later:
            ran.reschedules += 1
            ran.ti.first_reschedule = ran.ti.first_reschedule or ran.ti.start_date
            time.sleep(max(0.0, later.reschedule_date.timestamp() - time.time()))
        except TaskDeferred as deferred:
            ran.deferrals += 1
            path, kwargs = deferred.trigger.serialize()
            ran.triggers.append(json.loads(json.dumps(kwargs)))
            event = asyncio.run(first_event(path, ran.triggers[-1]))
            ran.events.append(event)
            kept = json.loads(json.dumps(deferred.kwargs or {}))
            resumed = deferred.method_name, {**kept, "event": event}


def rendered(make: Callable[[], Any], context: dict[str, Any]) -> Any:
    """The task as a worker has it before it is executed."""
    task = make()
    task.render_template_fields(context)
    return task


async def first_event(path: str, kwargs: dict[str, Any]) -> Any:
    """What a trigger tells, as it is stored."""
    trigger = _trigger(path, kwargs)
    events = [event.payload async for event in trigger.run()]
    assert len(events) == 1, "a trigger that goes on after its event is killed on Airflow 3.3"
    return json.loads(json.dumps(events[0]))


def _trigger(path: str, kwargs: dict[str, Any]) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)(**kwargs)


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("airflow_cloudjobs"):
            self._lines.append(f"{record.levelname} {record.getMessage()}")
