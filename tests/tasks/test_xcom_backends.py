# SPDX-License-Identifier: Apache-2.0
"""XCom backends: what they store is not the value, they may be away, and they may take their time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.io.xcom import backend as object_storage
from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.execution_time import comms, task_runner, xcom
from support.jobapis import DLI
from taskbench import Store, TaskInstance, rendered

from airflow_cloudjobs import compat
from airflow_cloudjobs.links import CONSOLE_URL, CloudConsoleLink
from airflow_cloudjobs.localcloud import Control
from airflow_cloudjobs.task_state import OWNER
from airflow_cloudjobs.trigger import CloudJobTrigger

FAST = 0.03


class Database:
    """Airflow's database behind the line of a worker or a triggerer to its supervisor.

    :param state: the state it has of the task.
    """

    def __init__(self, state: str = "deferred") -> None:
        self.state = state
        self.xcoms: dict[str, Any] = {}

    def send(self, message: Any) -> Any:
        if isinstance(message, comms.SetXCom):
            self.xcoms[message.key] = json.loads(message.model_dump_json())["value"]
            return None
        if isinstance(message, comms.GetXCom):
            return comms.XComResult(key=message.key, value=self.xcoms.get(message.key))
        assert isinstance(message, comms.GetTaskStates), message
        return comms.TaskStatesResult(task_states={TaskInstance.run_id: {TaskInstance.task_id: self.state}})

    async def asend(self, message: Any) -> Any:
        return self.send(message)


class BackedTaskInstance(TaskInstance):
    """One whose XComs go through the XCom backend, as on a worker."""

    def xcom_push(self, key: str, value: Any) -> None:
        xcom.XCom.set(key=key, value=value, **_place(self))


def _place(ti: TaskInstance) -> dict[str, Any]:
    return {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": ti.map_index}


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    database = Database()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", database, raising=False)
    return database


@pytest.fixture
def object_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Airflow's own backend, which stores every value in a file and its address in the database."""
    monkeypatch.setenv("AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH", f"file://{tmp_path}/xcoms")
    monkeypatch.setenv("AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD", "0")
    caches = (object_storage._get_base_path, object_storage._get_threshold)
    for cache in caches:
        cache.cache_clear()
    monkeypatch.setattr(xcom, "XCom", object_storage.XComObjectStorageBackend)
    yield tmp_path
    for cache in caches:
        cache.cache_clear()


def _deferred() -> CloudJobTrigger:
    """The trigger of an operator that has submitted a job and been deferred, made again from its row."""
    context = {"ti": BackedTaskInstance(), "task_state_store": Store()}
    task = DLI.operator(task_id="t", **DLI.new, deferrable=True, poll_interval=FAST)
    with pytest.raises(TaskDeferred) as deferred:
        rendered(lambda: task, context).execute(context)
    _, kwargs = deferred.value.trigger.serialize()
    trigger = CloudJobTrigger(**json.loads(json.dumps(kwargs)))
    trigger.task_instance = context["ti"]
    return trigger


def _cancels(control: Control) -> int:
    return int(control.stats()["cancels"].get(DLI.api, 0))


@pytest.mark.usefixtures("object_store")
class TestMovedTrigger:
    """Airflow calls ``on_kill`` when a user ends the task, and also when the trigger moves to another triggerer."""

    @pytest.mark.parametrize(("state", "cancels"), [("deferred", 0), ("failed", 1), ("running", 1)])
    def test_only_a_killed_task_loses_its_job(
        self, state: str, cancels: int, database: Database, control: Control
    ) -> None:
        control.plan(DLI.api, "forever")
        trigger = _deferred()
        assert str(database.xcoms["job_key"]).startswith("file://"), "the backend is not in use"
        database.state = state
        asyncio.run(trigger.on_kill())
        assert _cancels(control) == cancels

    def test_cleared_and_deferred_again_on_another_job(self, database: Database, control: Control) -> None:
        control.plan(DLI.api, "forever")
        trigger = _deferred()
        database.xcoms[OWNER] = ["another"]
        asyncio.run(trigger.on_kill())
        assert _cancels(control) == 1

    @pytest.mark.parametrize("stored", [None, "file:///xcoms/owner.json", {"__encrypted__": "gAAAA"}])
    def test_what_cannot_be_read_cancels_nothing(
        self, stored: Any, database: Database, control: Control, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A worker of the release before has stored it through the backend; or somebody has deleted it."""
        control.plan(DLI.api, "forever")
        trigger = _deferred()
        database.xcoms[OWNER] = stored
        asyncio.run(trigger.on_kill())
        assert _cancels(control) == 0


@pytest.mark.usefixtures("object_store")
def test_a_link_is_stored_as_airflow_stores_links(database: Database, control: Control) -> None:
    """Airflow's web server reads it without a backend; what a task reads goes through one."""
    control.create_job(DLI.api, "theirs", "forever")
    asked = {"keys": "theirs", "scope": {}, "conn_id": "huaweicloud_default", "region": None, "endpoint": None}
    trigger = CloudJobTrigger(api=DLI.api, asked=asked, plan={"interval": FAST})
    trigger.task_instance = TaskInstance()

    async def until_stored() -> None:
        waiting = asyncio.create_task(anext(trigger.run()))
        async with asyncio.timeout(20):
            while CloudConsoleLink().xcom_key not in database.xcoms:
                await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait([waiting])

    asyncio.run(until_stored())
    assert database.xcoms[CloudConsoleLink().xcom_key].startswith(DLI.console)
    assert database.xcoms[CONSOLE_URL].startswith("file://")
    read = xcom.XCom.get_one(key=CONSOLE_URL, **_place(trigger.task_instance))
    assert read == database.xcoms[CloudConsoleLink().xcom_key]


def test_a_slow_backend_does_not_hold_the_loop_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """All waits of a triggerer are on that loop."""
    events: list[str] = []

    class SlowBackend(BaseXCom):
        @staticmethod
        def serialize_value(value: Any, **names: Any) -> Any:
            events.append("begun")
            time.sleep(0.5)
            events.append("done")
            return [value, names["task_id"]]

    monkeypatch.setattr(xcom, "XCom", SlowBackend)
    trigger = CloudJobTrigger(api=DLI.api)
    trigger.task_instance = TaskInstance()

    async def store() -> None:
        storing = asyncio.create_task(compat.push_xcom(trigger, "return_value", "v"))
        while not storing.done():
            events.append("tick")
            await asyncio.sleep(0.01)
        await storing

    asyncio.run(store())
    begun, done = events.index("begun"), events.index("done")
    assert events[begun + 1 : done].count("tick") > 1, "nothing else went on meanwhile"
    assert database.xcoms["return_value"] == ["v", TaskInstance.task_id]
