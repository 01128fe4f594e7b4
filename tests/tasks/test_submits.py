# SPDX-License-Identifier: Apache-2.0
"""What is sent, what is kept out of sight, and what a good submit looks like from the cloud."""

from __future__ import annotations

import zipfile
from collections import UserList
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from support.jobapis import APIS, DLI, DMS_EXPORT, DMS_UPLOAD, DRS, ICE, MODES, JobApi
from taskbench import FAILED, RETRY, SKIPPED, SUCCESS, Store, TaskInstance, rendered, run

from airflow_cloudjobs.exceptions import JobFailedForGood, JobOutcomeUnknown
from airflow_cloudjobs.localcloud import Control

FAST = 0.03


def _fields(control: Control, api: JobApi) -> dict[str, Any]:
    """What the cloud was given for its newest job."""
    fields: dict[str, Any] = control.jobs(api.api)[-1]["fields"]
    return fields


@pytest.mark.parametrize("api", APIS, ids=str)
def test_template_fields_exist_and_name_connection_and_region(api: JobApi, template: Path) -> None:
    operator = api.operator(task_id="t", **api.submitting("drs-demo-1", str(template)))
    sensor = api.sensor(task_id="t", **api.waiting("key"))
    connection = "alibabacloud_conn_id" if "aliyun" in api.console else "huaweicloud_conn_id"
    for task in (operator, sensor):
        missing = [name for name in task.template_fields if not hasattr(task, name)]
        assert missing == []
        assert {connection, "region", api.key, *api.scope} <= set(task.template_fields)
    assert set(api.new) <= set(operator.template_fields)


@pytest.mark.parametrize("mode", MODES)
def test_templates_are_rendered(mode: str, control: Control) -> None:
    kind, arguments = MODES[mode]
    names = {"huaweicloud_conn_id": "{{ conn }}", "region": "{{ where }}"}
    values = {"conn": "huaweicloud_default", "where": "ap-southeast-3", "db": "sales", "key": "job-7"}
    if kind == "operator":
        query = {"sql": "SELECT {{ 1 + 1 }}", "database": "{{ db }}", "tags": {"day": "{{ where }}"}}
        ran = run(lambda: DLI.operator(task_id="t", **query, **names, poll_interval=FAST, **arguments), **values)
        fields = _fields(control, DLI)
        assert (fields["sql"], fields["currentdb"]) == ("SELECT 2", "sales")
        assert {"key": "day", "value": "ap-southeast-3"} in fields["tags"]
    else:
        control.create_job(DLI.api, "job-7")
        ran = run(
            lambda: DLI.sensor(task_id="t", job_id="{{ key }}", **names, poke_interval=FAST, **arguments), **values
        )
    assert ran.state == SUCCESS
    assert "ap-southeast-3" in ran.result["console_url"]


def test_a_connection_of_another_name(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(lambda: DMS_UPLOAD.sensor(task_id="t", job_key="k", alibabacloud_conn_id="{{ 'else' + 'where' }}"))
    assert ran.state == RETRY
    assert "elsewhere" in str(ran.error)


@pytest.mark.parametrize("deferrable", [False, True])
def test_sql_always_runs_asynchronously(deferrable: bool, control: Control) -> None:
    make = DLI.operator
    run(lambda: make(task_id="t", sql="DROP TABLE a", poll_interval=FAST, deferrable=deferrable))
    assert "dli.sql.sqlasync.enabled=true" in _fields(control, DLI)["conf"]
    assert _fields(control, DLI)["job_mode"] == "async"
    conf = {"dli.sql.job.timeout": 5000, "dli.sql.sqlasync.enabled": True, "a.b": False}
    run(lambda: make(task_id="t", sql="DROP TABLE a", conf=conf, poll_interval=FAST))
    sent = _fields(control, DLI)["conf"]
    assert sorted(sent) == ["a.b=false", "dli.sql.job.timeout=5000", "dli.sql.sqlasync.enabled=true"]


def test_every_parameter_of_a_sql_job(control: Control) -> None:
    ran = run(
        lambda: DLI.operator(
            task_id="t",
            sql="SELECT 'größe' AS a",
            database="sales",
            queue_name="etl",
            conf=["spark.sql.shuffle.partitions=20"],
            tags=[{"key": "team", "value": "sales"}],
            engine_type="spark",
            poll_interval=FAST,
        )
    )
    fields = _fields(control, DLI)
    assert ran.state == SUCCESS
    assert (fields["sql"], fields["currentdb"], fields["queue_name"]) == ("SELECT 'größe' AS a", "sales", "etl")
    assert "spark.sql.shuffle.partitions=20" in fields["conf"]
    assert {"key": "team", "value": "sales"} in fields["tags"]
    assert fields["engine_type"] == "spark"
    assert "statement" not in ran.result["result"], "the query's text is not for XCom"


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
def test_sql_is_hidden(mode: str, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden: list[str] = []
    monkeypatch.setattr("airflow_cloudjobs.compat.hide_in_logs", hidden.append)
    sql = "SELECT name FROM people WHERE iban = 'DE02120300000000202051'"
    control.plan(DLI.api, "fail", reason="analysis failed")
    ran = run(lambda: DLI.operator(task_id="t", sql="{{ query }}", poll_interval=FAST, **MODES[mode][1]), query=sql)
    assert sql in hidden
    assert ran.state == RETRY
    shown = f"{ran.log} {ran.error} {ran.triggers} {ran.events} {ran.ti.xcoms} {ran.store}"
    assert "iban" not in shown


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("end", ["success", "fail"])
@pytest.mark.parametrize("api", [DMS_UPLOAD, ICE], ids=str)
@pytest.mark.parametrize("name", ["film", "who's film"])
def test_a_signed_source_address_is_hidden(name: str, api: JobApi, end: str, mode: str, control: Control) -> None:
    query = "Expires=1900000000&OSSAccessKeyId=LTAI5t&Signature=s3cr3tSignature%3D"
    url = f"https://files.test/{name}.{'sql' if api is DMS_UPLOAD else 'mp4'}?{query}"
    reason = f"GET {url} answered 403" if end == "fail" else None
    kind, arguments = MODES[mode]
    if kind == "operator":
        control.plan(api.api, end, reason=reason)
        new = {name: url if name.startswith("upload_url") else value for name, value in api.new.items()}
        ran = run(lambda: api.operator(task_id="t", **new, poll_interval=FAST, **arguments))
        assert _fields(control, api)["UploadURL"] == url, "the cloud gets all of it"
    else:
        control.create_job(api.api, "k", end, fields={"UploadURL": url}, reason=reason)
        ran = run(lambda: api.sensor(task_id="t", **api.waiting("k"), poke_interval=FAST, **arguments))
    assert ran.result["outcome"] == ("failed" if end == "fail" else "succeeded")
    shown = {"log": ran.log, "trigger": ran.triggers, "event": ran.events, "xcom": ran.ti.xcoms, "result": ran.result}
    shown |= {"error": f"{ran.error} {getattr(ran.error, 'results', None)}", "store": dict(ran.store)}
    assert [where for where, what in shown.items() if "s3cr3tSignature" in str(what)] == []
    assert f"https://files.test/{name}" in str(ran.result["result"].values()), "what is not secret stays readable"


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_the_download_address_is_given_only_where_asked_for(mode: str, asked: bool, control: Control) -> None:
    kind, arguments = MODES[mode]
    options = {**arguments, "include_download_url": True} if asked else arguments
    if kind == "operator":
        make = DMS_EXPORT.operator
        ran = run(lambda: make(task_id="t", **DMS_EXPORT.submitting(), poll_interval=FAST, **options))
    else:
        control.create_job(DMS_EXPORT.api, "k")
        make = DMS_EXPORT.sensor
        ran = run(lambda: make(task_id="t", **DMS_EXPORT.waiting("k"), poke_interval=FAST, **options))
    assert ran.state == SUCCESS
    kept = f"{ran.log} {ran.triggers} {ran.events} {ran.store}"
    assert "Signature=" not in kept, "neither triggers nor their events hold it"
    if not asked:
        assert "Signature=" not in f"{ran.result} {ran.ti.xcoms}"
        return
    url = ran.result["result"]["DownloadUrl"]
    assert url == url.strip()
    assert requests.get(url, timeout=10).content[:2] == b"PK"


@pytest.mark.parametrize("mode", MODES)
def test_many_keys_at_once_in_few_calls(mode: str, control: Control) -> None:
    keys = [f"job-{number:02d}" for number in range(25)]
    for key in keys:
        control.create_job(ICE.api, key, seconds=1)
    kind, arguments = MODES[mode]
    interval = {"poll_interval": 5} if kind == "operator" else {"poke_interval": 0.4}
    make = ICE.operator if kind == "operator" else ICE.sensor
    ran = run(lambda: make(task_id="t", job_ids=keys, **interval, **arguments))
    assert ran.state == SUCCESS
    assert [result["job_key"] for result in ran.result] == keys
    assert ran.ti.xcoms["job_key"] == keys
    calls = [len(r["keys"]) for r in control.stats(1000)["requests"] if r["operation"] == ICE.poll]
    assert calls[:3] == [10, 10, 5], "a round is as few calls as the API allows"
    assert len(calls) % 3 == 0
    assert len(calls) <= 9


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("api", [DMS_UPLOAD, DMS_EXPORT, DLI], ids=str)
def test_one_or_many_keys(api: JobApi, mode: str, control: Control) -> None:
    control.create_job(api.api, "good")
    control.create_job(api.api, "bad", "fail", reason="no space", seconds=1)
    kind, arguments = MODES[mode]
    fast = {"poll_interval": FAST} if kind == "operator" else {"poke_interval": FAST}
    make = api.operator if kind == "operator" else api.sensor

    ran = run(lambda: make(task_id="t", **api.waiting(["good", "bad"]), **fast, **arguments))
    assert ran.state == (RETRY if kind == "operator" else FAILED)
    assert [result["outcome"] for result in ran.result] == ["succeeded", "failed"], "each is waited for"
    assert "bad" in str(ran.error)
    assert "no space" in str(ran.error)
    assert "good" not in str(ran.error)

    ran = run(lambda: make(task_id="t", **api.waiting(["good"]), **fast, **arguments))
    assert [result["job_key"] for result in ran.result] == ["good"]
    assert ran.ti.xcoms["job_key"] == ["good"]
    ran = run(lambda: make(task_id="t", **api.waiting("good"), **fast, **arguments))
    assert ran.result["job_key"] == ran.ti.xcoms["job_key"] == "good"


@pytest.mark.parametrize("api", [DMS_UPLOAD, ICE, DLI], ids=str)
@pytest.mark.parametrize("shape", [tuple, set, UserList])
def test_other_kinds_of_lists(api: JobApi, shape: Any, control: Control) -> None:
    """XCom gives tuples and sets back as they were, and the output of a mapped task as a sequence of its own."""
    for key in ("one", "two"):
        control.create_job(api.api, key, steps=[(api.success, 0)])

    def make() -> Any:
        task = api.sensor(task_id="t", **api.waiting("later"))
        setattr(task, api.key, shape(["one", "two"]))
        return task

    ran = run(make)
    assert ran.state == SUCCESS
    assert sorted(result["job_key"] for result in ran.result) == ["one", "two"]


def test_ice_addresses_with_commas_and_strange_letters(control: Control) -> None:
    urls = ["https://files.test/a,b.mp4", "https://files.test/ü%20 %2C?x=1&y=2.mp4", "https://files.test/c.mp4"]
    metadata = [{"SourceURL": urls[1], "Title": "zwei", "FileExtension": "mp4"}]
    make = ICE.operator
    ran = run(lambda: make(task_id="t", upload_urls=urls, media_metadata=metadata, poll_interval=FAST))
    assert ran.state == SUCCESS
    assert [job["fields"]["UploadURL"] for job in control.jobs(ICE.api)] == urls
    assert [job["fields"]["Title"] for job in control.jobs(ICE.api)] == ["", "zwei", ""]
    assert [result["result"]["UploadURL"] for result in ran.result] == urls
    by_url = run(lambda: ICE.sensor(task_id="t", upload_urls=urls))
    assert by_url.ti.xcoms["job_key"] == ran.ti.xcoms["job_key"]


def test_ice_waits_for_the_newest_job_of_an_address(control: Control) -> None:
    url = "https://files.test/film.mp4"
    for key in ("older", "newer"):
        control.create_job(ICE.api, key, fields={"UploadURL": url}, steps=[("SUCCESS", 0)])
        if key == "older":
            _a_second_later()
    assert run(lambda: ICE.sensor(task_id="t", upload_urls=url)).result["job_key"] == "newer"
    nowhere = run(lambda: ICE.sensor(task_id="t", upload_urls="https://files.test/nowhere.mp4?Signature=s3cr3t"))
    assert nowhere.state == FAILED
    assert "https://files.test/nowhere.mp4" in str(nowhere.error)
    assert "s3cr3t" not in str(nowhere.error)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_look_up_by_address_that_is_refused_ends_as_a_refused_poll_does(
    soft_fail: bool, deferrable: bool, control: Control
) -> None:
    control.fault("http", "GetUrlUploadInfos", status=403, code="NoPermission")
    url = "https://files.test/film.mp4"
    ran = run(lambda: ICE.sensor(task_id="t", upload_urls=url, soft_fail=soft_fail, deferrable=deferrable))
    assert ran.state == (SKIPPED if soft_fail else FAILED)
    assert "NoPermission" in f"{ran.error} {ran.log}"
    if not soft_fail:
        assert type(ran.error) is JobOutcomeUnknown


@pytest.mark.parametrize("mode", ["blocking", "deferrable", "poke", "deferrable sensor"])
def test_a_call_for_several_that_is_refused_is_made_for_each(mode: str, control: Control) -> None:
    """One key that the cloud cannot read must not end the waits for the others."""
    for key in ("one", "two", "three"):
        control.create_job(ICE.api, key, steps=[("UPLOADING", 3), ("SUCCESS", 0)])
    control.fault("http", "poll", status=400, code="InvalidParameter", count=1)
    control.fault("http", "poll", status=400, code="InvalidParameter", after=4, count=1)
    kind, arguments = MODES[mode]
    pace = {"poll_interval" if kind == "operator" else "poke_interval": 0.2}
    ran = run(lambda: getattr(ICE, kind)(task_id="t", job_ids=["one", "two", "three"], **pace, **arguments))
    assert [result["outcome"] for result in ran.result] == ["succeeded"] * 3, ran.error


@pytest.mark.parametrize("pushed", [True, False])
def test_a_failed_jobs_result_is_pushed_where_results_are(pushed: bool, control: Control) -> None:
    control.create_job(DLI.api, "k", "fail")
    ran = run(lambda: DLI.sensor(task_id="t", job_id="k", poke_interval=FAST, do_xcom_push=pushed))
    assert (ran.state, "return_value" in ran.ti.xcoms) == (FAILED, pushed)


@pytest.mark.parametrize("mode", MODES)
def test_a_statement_that_a_failure_repeats_is_hidden(mode: str, control: Control) -> None:
    reason = "AnalysisException: no such column; line 1 pos 7\n== SQL ==\nSELECT s3cret FROM people\n-------^^^"
    control.create_job(DLI.api, "k", "fail", reason=reason)
    kind, arguments = MODES[mode]
    fast = {"poll_interval" if kind == "operator" else "poke_interval": FAST}
    ran = run(lambda: getattr(DLI, kind)(task_id="t", job_id="k", **fast, **arguments))
    assert "no such column; line 1 pos 7" in str(ran.error)
    assert "s3cret" not in f"{ran.log} {ran.error} {ran.triggers} {ran.events} {ran.ti.xcoms}"


def test_ice_waits_for_the_job_it_began_with_at_every_poke(control: Control) -> None:
    url = "https://files.test/film.mp4"
    control.create_job(ICE.api, "older", fields={"UploadURL": url}, steps=[("UPLOADING", 0)])
    context = {"ti": TaskInstance(), "task_state_store": Store()}

    def make() -> Any:
        return ICE.sensor(task_id="t", upload_urls=url, poke_interval=5, mode="reschedule")

    assert not rendered(make, context).poke(context)
    control.set_status(ICE.api, "older", "UPLOAD_FAIL")
    _a_second_later()
    control.create_job(ICE.api, "newer", fields={"UploadURL": url}, steps=[("SUCCESS", 0)])
    with pytest.raises(JobFailedForGood, match="older"):
        rendered(make, context).poke(context)


def test_every_parameter_of_a_media_upload(control: Control) -> None:
    ran = run(
        lambda: ICE.operator(
            task_id="t",
            upload_urls="https://files.test/film",
            media_metadata=[{"SourceURL": "https://files.test/film", "Title": "Ein Film", "FileExtension": "mp4"}],
            post_process_config={"ProcessType": "Workflow", "ProcessID": "w1"},
            upload_target_config={"StorageType": "oss", "StorageLocation": "outin-1.oss-cn-shanghai.aliyuncs.com"},
            user_data={"Extend": {"ticket": "T-1"}},
            app_id="app-2",
            poll_interval=FAST,
        )
    )
    assert ran.state == SUCCESS
    fields = _fields(control, ICE)
    assert (fields["AppId"], fields["Title"]) == ("app-2", "Ein Film")
    assert '"ticket"' in fields["UserData"]


def test_an_upload_from_oss(control: Control) -> None:
    target = {"Endpoint": "https://oss-cn-hangzhou.aliyuncs.com", "BucketName": "b", "ObjectName": "ordner/größe.sql"}
    make = DMS_UPLOAD.operator
    arguments = {"file_name": "a.txt", "file_source": "big-file", "upload_target": target, "tid": "3001"}
    ran = run(lambda: make(task_id="t", **arguments, poll_interval=FAST))
    assert ran.state == SUCCESS
    assert control.stats()["operations"]["CreateUploadOSSFileJob"]["ok"] == 1
    assert _fields(control, DMS_UPLOAD)["UploadOSSParam"] == target
    assert ran.result["result"]["AttachmentKey"]


def test_the_tenant_is_part_of_every_call(control: Control) -> None:
    new = DMS_UPLOAD.submitting()
    ran = run(lambda: DMS_UPLOAD.operator(task_id="t", **new, tid=77, poll_interval=FAST, deferrable=True))
    assert ran.state == SUCCESS
    key = ran.result["job_key"]
    assert run(lambda: DMS_UPLOAD.sensor(task_id="t", job_key=key, tid=77)).state == SUCCESS
    assert run(lambda: DMS_UPLOAD.sensor(task_id="t", job_key=key, tid=78)).state == FAILED


def test_every_parameter_of_an_export(control: Control) -> None:
    ran = run(
        lambda: DMS_EXPORT.operator(
            task_id="t",
            order_id="4711",
            rollback_sql_type="FORWARD",
            filter_start_time="2026-01-01 00:00:00",
            filter_end_time="2026-01-02 00:00:00",
            filter_table_list=["orders"],
            filter_type_list=["INSERT", "DELETE"],
            event_id_list=[1, 2],
            column_filter={"ColumnName": "id", "Operator": "IN", "InList": ["1", "2"]},
            poll_interval=FAST,
        )
    )
    assert ran.state == SUCCESS
    fields = _fields(control, DMS_EXPORT)
    assert (fields["OrderId"], fields["RollbackSQLType"]) == (4711, "FORWARD")
    assert (fields["FilterTableList"], fields["FilterTypeList"]) == (["orders"], ["INSERT", "DELETE"])
    assert fields["EventIdList"] == [1, 2]


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
@pytest.mark.parametrize("end", ["success", "fail"])
@pytest.mark.parametrize("earlier", ["success", "failed"])
def test_the_end_of_an_earlier_import_is_not_believed(
    earlier: str, end: str, mode: str, control: Control, template: Path
) -> None:
    control.settings(stale_seconds=2, job_seconds=4)
    control.create_job(DRS.api, "task-1", steps=[(earlier, 0)])
    control.plan(DRS.api, end)
    make = DRS.operator
    arguments = {"job_id": "task-1", "file_path": str(template), "poll_interval": FAST}
    ran = run(lambda: make(task_id="t", **arguments, **MODES[mode][1]))
    assert ran.result["outcome"] == ("succeeded" if end == "success" else "failed")
    job = control.job(DRS.api, "task-1")
    assert job["fields"]["file_name"] == "objects.json"
    assert job["ended"], "it has waited for the new one"


@pytest.mark.parametrize("name", ["a.xls", "a.XLSX", 'größe "1".json', "a.txt", "a.zip"])
def test_files_that_drs_takes(name: str, control: Control, tmp_path: Path) -> None:
    control.create_job("drs.job", "task-1")
    path = tmp_path / name
    if name.endswith("zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("objects.json", '{"a": 1}')
    else:
        path.write_bytes(b'{"a": 1}\r\n--\r\n')
    make = DRS.operator
    ran = run(lambda: make(task_id="t", job_id="task-1", file_path=str(path), poll_interval=FAST))
    assert (ran.state, ran.error) == (SUCCESS, None)
    assert _fields(control, DRS)["file_size"] == path.stat().st_size


def test_imports_of_column_processing(control: Control, template: Path) -> None:
    control.create_job("drs.job", "task-1")
    arguments = {"job_id": "task-1", "file_path": str(template), "file_import_db_level": "column"}
    ran = run(lambda: DRS.operator(task_id="t", **arguments, poll_interval=FAST, deferrable=True))
    assert ran.state == SUCCESS
    assert _fields(control, DRS)["file_import_db_level"] == "column"


def test_intervals_and_limits_as_timedelta(control: Control) -> None:
    control.plan(DLI.api, "forever")
    limits = {"poll_interval": timedelta(seconds=0.05), "wait_timeout": timedelta(seconds=0.2)}
    ran = run(lambda: DLI.operator(task_id="t", sql="SELECT 1", **limits))
    assert type(ran.error).__name__ == "JobTimedOut"


def test_a_task_that_is_made_anew_keeps_nothing(control: Control) -> None:
    control.create_job(DLI.api, "job-1", steps=[("FINISHED", 0)])
    context = {"ti": TaskInstance(), "task_state_store": Store()}
    task = rendered(lambda: DLI.sensor(task_id="t", job_id="job-1"), context)
    first, second = task.execute(context), task.execute(context)
    assert first.pop("request_id") != second.pop("request_id"), "it has asked again"
    assert first == second


def _a_second_later() -> None:
    """ICE's times have whole seconds."""
    import time

    time.sleep(1.05)
