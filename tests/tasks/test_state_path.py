# SPDX-License-Identifier: Apache-2.0
"""Submit once with files below ``[cloudjobs] state_path``, as where Airflow has no store of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.bases.hook import BaseHook
from airflow.sdk.io import attach, store
from fsspec.implementations.memory import MemoryFileSystem
from support.jobapis import DLI, DMS_EXPORT, DMS_UPLOAD, DRS, JobApi
from taskbench import TaskInstance, rendered

from airflow_cloudjobs.exceptions import LookUpFailed, SubmitFailed, SubmitOutcomeUnknown, TaskRefused
from airflow_cloudjobs.huawei.dli import DliSqlJobSensor
from airflow_cloudjobs.jobs.identity import Identity
from airflow_cloudjobs.localcloud import Control
from airflow_cloudjobs.state_path import StateFiles, StateTrouble, StateUnclear, task_store

ENV = "AIRFLOW__CLOUDJOBS__STATE_PATH"
NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


@dataclass
class DagRun:
    """What Airflow 3 tells a task of its run."""

    run_after: datetime = NOW
    start_date: datetime | None = NOW
    clear_number: int = 0


@dataclass
class Attempts:
    """A task that is tried again and again, blocking, on an Airflow that has no store."""

    api: JobApi
    arguments: dict[str, Any]
    ti: TaskInstance = field(default_factory=TaskInstance)
    run_of: DagRun = field(default_factory=DagRun)

    @property
    def context(self) -> dict[str, Any]:
        return {"ti": self.ti, "dag_run": self.run_of}

    def run(self) -> Any:
        """One attempt."""
        context = self.context
        make = lambda: self.api.operator(task_id="t", poll_interval=0.03, **self.arguments)  # noqa: E731
        try:
            return rendered(make, context).execute(context)
        finally:
            self.ti.try_number += 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the state path."""
    path = tmp_path / "stored"
    path.mkdir()
    monkeypatch.setenv(ENV, str(path))
    return path


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryFileSystem]:
    """An object store, as far as this process is concerned, with a folder that is the state path."""
    fs = MemoryFileSystem()
    attach("memory", fs=fs)
    monkeypatch.setenv(ENV, "memory://bucket/cloudjobs")
    yield fs
    fs.store.clear()
    store._STORE_CACHE.pop("memory")


def submits(control: Control, api: JobApi) -> int:
    """How many submits the cloud has taken."""
    return int(control.stats()["submits"].get(api.api, 0))


def asked(control: Control, api: JobApi) -> int:
    """How many submits have reached the cloud, taken or not."""
    return int(control.stats()["operations"].get(api.submit, {"calls": 0})["calls"])


def attempts_of(api: JobApi, control: Control, template: Path) -> Attempts:
    """A task of an API whose jobs cannot be looked up."""
    arguments = {**api.scope, **api.new}
    if api is DRS:
        control.create_job("drs.job", "drs-task")
        arguments = {"job_id": "drs-task", "file_path": str(template)}
    return Attempts(api, arguments)


@pytest.mark.parametrize("api", [DMS_UPLOAD, DMS_EXPORT, DRS], ids=str)
@pytest.mark.parametrize("where", ["folder", "memory"])
def test_a_retry_goes_on_with_what_is_stored(
    where: str, api: JobApi, control: Control, template: Path, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(where)
    attempts = attempts_of(api, control, template)
    first, second = attempts.run(), attempts.run()
    assert submits(control, api) == 1
    assert (first["outcome"], second["outcome"], second["job_key"]) == ("succeeded", "succeeded", first["job_key"])


def test_without_a_path_nothing_is_remembered(control: Control, template: Path) -> None:
    attempts = attempts_of(DMS_UPLOAD, control, template)
    attempts.run()
    attempts.run()
    assert submits(control, DMS_UPLOAD) == 2


def test_a_submit_of_unknown_fate_is_not_repeated(folder: Path, control: Control, template: Path) -> None:
    attempts = attempts_of(DMS_UPLOAD, control, template)
    control.fault("http", "submit", status=503, code="InternalError", after_commit=True, count=1)
    for _ in range(2):
        with pytest.raises(SubmitOutcomeUnknown):
            attempts.run()
    assert asked(control, DMS_UPLOAD) == 1


def test_a_refused_submit_leaves_nothing(folder: Path, control: Control, template: Path) -> None:
    attempts = attempts_of(DMS_UPLOAD, control, template)
    control.fault("http", "submit", status=400, code="InvalidParameter", count=1)
    with pytest.raises(TaskRefused):
        attempts.run()
    assert list(folder.iterdir()) == []


def test_a_failed_job_is_submitted_anew(folder: Path, control: Control, template: Path) -> None:
    attempts = attempts_of(DMS_UPLOAD, control, template)
    control.plan(DMS_UPLOAD.api, "fail")
    with pytest.raises(Exception, match="FAIL: "):
        attempts.run()
    assert attempts.run()["outcome"] == "succeeded"
    assert submits(control, DMS_UPLOAD) == 2


def test_a_cleared_task_submits_anew(folder: Path, control: Control, template: Path) -> None:
    """Its run is queued again, so that it begins at another time."""
    attempts = attempts_of(DMS_UPLOAD, control, template)
    attempts.run()
    attempts.run_of = DagRun(start_date=NOW + timedelta(hours=1), clear_number=1)
    attempts.ti.max_tries = 1
    attempts.run()
    assert submits(control, DMS_UPLOAD) == 2
    attempts.run()
    assert submits(control, DMS_UPLOAD) == 2


def test_a_task_that_is_cleared_while_it_runs_submits_anew(folder: Path, control: Control, template: Path) -> None:
    """Airflow 2 changes nothing by which the next attempt would know: what tells is that it ends this one."""
    attempts = attempts_of(DMS_UPLOAD, control, template)
    arguments = {**attempts.arguments, "wait_for_completion": False}
    task = rendered(lambda: attempts.api.operator(task_id="t", **arguments), attempts.context)
    task.execute(attempts.context)
    task.on_kill()
    attempts.ti.try_number += 1
    attempts.run()
    assert submits(control, DMS_UPLOAD) == 2


LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize("run", [DagRun(LATER, LATER), DagRun(NOW, LATER)], ids=["by hand", "scheduled"])
def test_a_run_that_is_made_anew_has_jobs_of_its_own(
    run: DagRun, folder: Path, control: Control, template: Path
) -> None:
    attempts = attempts_of(DMS_UPLOAD, control, template)
    attempts.run()
    anew = replace(attempts, ti=TaskInstance(), run_of=run)
    anew.run()
    anew.run()
    assert submits(control, DMS_UPLOAD) == 2


def test_a_run_made_anew_whose_first_attempt_never_came_to_the_submit(
    folder: Path, control: Control, template: Path
) -> None:
    attempts = attempts_of(DMS_UPLOAD, control, template)
    attempts.run()
    attempts.run_of = DagRun(LATER, LATER)
    attempts.run()
    assert submits(control, DMS_UPLOAD) == 2


def test_a_run_that_is_queued_again_by_hand_is_not_taken_for_another(
    folder: Path, control: Control, template: Path
) -> None:
    """It looks like one that was made anew, so a person is asked; a clear then submits anew."""
    attempts = attempts_of(DMS_UPLOAD, control, template)
    attempts.run()
    attempts.run_of = DagRun(NOW, LATER)
    with pytest.raises(SubmitOutcomeUnknown, match="begun at another time"):
        attempts.run()
    assert submits(control, DMS_UPLOAD) == 1
    attempts.ti.max_tries = 3
    attempts.run()
    assert submits(control, DMS_UPLOAD) == 2


def spoil(change: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    """A file whose content is changed as JSON."""
    return lambda raw: json.dumps(change(json.loads(raw))).encode()


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda raw: b"",
        lambda raw: raw[:-20],
        lambda raw: b"\xff\xfe\x00",
        lambda raw: b"null",
        lambda raw: b"[]",
        spoil(lambda record: {**record, "format": "cloudjobs/2"}),
        spoil(lambda record: {**record, "task": ["other", "run", "task", -1]}),
        spoil(lambda record: {**record, "value": {"epoch": 0}}),
        spoil(lambda record: {**record, "value": "yes"}),
    ],
    ids=["empty", "cut off", "no text", "null", "a list", "format", "of another task", "no submission", "a text"],
)
def test_what_cannot_be_read_is_never_nothing(
    spoiled: Callable[[bytes], bytes], folder: Path, control: Control, template: Path
) -> None:
    attempts = attempts_of(DMS_UPLOAD, control, template)
    attempts.run()
    [file] = folder.iterdir()
    file.write_bytes(spoiled(file.read_bytes()))
    with pytest.raises(SubmitOutcomeUnknown) as raised:
        attempts.run()
    assert str(file) in str(raised.value)
    assert asked(control, DMS_UPLOAD) == 1


@pytest.mark.parametrize("path", ["some/folder", "s3://aws_default@bucket/x", "nix://x", "s3://[x"])
def test_a_path_that_can_never_work(
    path: str, monkeypatch: pytest.MonkeyPatch, control: Control, template: Path
) -> None:
    monkeypatch.setenv(ENV, path)
    with pytest.raises(TaskRefused, match=r"nothing was sent.*\[cloudjobs\] state_path"):
        attempts_of(DMS_UPLOAD, control, template).run()
    assert asked(control, DMS_UPLOAD) == 0


def test_a_login_in_the_path_is_not_shown(monkeypatch: pytest.MonkeyPatch, control: Control, template: Path) -> None:
    monkeypatch.setenv(ENV, "file://user:geheim@/tmp")
    with pytest.raises(TaskRefused) as raised:
        attempts_of(DMS_UPLOAD, control, template).run()
    assert "geheim" not in str(raised.value)


def test_a_folder_that_is_not_there_is_not_made(folder: Path, control: Control, template: Path) -> None:
    """It may be on a file system that this worker has lost, and what is stored there is not nothing."""
    attempts = attempts_of(DMS_UPLOAD, control, template)
    folder.rename(away := folder.with_name("away"))
    with pytest.raises(SubmitFailed, match="no such folder"):
        attempts.run()
    assert asked(control, DMS_UPLOAD) == 0
    away.rename(folder)
    attempts.run()
    folder.rename(away)
    with pytest.raises(LookUpFailed, match="no such folder"):
        attempts.run()
    assert not folder.exists()
    away.rename(folder)
    attempts.run()
    assert asked(control, DMS_UPLOAD) == 1


def test_a_store_that_takes_nothing(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch, control: Control, template: Path
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(memory, "pipe_file", refuse)
    with pytest.raises(SubmitFailed, match=r"nothing was sent.*not yours"):
        attempts_of(DMS_UPLOAD, control, template).run()
    assert asked(control, DMS_UPLOAD) == 0


def test_a_store_that_is_gone_after_the_submit(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch, control: Control, template: Path
) -> None:
    """The job runs, and the task waits for its end."""
    put = memory.pipe_file

    def only_intents(path: str, raw: bytes) -> None:
        if json.loads(raw)["value"]["keys"]:
            raise ConnectionError("gone")
        put(path, raw)

    monkeypatch.setattr(memory, "pipe_file", only_intents)
    attempts = attempts_of(DMS_UPLOAD, control, template)
    assert attempts.run()["outcome"] == "succeeded"
    with pytest.raises(SubmitOutcomeUnknown):
        attempts.run()
    assert asked(control, DMS_UPLOAD) == 1


def test_a_connection_that_is_missing(monkeypatch: pytest.MonkeyPatch, control: Control, template: Path) -> None:
    """Airflow's answer is the same if a secrets backend is away, so it is tried again."""
    schemes = {"memory": lambda conn_id: BaseHook.get_connection(conn_id)}
    monkeypatch.setattr("airflow.sdk.io.fs._register_filesystems", lambda: schemes)
    monkeypatch.setenv(ENV, "memory://nobody@bucket/x")
    with pytest.raises(SubmitFailed, match="nobody"):
        attempts_of(DMS_UPLOAD, control, template).run()
    assert asked(control, DMS_UPLOAD) == 0


def test_airflows_own_store_comes_first(folder: Path) -> None:
    own = object()
    assert task_store({"ti": TaskInstance(), "dag_run": DagRun(), "task_state_store": own}) is own


def test_a_sensor_goes_on_without_it(folder: Path, control: Control, caplog: pytest.LogCaptureFixture) -> None:
    control.create_job(DLI.api, "one", "forever")
    context = {"ti": TaskInstance(), "dag_run": DagRun()}

    def poke() -> Any:
        sensor = DliSqlJobSensor(task_id="t", job_id="one", mode="reschedule", poke_interval=20)
        return rendered(lambda: sensor, context).poke(context)

    assert not poke().is_done
    [file] = folder.iterdir()
    assert json.loads(file.read_bytes())["value"]["keys"] == ["one"]
    file.write_bytes(b"")
    assert not poke().is_done


# The files


NAMES = ["manual__2026-11-27T12:00:00+00:00", "计划__一", "a/b\\c", "x" * 250, "..", "\ud800"]


def identity(**names: Any) -> Identity:
    return replace(Identity("dag", "run", "task", -1, 0), **names)


def files(root: Path | str, one: Identity, **marks: Any) -> StateFiles:
    return StateFiles(str(root), one, **{"made": "m", "began": "b", "retried": True, **marks})


def test_every_task_instance_and_key_has_a_file_of_its_own(tmp_path: Path) -> None:
    identities = [identity(**{name: text}) for name in ("dag_id", "run_id", "task_id") for text in NAMES]
    identities += [identity(map_index=index) for index in range(3)]
    identities += [identity(dag_id="a", run_id="bc"), identity(dag_id="ab", run_id="c")]
    stored = {(one, key): f"{number}{key}" for number, one in enumerate(identities) for key in ("a", "b")}
    for (one, key), value in stored.items():
        files(tmp_path, one).set(key, value)
    assert {place: files(tmp_path, place[0]).get(place[1]) for place in stored} == stored
    assert len(list(tmp_path.iterdir())) == len(stored)
    for one, key in stored:
        files(tmp_path, one).delete(key)
        files(tmp_path, one).delete(key)
    assert list(tmp_path.iterdir()) == []


def test_a_file_scheme_is_a_local_folder(tmp_path: Path) -> None:
    files(f"file://{tmp_path}/", identity()).set("key", "中")
    assert files(tmp_path, identity()).get("key") == "中"
    with pytest.raises(StateTrouble, match="no such folder"):
        files(f"file://{tmp_path}/other", identity()).get("key")


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = files(tmp_path, identity())
    one.set("key", "old")

    def full(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateTrouble, match="no space left"):
        one.set("key", "new")
    assert one.get("key") == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_others_may_read_and_write_what_a_worker_has_stored(tmp_path: Path) -> None:
    """Workers may be of several users, as ``run_as_user`` has it; their umask says who may."""
    before = os.umask(0o002)
    try:
        files(tmp_path, identity()).set("key", 1)
    finally:
        os.umask(before)
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o664


def test_another_epoch_of_a_run_that_began_anew_is_told(tmp_path: Path) -> None:
    files(tmp_path, identity(epoch=1)).set("key", "value")
    assert files(tmp_path, identity(epoch=2), began="later").get("key") == "value"
    assert files(tmp_path, identity(epoch=1), began="later", retried=False).get("key") is None
    assert files(tmp_path, identity(epoch=1), made="later").get("key") is None
    with pytest.raises(StateUnclear):
        files(tmp_path, identity(epoch=1), began="later").get("key")
