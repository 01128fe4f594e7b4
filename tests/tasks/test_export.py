# SPDX-License-Identifier: Apache-2.0
"""A query whose result is exported: a second job of the same task, on every way that a first one goes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from support.jobapis import DLI, MODES
from taskbench import (
    FAILED,
    RETRY,
    SUCCESS,
    Attempts,
    Killed,
    Store,
    TaskInstance,
    kill_deferred,
    kill_waiting,
    rendered,
    run,
)

from airflow_cloudjobs.exceptions import (
    ExecutionTimedOut,
    JobFailed,
    JobTimedOut,
    SubmitFailed,
    TaskRefused,
)
from airflow_cloudjobs.localcloud import Control
from airflow_cloudjobs.state_path import task_store
from airflow_cloudjobs.submit import STORED, STORED_FOLLOWING, SubmitOnce

FAST = 0.03
PATH = "obs://lake/日报/2026-01-01"
EXPORTED = f"EXPORT {PATH}"
"""What the local cloud's plans know an export by."""
BOTH = pytest.mark.parametrize("mode", ["blocking", "deferrable"])


def query(mode: str = "blocking", **arguments: Any) -> Any:
    made = {} if "job_id" in arguments else {"sql": "SELECT 1"}
    given = {**made, "output_path": PATH, "poll_interval": FAST, **MODES[mode][1], **arguments}
    return DLI.operator(task_id="t", **given)


def exports(control: Control) -> list[dict[str, Any]]:
    return [job for job in control.jobs(DLI.api) if job["fields"].get("job_type") == "EXPORT"]


def queries(control: Control) -> list[dict[str, Any]]:
    return [job for job in control.jobs(DLI.api) if job["fields"].get("job_type") != "EXPORT"]


def counts(control: Control) -> tuple[int, int]:
    """How many queries and exports the cloud has taken."""
    return len(queries(control)), len(exports(control))


@BOTH
@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_the_result_is_the_querys_with_the_export_in_it(mode: str, seconds: float, control: Control) -> None:
    control.settings(job_seconds=seconds)
    options = {"with_column_header": True, "compress": "gzip"}
    ran = run(lambda: query(mode, queue_name="etl", output_options=options, output_format="json"))
    assert (ran.state, ran.error) == (SUCCESS, None)
    [asked], [export] = queries(control), exports(control)
    assert ran.deferrals == (2 if mode == "deferrable" and seconds else 0)
    assert (ran.result["job_key"], ran.result["outcome"]) == (asked["key"], "succeeded")
    assert ran.result["result"]["job_type"] == "QUERY"
    told = ran.result["result"]["export"]
    assert told.pop("request_id") not in ("", ran.result["request_id"])
    known = {"job_key": export["key"], "outcome": "succeeded", "status": "FINISHED", "reason": ""}
    assert told == {**known, "output_path": PATH}
    assert (ran.ti.xcoms["job_key"], ran.ti.xcoms["export_job_key"]) == (asked["key"], export["key"])
    sent = {"data_path": PATH, "data_type": "json", "queue_name": "etl", **options}
    assert {name: export["fields"][name] for name in sent} == sent


def test_a_mapped_instance_is_called_by_its_query(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    monkeypatch.setattr("airflow_cloudjobs.compat.name_mapped", lambda context, shown: names.append(shown))
    ran = run(query)
    assert set(names) == {ran.ti.xcoms["job_key"]}


@BOTH
def test_the_result_of_an_adopted_query(mode: str, control: Control) -> None:
    control.create_job(DLI.api, "theirs", "success", seconds=0.3)
    ran = run(lambda: query(mode, job_id="theirs"))
    assert (ran.state, ran.error) == (SUCCESS, None)
    assert (ran.result["job_key"], ran.result["result"]["export"]["outcome"]) == ("theirs", "succeeded")
    assert counts(control) == (1, 1)


@BOTH
def test_a_query_that_fails_is_not_exported(mode: str, control: Control) -> None:
    control.plan(DLI.api, "fail", reason="no such table")
    ran = run(lambda: query(mode))
    assert type(ran.error) is JobFailed
    assert "no such table" in str(ran.error)
    assert "export" not in str(ran.error)
    assert "export" not in ran.result["result"]
    assert counts(control) == (1, 0)


@BOTH
def test_an_export_that_fails(mode: str, control: Control) -> None:
    """All there is to know is in the log and in XCom, and a retry exports only."""
    control.plan(DLI.api, "fail", match=EXPORTED, reason=f"The path {PATH} already exists.")
    ti, store = TaskInstance(), Store()
    ti.max_tries = 3
    ran = run(lambda: query(mode), ti=ti, task_state_store=store)
    [asked], [export] = queries(control), exports(control)
    assert (type(ran.error), ran.state) == (JobFailed, RETRY)
    assert [one.key for one in ran.error.results] == [export["key"]]
    text = str(ran.error)
    assert text.startswith(f"FAILED: The path {PATH} already exists; this is the export, the job before it has")
    for part in (asked["key"], export["key"], "Airflow tries again by itself, with a new export"):
        assert part in text
    left = ti.xcoms["return_value"]
    assert (left["job_key"], left["outcome"]) == (asked["key"], "succeeded")
    told = left["result"]["export"]
    assert (told["outcome"], told["status"]) == ("failed", "FAILED")
    assert "already exists" in told["reason"]
    ti.try_number += 1
    again = run(lambda: query(mode), ti=ti, task_state_store=store)
    assert again.result["result"]["export"]["outcome"] == "succeeded"
    assert counts(control) == (1, 2)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "clear this task: it submits a new job too (for a new export alone give job_id='{key}'"),
        ({"job_id": "theirs"}, "clear this task: it submits a new export"),
    ],
)
def test_what_to_do_about_an_export_that_is_not_tried_again(given: Any, told: str, control: Control) -> None:
    control.create_job(DLI.api, "theirs")
    control.plan(DLI.api, "fail", match=EXPORTED)
    ran = run(lambda: query(**given))
    assert told.format(key=queries(control)[-1]["key"]) in str(ran.error).splitlines()[-1]


def test_a_path_that_exists(control: Control) -> None:
    """Two tasks of one path: the second is refused by the cloud, unless it may overwrite."""
    assert run(query).state == SUCCESS
    assert f"The path {PATH} already exists" in str(run(query).error)
    assert run(lambda: query(output_options={"export_mode": "Overwrite"})).state == SUCCESS


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 400, "code": "DLI.0011"}, TaskRefused),
        ({"status": 429, "code": "APIGW.0308", "retry_after": "90"}, SubmitFailed),
    ],
)
def test_an_export_that_the_cloud_does_not_take(fault: Any, kind: type[Exception], control: Control) -> None:
    """The query's result is in XCom all the same, and it is not run again."""
    control.fault("http", "ExportSqlJobResult", **fault)
    ti, store = TaskInstance(), Store()
    ran = run(query, ti=ti, task_state_store=store)
    assert type(ran.error) is kind
    assert "this is the export, the job before it has succeeded" in str(ran.error)
    assert ti.xcoms["return_value"]["outcome"] == "succeeded"
    control.clear_faults()
    assert run(query, ti=ti, task_state_store=store).state == SUCCESS
    assert counts(control) == (1, 1)


def test_code_of_another_task_that_exports(control: Control) -> None:
    """It waits for both where it is, since Airflow would bring back the other task."""
    outer = SimpleNamespace(task_id="code")
    task = rendered(lambda: query("deferrable", output_options={"export_mode": "Overwrite"}), {})
    for _ in range(2):
        result = task.execute({"ti": TaskInstance(), "task": outer})
        assert result["result"]["export"]["job_key"] == exports(control)[-1]["key"]
    assert counts(control) == (2, 2)


class Deadly(Store):
    """A store before or after the n-th write of which the worker dies."""

    def __init__(self, write: int, *, after: bool) -> None:
        super().__init__()
        self._left, self._after = write, after

    def set(self, key: str, value: Any, **how: Any) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Killed
        super().set(key, value, **how)
        if self._left == 0 and self._after:
            raise Killed


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("write", [1, 2, 3, 4])
def test_a_worker_that_dies_at_any_write_of_the_store(write: int, after: bool, control: Control) -> None:
    """Between the first write of a submit and the second is its request."""
    attempts = Attempts(query)
    attempts.store = Deadly(write, after=after)
    with pytest.raises(Killed):
        attempts.run()
    assert sum(counts(control)) == write // 2
    assert attempts.run()["result"]["export"]["outcome"] == "succeeded"
    assert counts(control) == (1, 1)
    assert control.stats()["cancels"] == {}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("nth", [1, 2])
def test_a_worker_that_dies_where_airflow_has_no_store(
    nth: int, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Query and export are looked up: the one by its tag, the other by its path."""
    sent, calls = SubmitOnce._sent, []

    def die(*given: Any, **how: Any) -> Any:
        keys = sent(*given, **how)
        calls.append(keys)
        if len(calls) == nth:
            raise Killed
        return keys

    monkeypatch.setattr(SubmitOnce, "_sent", die)
    attempts = Attempts(query, store=False)
    with pytest.raises(Killed):
        attempts.run()
    assert attempts.run()["result"]["export"]["outcome"] == "succeeded"
    assert counts(control) == (1, 1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [{"kind": "reset"}, {"kind": "http", "status": 504}])
def test_an_export_without_an_answer_is_looked_up(fault: Any, control: Control) -> None:
    older = control.create_job(DLI.api, fields={"job_type": "EXPORT", "data_path": "obs://lake/another"})
    control.fault(**{**fault, "target": "ExportSqlJobResult"}, after_commit=True, count=1)
    ran = run(query)
    assert (ran.state, ran.error) == (SUCCESS, None)
    assert ran.result["result"]["export"]["job_key"] != older["key"]
    assert counts(control) == (1, 2)


@pytest.mark.usefixtures("impatient")
def test_an_older_export_into_the_same_directory_is_not_ours(control: Control) -> None:
    """A fixed directory that is written anew every day."""
    everyday = {"output_options": {"export_mode": "Overwrite"}}
    run(lambda: query(**everyday))
    control.fault("reset", "ExportSqlJobResult", count=1)
    assert run(lambda: query(**everyday)).state == SUCCESS
    assert counts(control) == (2, 2)


def test_a_retry_after_all_is_done_submits_nothing(control: Control) -> None:
    attempts = Attempts(query)
    assert attempts.run()["result"]["export"] | {"request_id": ""} == attempts.run()["result"]["export"] | {
        "request_id": ""
    }
    assert counts(control) == (1, 1)


def test_a_clear_makes_both_anew(control: Control) -> None:
    """And cancels what was left of the export before, where nobody did."""
    control.plan(DLI.api, "forever", match=EXPORTED, count=1)
    attempts = Attempts(lambda: query("deferrable", output_options={"export_mode": "Overwrite"}))
    control.settings(job_seconds=0.0)
    with pytest.raises(TaskDeferred):
        attempts.run()
    attempts.ti.max_tries += 1
    attempts.run()
    assert counts(control) == (2, 2)
    assert control.stats()["cancels"] == {DLI.api: 1}


@pytest.mark.parametrize("changed", [{"job_id": "two"}, {"output_path": f"{PATH}-2"}], ids=["query", "path"])
def test_an_export_of_something_else_is_given_up(changed: dict[str, str], control: Control) -> None:
    """A template gives another text now, though nobody has cleared the task."""
    for key in ("one", "two"):
        control.create_job(DLI.api, key, "success", seconds=0.0)
    control.plan(DLI.api, "forever", match=EXPORTED, count=1)
    given: dict[str, Any] = {"job_id": "one", "output_options": {"export_mode": "Overwrite"}}
    attempts = Attempts(lambda: query("deferrable", **given))
    with pytest.raises(TaskDeferred):
        attempts.run()
    given |= changed
    control.settings(job_seconds=0.0)
    attempts.run()
    wanted = {"job_id": "one", "output_path": PATH, **changed}
    sent = exports(control)[1]["fields"]
    assert {"job_id": sent["of"], "output_path": sent["data_path"]} == wanted
    assert control.stats()["cancels"] == {DLI.api: 1}


@pytest.mark.parametrize("made", [{}, {"job_id": "theirs"}], ids=["own", "adopted"])
@pytest.mark.parametrize(("wanted", "cancels"), [(None, 1), (False, 0)])
def test_a_task_that_is_killed_while_it_exports(wanted: bool | None, cancels: int, made: Any, control: Control) -> None:
    """The export is the task's own even where the query is not."""
    control.create_job(DLI.api, "theirs", "success", seconds=0.0)
    control.settings(job_seconds=0.0)
    control.plan(DLI.api, "forever", match=EXPORTED)
    kill_waiting(lambda: query(cancel_on_kill=wanted, **made))
    assert control.stats()["cancels"].get(DLI.api, 0) == cancels


def test_a_kill_while_it_exports_where_the_store_is_files(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No attempt after that is told of a clear, so both jobs are given up."""
    monkeypatch.setenv("AIRFLOW__CLOUDJOBS__STATE_PATH", str(tmp_path))
    control.settings(job_seconds=0.0)
    control.plan(DLI.api, "forever", match=EXPORTED)
    now = datetime.now(UTC)
    context = {"ti": TaskInstance(), "dag_run": SimpleNamespace(run_after=now, start_date=now, clear_number=0)}
    kill_waiting(query, context)
    store = task_store(context)
    assert [store.get(record)["abandoned"] for record in (STORED, STORED_FOLLOWING)] == [True, True]
    assert control.stats()["cancels"] == {DLI.api: 1}


@pytest.mark.parametrize("made", [{}, {"job_id": "theirs"}], ids=["own", "adopted"])
def test_a_deferred_task_that_is_killed_while_it_exports(
    made: Any, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    control.create_job(DLI.api, "theirs", "success", seconds=0.0)
    control.settings(job_seconds=0.0)
    control.plan(DLI.api, "forever", match=EXPORTED)
    log = kill_deferred(lambda: query("deferrable", **made), lambda: None, monkeypatch)
    [export] = exports(control)
    assert f"INFO dli.sql_job {export['key']}: cancelled" in log
    assert control.stats()["cancels"] == {DLI.api: 1}


@BOTH
def test_wait_timeout_is_the_time_of_both(mode: str, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines: list[float] = []
    new_wait = DLI.operator._new_wait

    def seen(self: Any, keys: Any, plan: Any, *more: Any) -> Any:
        deadlines.append(plan.deadline)
        return new_wait(self, keys, plan, *more)

    monkeypatch.setattr(DLI.operator, "_new_wait", seen)
    control.plan(DLI.api, "forever", match=EXPORTED)
    ran = run(lambda: query(mode, wait_timeout=2.0))
    assert (type(ran.error), ran.state) == (JobTimedOut, FAILED)
    assert deadlines[0] == deadlines[1]
    assert "wait_timeout of 2 s ran out while the job was" in str(ran.error)
    assert control.stats()["cancels"] == {DLI.api: 1}
    assert "it was cancelled" in str(ran.error)


@BOTH
def test_the_attempt_after_one_whose_export_ran_out_of_time(mode: str, control: Control) -> None:
    control.settings(job_seconds=0.0, cancel_seconds=60.0)
    control.plan(DLI.api, "forever", match=EXPORTED, count=1)
    ti, store = TaskInstance(), Store()
    overwrite = {"output_options": {"export_mode": "Overwrite"}}
    late = run(lambda: query(mode, execution_timeout=timedelta(seconds=2), **overwrite), ti=ti, task_state_store=store)
    assert (type(late.error), late.state) == (ExecutionTimedOut, RETRY)
    assert (store[STORED]["abandoned"], store[STORED_FOLLOWING]["abandoned"]) == (False, True)
    ti.try_number += 1
    assert run(lambda: query(mode, **overwrite), ti=ti, task_state_store=store).state == SUCCESS
    assert counts(control) == (1, 2)


class Deferred:
    """A task that was deferred on its export, which ends some day."""

    def __init__(self, control: Control, **given: Any) -> None:
        control.settings(job_seconds=0.0)
        control.plan(DLI.api, "forever", match=EXPORTED, count=1)
        self.control = control
        self.context = {"ti": TaskInstance(), "task_state_store": Store()}
        self.make = lambda: query("deferrable", **given)
        with pytest.raises(TaskDeferred) as deferred:
            rendered(self.make, self.context).execute(self.context)
        self.kept = json.loads(json.dumps(deferred.value.kwargs))

    def end(self) -> None:
        self.control.set_status(DLI.api, exports(self.control)[0]["key"], "FINISHED")

    def resume(self, method: str, kwargs: dict[str, Any]) -> Any:
        return rendered(self.make, self.context).resume_execution(method, kwargs, self.context)


def test_an_event_of_the_first_job_is_not_that_of_the_second(control: Control) -> None:
    deferred = Deferred(control)
    first = {"api": DLI.api, "try_number": 1, "results": [deferred.kept["first"]]}
    with pytest.raises(TaskDeferred) as again:
        deferred.resume("execute_complete", {**deferred.kept, "event": first})
    assert again.value.trigger.keys == [exports(control)[0]["key"]]
    deferred.end()
    assert deferred.resume("execute_complete", {**deferred.kept, "event": first})["result"]["export"]
    assert counts(control) == (1, 1)


def test_a_deferral_that_carries_nothing_but_its_event(control: Control) -> None:
    """As ``dag.test()`` resumes a task: what came before is in XCom and in the cloud."""
    deferred = Deferred(control)
    [asked], [export] = queries(control), exports(control)
    event = {"api": DLI.api, "try_number": 1, "results": [{"key": export["key"], "outcome": "succeeded"}]}
    result = deferred.resume("execute_complete", {"event": event})
    assert (result["job_key"], result["status"], result["result"]["job_type"]) == (asked["key"], "FINISHED", "QUERY")
    assert result["result"]["export"]["job_key"] == export["key"]
    assert counts(control) == (1, 1)


def test_an_event_of_an_attempt_before_starts_over(control: Control) -> None:
    deferred = Deferred(control)
    deferred.end()
    late = {"api": DLI.api, "try_number": 0, "results": [{"key": "x", "outcome": "failed"}]}
    result = deferred.resume("execute_complete", {**deferred.kept, "event": late})
    assert result["result"]["export"]["outcome"] == "succeeded"
    assert counts(control) == (1, 1)


@pytest.mark.parametrize("made", [{}, {"job_id": "theirs"}], ids=["own", "adopted"])
def test_a_last_look_at_an_export_that_no_triggerer_waited_for(made: Any, control: Control) -> None:
    control.create_job(DLI.api, "theirs", "success", seconds=0.0)
    deferred = Deferred(control, **made)
    deferred.end()
    result = deferred.resume("__fail__", {"error": "Trigger timeout"})
    assert (result["job_key"], result["status"]) == (deferred.context["ti"].xcoms["job_key"], "FINISHED")
    assert result["result"]["export"]["job_key"] == exports(control)[0]["key"]
    assert counts(control)[1] == 1


def test_a_trigger_that_airflow_could_not_run_leaves_no_export(control: Control) -> None:
    deferred = Deferred(control)
    with pytest.raises(Exception, match="Trigger failure"):
        deferred.resume("__fail__", {"error": "Trigger failure", "traceback": ["..."]})
    [export] = exports(control)
    assert control.stats()["cancels"] == {DLI.api: 1}
    assert export["status"] != "FINISHED"


def test_a_statement_is_in_nothing_that_is_kept(control: Control) -> None:
    deferred = Deferred(control, sql="SELECT secret_thing FROM t")
    assert "secret_thing" not in json.dumps(deferred.kept)
    assert deferred.kept["first"]["record"]["start_time"]
