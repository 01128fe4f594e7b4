# SPDX-License-Identifier: Apache-2.0
"""What is special to tasks whose API is an argument: how it travels, who judges by it, what is refused and hidden."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import TaskDeferred
from support.declared import DLI_SQL, DMS_EXPORT, DMS_UPLOAD, DRS_TEMPLATE, ICE_UPLOAD
from taskbench import FAILED, SKIPPED, SUCCESS, Store, TaskInstance, first_event, kill_deferred, rendered, run

from airflow_cloudjobs import apis, cli, compat
from airflow_cloudjobs.alibaba.jobs import AlibabaJobOperator, AlibabaJobSensor
from airflow_cloudjobs.api import Call, InvalidJobApi, JobApi
from airflow_cloudjobs.exceptions import (
    JobFailed,
    JobFailedForGood,
    JobOutcomeUnknown,
    JobTimedOut,
)
from airflow_cloudjobs.huawei.jobs import HuaweiJobOperator, HuaweiJobSensor
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.localcloud import Control, LocalCloud
from airflow_cloudjobs.trigger import CloudJobTrigger

FAST = 0.03
SQL = {"sql": "SELECT 1", "conf": ["dli.sql.sqlasync.enabled=true"]}


def but(api: JobApi, /, **changes: Any) -> JobApi:
    """An API with other fields."""
    return JobApi.from_dict({**api.as_dict(), **changes})


def deferred(make: Callable[[], Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a task that defers has stored of its trigger, and its context."""
    context: dict[str, Any] = {"ti": TaskInstance(), "task_state_store": Store()}
    with pytest.raises(TaskDeferred) as error:
        rendered(make, context).execute(context)
    return json.loads(json.dumps(error.value.trigger.serialize()[1])), context


def sensor(api: JobApi = DLI_SQL, key: Any = "j", **options: Any) -> Any:
    cls = HuaweiJobSensor if api.cloud == "huawei" else AlibabaJobSensor
    return cls(task_id="t", api=api, key=key, **{"poke_interval": FAST, "deferrable": True, **options})


def test_a_row_holds_what_the_dag_wrote_and_no_secret(control: Control, cloud: LocalCloud) -> None:
    control.plan(DLI_SQL.api, "forever")
    row, _ = deferred(lambda: HuaweiJobOperator(task_id="t", api=DLI_SQL, parameters=SQL, deferrable=True))
    assert JobApi.from_dict(row["api"]) == DLI_SQL
    assert row["scope"] == {}
    assert "SELECT" not in json.dumps(row)


def test_a_row_holds_the_id_of_one_in_the_catalogue(control: Control, cloud: LocalCloud, catalogue: None) -> None:
    control.create_job("dms.file_upload", "j", "forever")
    for api in ("dms.uploads", but(DMS_UPLOAD, api="dms.uploads")):
        row, _ = deferred(lambda api=api: AlibabaJobSensor(task_id="t", api=api, key="j", deferrable=True))
        assert row["api"] == "dms.uploads"
    row, _ = deferred(lambda: sensor(but(DMS_UPLOAD, api="dms.uploads", interval=5)))
    assert row["api"]["interval"] == 5


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """An API in the catalogue."""
    monkeypatch.setitem(apis.CATALOGUE, "dms.uploads", f"{__name__}:IN_CATALOGUE")


IN_CATALOGUE = but(DMS_UPLOAD, api="dms.uploads")


def test_a_corrected_entry_of_the_catalogue_serves_waits_under_way(
    control: Control, cloud: LocalCloud, catalogue: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    control.create_job("dms.file_upload", "j", steps=[("PUBLISHED", 600)])
    row, _ = deferred(lambda: AlibabaJobSensor(task_id="t", api="dms.uploads", key="j", deferrable=True))
    monkeypatch.setattr(f"{__name__}.IN_CATALOGUE", but(IN_CATALOGUE, succeeded="SUCCESS PUBLISHED"))
    event = asyncio.run(first_event("airflow_cloudjobs.trigger.CloudJobTrigger", row))
    assert (event["api"], event["results"][0]["outcome"]) == ("dms.uploads", "succeeded")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"until": "x"}, "'until' is not known to this version"),
        ({"poll": "DeleteJob DELETE /v1.0/{project_id}/jobs/{key}"}, "poll would change something"),
        ({"failed": []}, "failed names no status"),
    ],
)
def test_a_row_is_checked_as_a_dag_is(changes: dict[str, Any], words: str, cloud: LocalCloud) -> None:
    row = {"api": {**DLI_SQL.as_dict(), **changes}, "keys": ["j"], "conn_id": "huaweicloud_default"}
    trigger = CloudJobTrigger(**row)
    assert trigger.serialize()[1]["api"] == row["api"]
    with pytest.raises(InvalidJobApi, match=words):
        asyncio.run(first_event("airflow_cloudjobs.trigger.CloudJobTrigger", row))


def test_waits_share_calls_by_their_api_and_not_by_its_id(control: Control, cloud: LocalCloud) -> None:
    """Two APIs of one id, of which each reads another field."""
    control.create_job("dli.sql_job", "a")
    control.create_job("dli.sql_job", "b")
    other = but(DLI_SQL, status="job_id", running="x", succeeded="y", failed="b")

    async def both() -> list[Any]:
        rows = [
            {"api": api.as_dict(), "keys": [key], "conn_id": "huaweicloud_default", "plan": {"interval": FAST}}
            for api, key in ((DLI_SQL, "a"), (other, "b"))
        ]
        path = "airflow_cloudjobs.trigger.CloudJobTrigger"
        return await asyncio.gather(*(first_event(path, row) for row in rows))

    events = asyncio.run(both())
    assert [event["results"][0]["outcome"] for event in events] == ["succeeded", "failed"]


def told(api: JobApi, outcome: str, record: dict[str, Any]) -> Any:
    """What a task makes of an event about a job."""
    event = {
        "api": api.api,
        "try_number": 1,
        "results": [{"key": "j", "outcome": outcome, "status": "s", "record": record, "reason": "why"}],
    }
    context = {"ti": TaskInstance(), "task_state_store": Store()}
    return rendered(lambda: sensor(api), context).resume_execution("execute_complete", {"event": event}, context)


def test_the_worker_judges_an_end_by_the_dags_own_api(cloud: LocalCloud) -> None:
    assert told(DLI_SQL, "succeeded", {"status": "FINISHED"})["outcome"] == "succeeded"
    with pytest.raises(JobFailedForGood, match="FAILED: no space"):
        told(DLI_SQL, "succeeded", {"status": "FAILED", "message": "no space"})
    for record in ({"status": "RUNNING"}, {"status": "PAUSED"}, {"status": ["FINISHED"]}, {}):
        with pytest.raises(JobOutcomeUnknown, match="no end of a job by the API as this DAG has it"):
            told(DLI_SQL, "succeeded", record)
    assert told(DLI_SQL, "failed", {"status": "finished"})["status"] == "finished"
    with pytest.raises(JobTimedOut):
        told(DLI_SQL, "timed_out", {"status": "FINISHED"})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: HuaweiJobSensor(task_id="t", api="dli.nothing", key="j"),
            "argument 'api' is 'dli.nothing': there is no",
        ),
        (
            lambda: HuaweiJobSensor(task_id="t", api="dli.sql_job", key="j"),
            "has operator and sensor classes of its own",
        ),
        (lambda: HuaweiJobSensor(task_id="t", api="{{ params.api }}", key="j"), "there is no API '{{ params.api }}'"),
        (lambda: HuaweiJobSensor(task_id="t", api=DLI_SQL.as_dict(), key="j"), "is a dict; give a JobApi"),
        (lambda: HuaweiJobSensor(task_id="t", api=DMS_UPLOAD, key="j"), "is one of Alibaba Cloud"),
        (lambda: AlibabaJobOperator(task_id="t", api=DLI_SQL, key="j"), "is one of Huawei Cloud"),
        (lambda: sensor(key=""), "argument 'key' is empty"),
        (lambda: sensor(key=["a", "a"]), "the same key twice"),
        (lambda: sensor(key=".."), "argument 'key' is '..', which cannot stand in a path"),
        (lambda: sensor(key="a/b"), "argument 'key' is 'a/b', which cannot stand in a path"),
        (
            lambda: sensor(DMS_EXPORT),
            "argument 'parameters' lacks 'OrderId', which a job of dms.data_track_export needs",
        ),
        (lambda: sensor(parameters=[1]), "argument 'parameters' is a list; it must be a mapping"),
        (lambda: sensor(parameters={1: 2}), "has the name 1; names are texts"),
        (
            lambda: HuaweiJobOperator(task_id="t", api=DRS_TEMPLATE),
            "'key' is missing: drs.object_template has no submit",
        ),
        (
            lambda: AlibabaJobOperator(task_id="t", api=ICE_UPLOAD, parameters={"UploadURLs": object()}),
            "has 'UploadURLs', which holds a object; allowed are texts",
        ),
        (
            lambda: AlibabaJobOperator(task_id="t", api=ICE_UPLOAD, parameters={"Urls": "x"}),
            "lacks 'UploadURLs', which the submit of ice.url_upload needs",
        ),
    ],
)
def test_a_mistake_is_refused_when_the_dag_is_parsed(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        make()
    assert words in str(error.value)


def test_a_template_for_all_parameters_is_checked_when_it_is_known(control: Control, cloud: LocalCloud) -> None:
    control.create_job("dms.data_track_export", "j")

    def make() -> Any:
        native = DAG("d", schedule=None, render_template_as_native_obj=True)
        return sensor(DMS_EXPORT, parameters="{{ given }}", dag=native)

    for given, state in (({"OrderId": 4711}, SUCCESS), ({}, FAILED), ("text", FAILED)):
        ran = run(make, given=given)
        assert ran.state == state, ran.error
    assert "it must be a mapping" in str(ran.error)


def test_parameters_are_templates_however_deep_and_the_api_is_none(control: Control, cloud: LocalCloud) -> None:
    parameters = {
        "sql": "SELECT '{{ word }}'",
        "conf": ["a={{ word }}"],
        "tags": [{"key": "团队", "value": "{{ word }}"}],
    }
    api = but(DLI_SQL, title="{{ word }}")
    ran = run(
        lambda: HuaweiJobOperator(task_id="任务", api=api, parameters=parameters, poll_interval=FAST), word="销售"
    )
    assert ran.state == SUCCESS
    sent = control.jobs("dli.sql_job")[0]["fields"]
    assert (sent["sql"], sent["conf"]) == ("SELECT '销售'", ["a=销售"])
    assert {"key": "团队", "value": "销售"} in sent["tags"]
    assert "INFO {{ word }}: " in ran.log  # the title, as it was written


def test_it_is_mapped_over_its_parameters(control: Control, cloud: LocalCloud) -> None:
    with DAG("d", schedule=None) as dag:
        mapped = HuaweiJobOperator.partial(task_id="t", api=DLI_SQL, poll_interval=FAST).expand(
            parameters=[{"sql": f"SELECT {number}"} for number in range(2)]
        )
        sensors = HuaweiJobSensor.partial(task_id="s", api=DLI_SQL).expand(key=["a", "b"])
    assert {mapped.task_id, sensors.task_id} == set(dag.task_dict)
    for number in range(2):
        ran = run(lambda number=number: mapped.unmap({"parameters": {"sql": f"SELECT {number}"}}))
        assert ran.state == SUCCESS
    assert [job["fields"]["sql"] for job in control.jobs("dli.sql_job")] == ["SELECT 0", "SELECT 1"]


def test_a_dag_with_it_is_stored(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("d", schedule=None) as dag:
        first = HuaweiJobOperator(task_id="a", api=DLI_SQL, parameters=SQL)
        HuaweiJobSensor(task_id="b", api=DLI_SQL, key=first.output["job_key"], deferrable=True)
        HuaweiJobOperator.partial(task_id="c", api=DLI_SQL).expand(parameters=[SQL])
    for cls in (HuaweiJobOperator, HuaweiJobSensor):  # Airflow keeps there what it finds, which no other test wants
        monkeypatch.setattr(cls, "_BaseOperator__serialized_fields", None)
    stored = json.dumps(DagSerialization.to_dict(dag))
    again = DagSerialization.from_dict(json.loads(stored))
    assert set(again.task_dict) == {"a", "b", "c"}
    assert again.task_dict["b"].upstream_task_ids == {"a"}


def test_secrets_in_parameters_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden: list[str] = []
    monkeypatch.setattr(compat, "hide_in_logs", hidden.append)
    api = but(DLI_SQL, secret="code", sql="statement")
    parameters = {
        "sql": "S",
        "statement": ["select {{ word }}"],
        "code": "c-{{ word }}",
        "source": {"dbPassword": "p-{{ word }}", "accessKey": ["k-1", {"id": "k-2"}], "name": "shown"},
        "file": "https://b/f?Signature=s-1&x=1",
        "other": "x",
    }
    made = HuaweiJobOperator(task_id="t", api=api, parameters=parameters)
    made.render_template_fields({"word": "w"})
    assert {"c-w", "p-w", "k-1", "k-2", "Signature=s-1&x=1", "select w"} <= set(hidden)
    assert not {"x", "shown", "S"} & set(hidden)


def test_a_list_of_jobs_is_a_list_of_results(control: Control, cloud: LocalCloud) -> None:
    for key in ("a", "b", "c"):
        control.create_job("ice.url_upload", key, "fail" if key == "c" else "success")
    ran = run(lambda: sensor(ICE_UPLOAD, ["a", "b"]))
    assert [result["job_key"] for result in ran.result] == ["a", "b"]
    ran = run(lambda: AlibabaJobOperator(task_id="t", api=ICE_UPLOAD, key=["a", "c"], poll_interval=FAST))
    assert isinstance(ran.error, JobFailed)
    assert [result["outcome"] for result in ran.result] == ["succeeded", "failed"]


def test_several_jobs_of_one_submit(control: Control, cloud: LocalCloud) -> None:
    api = but(ICE_UPLOAD, many="UploadURLs", marked={}, find=None)
    control.plan("ice.url_upload", "fail", match="/b.mp4")
    urls = [f"https://files.test/{name}.mp4" for name in "abc"]
    store, ti = Store(), TaskInstance()
    make = lambda: AlibabaJobOperator(task_id="t", api=api, parameters={"UploadURLs": urls}, poll_interval=FAST)  # noqa: E731
    with pytest.raises(JobFailed):
        rendered(make, {}).execute({"ti": ti, "task_state_store": store})
    control.clear_plans()
    ti.try_number = 2
    results = rendered(make, {}).execute({"ti": ti, "task_state_store": store})
    assert [result["outcome"] for result in results] == ["succeeded"] * 3
    assert len(control.jobs("ice.url_upload")) == 4  # that which failed, again; the others not


def test_a_killed_task_cancels_its_job(control: Control, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    control.plan("dli.sql_job", "forever")
    make = lambda: HuaweiJobOperator(task_id="t", api=DLI_SQL, parameters=SQL, deferrable=True)  # noqa: E731
    log = kill_deferred(make, lambda: None, monkeypatch)
    assert control.stats()["cancels"] == {"dli.sql_job": 1}
    assert "dli.sql_job" in log


@pytest.mark.parametrize("deferrable", [True, False])
def test_time_that_runs_out(deferrable: bool, control: Control, cloud: LocalCloud) -> None:
    control.plan("dli.sql_job", "forever")
    ran = run(
        lambda: HuaweiJobOperator(
            task_id="t", api=DLI_SQL, parameters=SQL, poll_interval=FAST, wait_timeout=0.2, deferrable=deferrable
        )
    )
    assert (type(ran.error), ran.state) == (JobTimedOut, FAILED)
    assert control.stats()["cancels"] == {"dli.sql_job": 1}


def test_soft_fail(control: Control, cloud: LocalCloud) -> None:
    control.create_job("dli.sql_job", "j", "fail")
    assert run(lambda: sensor(soft_fail=True)).state == SKIPPED


def test_a_sensor_that_begins_on_the_triggerer(control: Control, cloud: LocalCloud) -> None:
    begun = sensor(DMS_EXPORT, "{{ 1 }}", parameters={"OrderId": "{{ 2 }}"}, start_from_trigger=True)
    kwargs = begun.start_trigger_args.trigger_kwargs
    assert JobApi.from_dict(json.loads(json.dumps(kwargs["api"]))) == DMS_EXPORT
    assert (kwargs["asked"]["keys"], kwargs["asked"]["scope"]) == ("{{ 1 }}", {"OrderId": "{{ 2 }}"})
    with DAG("d", schedule=None):
        before = BaseOperator(task_id="before")
        with pytest.raises(InvalidArgument, match="needs 'OrderId' written in the DAG"):
            sensor(DMS_EXPORT, parameters={"OrderId": before.output}, start_from_trigger=True)


def test_what_an_api_cannot_keep_is_said_in_the_log(control: Control, cloud: LocalCloud) -> None:
    parameters = {"FileName": "a.sql", "FileSource": "datacorrect", "UploadURL": "https://f.test/a.sql"}
    ran = run(lambda: AlibabaJobOperator(task_id="t", api=DMS_UPLOAD, parameters=parameters, poll_interval=FAST))
    assert "dms.file_upload has no {token} and no look-up" in ran.log
    assert "dms.file_upload has no cancel" in ran.log
    ran = run(lambda: HuaweiJobOperator(task_id="t", api=DLI_SQL, parameters=SQL, poll_interval=FAST))
    assert "dli.sql_job has no" not in ran.log


def test_a_reason_that_only_another_call_tells(control: Control, cloud: LocalCloud) -> None:
    asked = Call("ShowSqlJobStatus GET /v1.0/{project_id}/jobs/{key}/status")
    api = JobApi.from_dict({**but(DLI_SQL, reason=[]).as_dict(), "explain": asked.as_dict(), "explained": ["message"]})
    control.create_job("dli.sql_job", "j", "fail", reason="disk full")
    assert "FAILED: disk full" in str(run(lambda: sensor(api)).error)


def test_not_waiting(control: Control, cloud: LocalCloud) -> None:
    ran = run(lambda: HuaweiJobOperator(task_id="t", api=DLI_SQL, parameters=SQL, wait_for_completion=False))
    assert ran.result["outcome"] == "submitted"
    assert ran.ti.xcoms["job_key"] == ran.result["job_key"]
    assert ran.ti.xcoms["console_url"].startswith("https://console.huaweicloud.com/dli/")


@pytest.mark.parametrize(("end", "code"), [("success", 0), ("fail", 1)])
def test_the_command_waits_by_a_file(end: str, code: int, cloud: LocalCloud, tmp_path: Path) -> None:
    file = tmp_path / "api.json"
    file.write_text(DMS_EXPORT.to_json(), encoding="utf-8")
    cloud.control.create_job("dms.data_track_export", "k", end, fields={"OrderId": 4711})
    options = ["--parameter", "OrderId=4711", "--interval", "0.1"]
    assert cli.main(["wait", str(file), "k", *options]) == code
