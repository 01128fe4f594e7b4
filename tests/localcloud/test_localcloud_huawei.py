# SPDX-License-Identifier: Apache-2.0
"""Huawei Cloud's typed clients, unchanged, against the local cloud, and IAM by plain requests."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huaweicloudsdkdli.v1 as dli_sdk
import huaweicloudsdkdrs.v5 as drs_sdk
import pytest
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, ServerResponseException
from huaweicloudsdkcore.http.formdata import FormFile

from airflow_cloudjobs.localcloud import Control, ControlError, LocalCloud, accounts

PROJECT = accounts.project_id("cn-north-4")
ASYNC = ["dli.sql.sqlasync.enabled=true"]


def credentials(access_key: str = accounts.HUAWEI_ACCESS_KEY, secret: str = accounts.HUAWEI_SECRET) -> Any:
    return BasicCredentials(access_key, secret, PROJECT)


@pytest.fixture
def dli(cloud: LocalCloud) -> Any:
    return dli_sdk.DliClient.new_builder().with_credentials(credentials()).with_endpoint(cloud.url).build()


@pytest.fixture
def drs(cloud: LocalCloud) -> Any:
    return drs_sdk.DrsClient.new_builder().with_credentials(credentials()).with_endpoint(cloud.url).build()


def until(ends: set[Any], read: Callable[[], Any], status: str) -> tuple[list[Any], Any]:
    seen: list[Any] = []
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        answer = read()
        if not seen or seen[-1] != getattr(answer, status):
            seen.append(getattr(answer, status))
        if seen[-1] in ends:
            return seen, answer
        time.sleep(0.01)
    raise AssertionError(f"no end in {seen}")


def submit(dli: Any, sql: str, **more: Any) -> Any:
    body = dli_sdk.CreateSqlJobRequestBody(sql=sql, **{"conf": ASYNC, **more})
    return dli.create_sql_job(dli_sdk.CreateSqlJobRequest(body=body))


def status(dli: Any, key: str) -> Any:
    return dli.show_sql_job_status(dli_sdk.ShowSqlJobStatusRequest(job_id=key))


def wait(dli: Any, key: str) -> tuple[list[Any], Any]:
    return until({"FINISHED", "FAILED", "CANCELLED"}, lambda: status(dli, key), "status")


def test_a_query(dli: Any, control: Control) -> None:
    tags = [dli_sdk.Tag(key="run", value="r-1")]
    job = submit(dli, "/* c */ SELECT 'ü~' FROM t", currentdb="shop", queue_name="etl", tags=tags)
    assert (job.is_success, job.job_type, job.job_mode, job.message) == (True, "QUERY", "async", "")
    seen, done = wait(dli, job.job_id)
    assert len(seen) > 1
    assert sorted(seen, key=["LAUNCHING", "SCALING", "RUNNING", "FINISHED"].index) == seen
    assert (done.is_success, done.message, done.job_mode) == (True, "", "async")
    assert (done.queue_name, done.database_name) == ("etl", "shop")
    assert done.statement == "/* c */ SELECT 'ü~' FROM t"
    assert done.owner == accounts.IAM_USER
    assert done.duration == 1000 * control.settings()["job_seconds"]
    assert abs(done.start_time / 1000 - time.time()) < 60
    assert [(tag.key, tag.value) for tag in done.tags] == [("run", "r-1")]
    assert done.result_count == 4
    assert '"type": "struct"' in done.detail
    for field in done.openapi_types:
        assert getattr(done, field) is not None, field


def test_a_failing_query(dli: Any) -> None:
    job = submit(dli, "select * from missing_orders")
    seen, done = wait(dli, job.job_id)
    assert seen[-1] == "FAILED"
    assert done.is_success
    assert done.message == "Table or view not found: missing_orders; line 1 pos 14"


def test_cancel(dli: Any, control: Control) -> None:
    job = submit(dli, "select 1 -- localcloud=forever")
    cancelled = dli.cancel_sql_job(dli_sdk.CancelSqlJobRequest(job_id=job.job_id))
    assert cancelled.is_success
    seen, _ = wait(dli, job.job_id)
    assert seen[-1] == "CANCELLED"
    assert seen[0] != "CANCELLED", "a job is not cancelled at once"
    with pytest.raises(ClientRequestException) as refused:
        dli.cancel_sql_job(dli_sdk.CancelSqlJobRequest(job_id=job.job_id))
    assert refused.value.status_code == 400
    assert control.stats()["cancels"] == {"dli.sql_job": 1}


def test_an_unknown_job_in_each_form_the_vendor_leaves_open(dli: Any, control: Control) -> None:
    for code, http in (("DLI.0002", 400), ("DLI.0023", 404)):
        control.settings(dli_not_found=code)
        with pytest.raises(ClientRequestException) as refused:
            status(dli, "208b08d4-0dc2-4dd7-8879-ddd4c020d7aa")
        assert (refused.value.status_code, refused.value.error_code) == (http, code)
        assert len(refused.value.request_id) == 32


@pytest.mark.parametrize(
    ("sql", "conf", "mode"),
    [
        ("CREATE TABLE t (id int)", [], "sync"),
        ("CREATE TABLE t (id int)", ["dli.sql.sqlasync.enabled=false"], "sync"),
        ("CREATE TABLE t (id int)", ASYNC, "async"),
        ("GRANT SELECT ON t TO u", ASYNC, "sync"),
        ("INSERT INTO t SELECT 1", [], "async"),
    ],
)
def test_ddl_and_dcl_are_synchronous_unless_asked_otherwise(
    dli: Any, control: Control, sql: str, conf: list[str], mode: str
) -> None:
    control.settings(job_seconds=600)
    job = submit(dli, sql, conf=conf)
    assert (job.is_success, job.job_mode) == (True, mode)
    assert (status(dli, job.job_id).status == "FINISHED") is (mode == "sync")


def test_synchronous_ddl_holds_the_answer_and_tells_its_failure(dli: Any) -> None:
    before = time.monotonic()
    job = submit(dli, "DROP TABLE missing_table -- localcloud.seconds=0.2", conf=[])
    assert time.monotonic() - before >= 0.2
    assert (job.is_success, job.job_mode) == (False, "sync")
    assert job.message.startswith("Table or view not found")


def test_list_finds_jobs_by_tag(dli: Any, control: Control) -> None:
    control.settings(job_seconds=600)
    mine = submit(dli, "select 1", tags=[dli_sdk.Tag(key="a", value="1"), dli_sdk.Tag(key="b", value="x y/ü")])
    other = submit(dli, "insert into t select 1", tags=[dli_sdk.Tag(key="a", value="1")], queue_name="etl")

    def found(**asked: Any) -> list[str]:
        return [job.job_id for job in dli.list_sql_jobs(dli_sdk.ListSqlJobsRequest(**asked)).jobs]

    assert found(tags="b=x y/ü") == [mine.job_id]
    assert found(tags="a=1,b=x y/ü") == [mine.job_id]
    assert found(tags="a=1") == [other.job_id, mine.job_id]
    assert found(tags="a=2") == []
    assert found(job_type="INSERT") == [other.job_id]
    assert found(queue_name="etl") == [other.job_id]
    assert found(job_id=mine.job_id) == [mine.job_id]
    assert found(order="start_time_asc") == [mine.job_id, other.job_id]
    assert found(sql_pattern="insert") == [other.job_id]
    assert found(job_status="FINISHED") == []
    control.set_status("dli.sql_job", mine.job_id, "FINISHED")
    assert mine.job_id in found(job_status="FINISHED")
    later = int(time.time() * 1000) + 60_000
    assert found(start=later) == []
    assert len(found(end=later)) == 2
    page = dli.list_sql_jobs(dli_sdk.ListSqlJobsRequest(page_size=1, current_page=2))
    assert (page.job_count, [job.job_id for job in page.jobs]) == (2, [mine.job_id])
    assert page.jobs[0].statement == "select 1"


@pytest.mark.parametrize(
    "asked", [{"page_size": 0}, {"page_size": 101}, {"current_page": 0}, {"order": "size"}, {"tags": "a"}]
)
def test_list_checks_its_parameters(dli: Any, asked: dict[str, Any]) -> None:
    with pytest.raises(ClientRequestException) as refused:
        dli.list_sql_jobs(dli_sdk.ListSqlJobsRequest(**asked))
    assert (refused.value.status_code, refused.value.error_code) == (400, "DLI.0001")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"sql": " "}, "DLI.0001"),
        ({"sql": "select 1", "currentdb": "_x"}, "DLI.0001"),
        ({"sql": "select 1", "queue_name": "1"}, "DLI.0001"),
        ({"sql": "select 1", "queue_name": "missing_queue"}, "DLI.0002"),
        ({"sql": "select 1", "conf": ["nothing"]}, "DLI.0001"),
        ({"sql": "select 1", "tags": [{"key": "k" * 129, "value": ""}]}, "DLI.0001"),
        ({"sql": "select 1", "engine_type": "flink"}, "DLI.0001"),
        ({"sql": "selekt 1"}, "DLI.0004"),
    ],
)
def test_submit_checks_its_parameters(dli: Any, body: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientRequestException) as refused:
        dli.create_sql_job(dli_sdk.CreateSqlJobRequest(body=body))
    assert (refused.value.status_code, refused.value.error_code) == (400, code)


def test_other_dli_operations(dli: Any) -> None:
    queues = dli.list_queues(dli_sdk.ListQueuesRequest(queue_type="sql")).queues
    assert [queue.queue_name for queue in queues] == ["default", "etl"]
    body = dli_sdk.CheckSqlRequestBody(sql="with a as (select 1) select * from a")
    assert dli.check_sql(dli_sdk.CheckSqlRequest(body=body)).job_type == "QUERY"
    job = submit(dli, "select 1")
    wait(dli, job.job_id)
    progress = dli.show_sql_job_progress(dli_sdk.ShowSqlJobProgressRequest(job_id=job.job_id))
    assert (progress.status, progress.progress) == ("FINISHED", 1.0)
    detail = dli.show_sql_job_detail(dli_sdk.ShowSqlJobDetailRequest(job_id=job.job_id))
    assert (detail.is_success, detail.job_id) == (True, job.job_id)


def export(dli: Any, key: str, path: str = "obs://lake/a", **more: Any) -> Any:
    body = dli_sdk.ExportSqlJobResultRequestBody(data_path=path, data_type="csv", **more)
    return dli.export_sql_job_result(dli_sdk.ExportSqlJobResultRequest(job_id=key, body=body))


def test_the_export_of_a_result_is_a_job_of_its_own(dli: Any) -> None:
    query = submit(dli, "select 1")
    with pytest.raises(ClientRequestException, match="has not finished"):
        export(dli, query.job_id)
    wait(dli, query.job_id)
    options = {"compress": "gzip", "with_column_header": True, "limit_num": 5, "queue_name": "etl"}
    started = export(dli, query.job_id, **options)
    assert (started.is_success, started.message, started.job_mode) == (True, "", "async")
    assert started.job_id != query.job_id
    seen, done = wait(dli, started.job_id)
    assert (seen[-1], done.job_type, done.queue_name) == ("FINISHED", "EXPORT", "etl")
    detail = dli.show_sql_job_detail(dli_sdk.ShowSqlJobDetailRequest(job_id=started.job_id))
    assert (detail.data_path, detail.data_type, detail.export_mode) == ("obs://lake/a", "csv", "ErrorIfExists")
    assert (detail.compress, detail.with_column_header) == ("gzip", True)
    listed = dli.list_sql_jobs(dli_sdk.ListSqlJobsRequest(job_type="EXPORT", start=done.start_time)).jobs
    assert [job.job_id for job in listed] == [started.job_id]


def test_an_export_into_a_directory_that_exists_fails_unless_it_may_overwrite(dli: Any, control: Control) -> None:
    query = submit(dli, "select 1").job_id
    wait(dli, query)
    control.plan("dli.sql_job", "fail", match="EXPORT obs://lake/a")
    _, failed = wait(dli, export(dli, query).job_id)
    assert failed.status == "FAILED"
    _, first = wait(dli, export(dli, query).job_id)
    assert first.status == "FINISHED", "of one that failed there is nothing left"
    _, second = wait(dli, export(dli, query, "obs://lake/a/").job_id)
    assert (second.status, second.message) == ("FAILED", "The path obs://lake/a/ already exists.")
    _, third = wait(dli, export(dli, query, export_mode="Overwrite").job_id)
    assert third.status == "FINISHED"


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "s3://lake/a"},
        {"path": "obs://"},
        {"compress": "zip"},
        {"export_mode": "Append"},
        {"encoding_type": "latin1"},
        {"with_column_header": "yes"},
        {"queue_name": "missing_queue"},
    ],
    ids=str,
)
def test_an_export_checks_its_parameters(dli: Any, wrong: dict[str, Any]) -> None:
    query = submit(dli, "select 1").job_id
    wait(dli, query)
    with pytest.raises(ClientRequestException) as refused:
        export(dli, query, **wrong)
    assert refused.value.error_code == ("DLI.0002" if "queue_name" in wrong else "DLI.0001")


def test_only_a_querys_result_is_exported(dli: Any) -> None:
    other = submit(dli, "insert into t select 1").job_id
    wait(dli, other)
    with pytest.raises(ClientRequestException, match="no QUERY"):
        export(dli, other)
    with pytest.raises(ClientRequestException, match="does not exist"):
        export(dli, "208b08d4-0dc2-4dd7-8879-ddd4c020d7aa")


def test_faults_wear_the_vendors_envelope(dli: Any, control: Control) -> None:
    control.fault("throttle", "dli", count=1)
    with pytest.raises(ClientRequestException) as throttled:
        submit(dli, "select 1")
    assert (throttled.value.status_code, throttled.value.error_code) == (429, "APIGW.0308")
    control.fault("http", "dli", status=500, count=1)
    with pytest.raises(ServerResponseException) as failed:
        submit(dli, "select 1")
    assert failed.value.error_code == "DLI.0999"
    control.fault("http", "submit", status=200, message="the queue is busy", count=1)
    soft = submit(dli, "select 1")
    assert (soft.is_success, soft.message) == (False, "the queue is busy")
    assert control.jobs() == []


def template(path: Path, name: str = "objects.xlsx", size: int = 100) -> Any:
    file = path / name
    file.write_bytes(b"x" * size)
    return drs_sdk.UploadDbObjectTemplateRequestBody(file=FormFile(file.open("rb")))


def import_template(drs: Any, body: Any, key: str = "drs-demo-1", **more: Any) -> Any:
    return drs.upload_db_object_template(drs_sdk.UploadDbObjectTemplateRequest(job_id=key, body=body, **more))


def progress(drs: Any, key: str = "drs-demo-1") -> Any:
    asked = drs_sdk.ShowDbObjectTemplateProgressRequest(job_id=key, offset=0, limit=10)
    return drs.show_db_object_template_progress(asked)


@pytest.mark.parametrize(
    ("name", "members"),
    [("objects.xlsx", ["[Content_Types].xml", "xl/workbook.xml"]), ("objects.json", ["result.txt"])],
)
def test_import_of_a_template(drs: Any, tmp_path: Path, name: str, members: list[str]) -> None:
    before = progress(drs)
    assert (before.send_success, before.process_status, before.parsed_success_number) == (False, None, None)
    assert import_template(drs, template(tmp_path, name), file_import_db_level="table").send_success
    seen, done = until({"success", "failed"}, lambda: progress(drs), "process_status")
    assert seen in ([None, "success"], ["success"])
    assert done.parsed_success_number == "120"
    asked = drs_sdk.ShowDbObjectTemplateResultRequest(job_id="drs-demo-1", type="detail")
    received: list[bytes] = []
    drs.show_db_object_template_result(asked).consume_download_stream(
        lambda stream: received.extend(stream.iter_content())
    )
    with zipfile.ZipFile(io.BytesIO(b"".join(received))) as archive:
        assert archive.namelist() == members


def test_a_failing_import_and_the_stale_progress_after_it(drs: Any, control: Control, tmp_path: Path) -> None:
    import_template(drs, template(tmp_path, "missing.xlsx"))
    until({"failed"}, lambda: progress(drs), "process_status")
    control.settings(stale_seconds=600)
    import_template(drs, template(tmp_path))
    assert progress(drs).process_status == "failed"
    control.settings(stale_seconds=0)
    seen, _ = until({"success"}, lambda: progress(drs), "process_status")
    assert seen in ([None, "success"], ["success"])


def test_an_unknown_task(drs: Any, control: Control) -> None:
    key = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
    with pytest.raises(ClientRequestException) as refused:
        progress(drs, key)
    assert (refused.value.status_code, refused.value.error_code) == (400, "DRS.10000010")
    control.create_job("drs.job", key)
    assert progress(drs, key).process_status is None
    control.create_job("drs.object_template", key, seconds=0)
    assert progress(drs, key).process_status == "success"


@pytest.mark.parametrize(
    ("name", "size", "more"),
    [
        ("objects.csv", 10, {}),
        ("objects.xlsx", 5 * 1024 * 1024 + 1, {}),
        ("objects.zip", 1024 * 1024 + 1, {}),
        ("objects.xlsx", 0, {}),
        ("objects.xlsx", 10, {"file_import_db_level": "row"}),
    ],
)
def test_upload_checks_name_and_size(
    drs: Any, control: Control, tmp_path: Path, name: str, size: int, more: dict[str, str]
) -> None:
    with pytest.raises(ClientRequestException) as refused:
        import_template(drs, template(tmp_path, name, size), **more)
    assert (refused.value.status_code, refused.value.error_code) == (400, "DRS.M00202")
    assert control.jobs() == []


def test_other_drs_operations(drs: Any) -> None:
    progress(drs, "drs-demo-7")
    listed = drs.list_jobs(drs_sdk.ListJobsRequest(job_type="sync", limit=1))
    assert (listed.total_count, listed.jobs[0].id, listed.jobs[0].job_type) == (1, "drs-demo-7", "sync")
    assert drs.list_jobs(drs_sdk.ListJobsRequest(job_type="migration")).total_count == 0
    detail = drs.show_job_detail(drs_sdk.ShowJobDetailRequest(job_id="drs-demo-7", type="overview")).job
    assert (detail.id, detail.status, detail.base_info.job_type) == ("drs-demo-7", "CONFIGURATION", "sync")
    limits = drs.show_job_detail(drs_sdk.ShowJobDetailRequest(job_id="drs-demo-7", type="file")).job
    assert limits.support_import_file_resp.file_size == "5"
    with pytest.raises(ClientRequestException) as refused:
        drs.show_job_detail(drs_sdk.ShowJobDetailRequest(job_id="drs-demo-7", type="size"))
    assert refused.value.error_code == "DRS.M00202"
    early = drs_sdk.ShowDbObjectTemplateResultRequest(job_id="drs-demo-7", type="detail")
    with pytest.raises(ClientRequestException) as refused:
        drs.show_db_object_template_result(early)
    assert refused.value.error_code == "DRS.10030008"


def test_the_vendors_project_lookup(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", cloud.url)
    from huaweicloudsdkcore.region.region import Region

    found = BasicCredentials(accounts.HUAWEI_ACCESS_KEY, accounts.HUAWEI_SECRET)
    region = Region("cn-east-3", cloud.url)
    client = dli_sdk.DliClient.new_builder().with_credentials(found).with_region(region).build()
    assert client.list_queues(dli_sdk.ListQueuesRequest()).is_success
    assert found.project_id == accounts.project_id("cn-east-3")


def test_temporary_credentials(cloud: LocalCloud, control: Control) -> None:
    issued = control.issue_credentials("huawei", expires_in=60)
    temporary = credentials(issued["access_key"], issued["secret"]).with_security_token(issued["security_token"])
    dli = dli_sdk.DliClient.new_builder().with_credentials(temporary).with_endpoint(cloud.url).build()
    assert dli.list_queues(dli_sdk.ListQueuesRequest()).is_success
    control.expire_credentials(issued["access_key"])
    with pytest.raises(ClientRequestException) as refused:
        dli.list_queues(dli_sdk.ListQueuesRequest())
    assert (refused.value.status_code, refused.value.error_code) == (401, "APIGW.0301")
    assert "The security token has expired" in refused.value.error_msg


def login(cloud: LocalCloud, scope: Any, password: str = accounts.IAM_PASSWORD, query: str = "") -> Any:
    user = {"domain": {"name": accounts.IAM_DOMAIN}, "name": accounts.IAM_USER, "password": password}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if scope is not None:
        auth["scope"] = scope
    with requests.Session() as session:
        session.trust_env = False
        return session.post(f"{cloud.url}/v3/auth/tokens{query}", json={"auth": auth}, timeout=5)


def get(cloud: LocalCloud, path: str, token: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(cloud.url + path, headers={"X-Auth-Token": token}, timeout=5)


@pytest.mark.parametrize("scope", [{"name": "cn-north-4"}, {"id": PROJECT}])
def test_a_token_opens_its_project_and_no_other(cloud: LocalCloud, scope: dict[str, str]) -> None:
    created = login(cloud, {"project": scope}, query="?nocatalog=true")
    assert created.status_code == 201
    token, body = created.headers["X-Subject-Token"], created.json()["token"]
    assert body["project"]["id"] == PROJECT
    assert body["project"]["name"] == "cn-north-4"
    assert body["expires_at"].endswith("Z")
    assert "catalog" not in body
    assert "catalog" in login(cloud, {"project": scope}).json()["token"]
    assert get(cloud, f"/v1.0/{PROJECT}/queues", token).json()["is_success"]
    foreign = get(cloud, f"/v1.0/{accounts.project_id('cn-east-3')}/queues", token)
    assert (foreign.status_code, foreign.json()["error_code"]) == (403, "APIGW.0302")
    (project,) = get(cloud, "/v3/projects?name=cn-east-3", token).json()["projects"]
    assert project["id"] == accounts.project_id("cn-east-3")
    assert get(cloud, "/v3/auth/projects", token).json()["projects"]
    assert get(cloud, "/v3/auth/domains", token).json()["domains"][0]["name"] == accounts.IAM_DOMAIN


def test_a_region_that_the_cloud_does_not_have(cloud: LocalCloud) -> None:
    """There is no project of its name, to look up or to log in to."""
    token = login(cloud, {"project": {"name": "cn-north-4"}}).headers["X-Subject-Token"]
    assert get(cloud, "/v3/projects?name=cn-noth-4", token).json()["projects"] == []
    refused = login(cloud, {"project": {"name": "cn-noth-4"}})
    assert refused.status_code == 401
    assert "cn-noth-4" in refused.json()["error"]["message"]


def test_a_token_ends(cloud: LocalCloud, control: Control) -> None:
    token = login(cloud, {"project": {"name": "cn-north-4"}}).headers["X-Subject-Token"]
    assert control.expire_tokens() == 1
    refused = get(cloud, f"/v1.0/{PROJECT}/queues", token)
    assert (refused.status_code, refused.json()["error_code"]) == (401, "APIGW.0307")
    assert "The token must be updated" in refused.json()["error_msg"]
    unknown = get(cloud, f"/v1.0/{PROJECT}/queues", "MIIxyz")
    assert (unknown.status_code, unknown.json()["error_code"]) == (401, "APIGW.0301")


def test_logins_that_are_refused(cloud: LocalCloud) -> None:
    wrong = login(cloud, {"project": {"name": "cn-north-4"}}, password="wrong")
    assert wrong.status_code == 401
    assert wrong.json()["error"] == {
        "code": 401,
        "message": "The username or password is wrong.",
        "title": "Unauthorized",
    }
    bad: tuple[Any, ...] = ({"project": {}}, {"project": {"name": "a"}, "domain": {}}, "everything")
    for scope in bad:
        assert login(cloud, scope).status_code == 400
    assert login(cloud, {"project": {"id": "nobody"}}).status_code == 401
    domain = login(cloud, {"domain": {"name": accounts.IAM_DOMAIN}})
    assert get(cloud, f"/v1.0/{PROJECT}/queues", domain.headers["X-Subject-Token"]).status_code == 403


def preview(dli: Any, key: str, **more: Any) -> Any:
    return dli.preview_sql_job_result(dli_sdk.PreviewSqlJobResultRequest(job_id=key, **more))


def test_the_rows_of_a_query(dli: Any, control: Control) -> None:
    """In the form of the vendor's model: a list of objects with one column each, and lists of values."""
    result = {"schema": [{"city": "string"}, {"orders": "bigint"}], "rows": [["Köln", 7], [None, 2**60]]}
    control.plan("dli.sql_job", seconds=0, result=result)
    key = submit(dli, "SELECT city, count(*) FROM orders GROUP BY city").job_id
    done = status(dli, key)
    assert (done.result_count, json.loads(done.detail)["fields"][1]["type"]) == (2, "long")
    rows = preview(dli, key, queue_name="etl")
    assert (rows.is_success, rows.job_type, rows.row_count) == (True, "QUERY", 2)
    assert {"schema": rows.schema, "rows": rows.rows} == result


def test_rows_that_nobody_has_planned(dli: Any, control: Control) -> None:
    control.plan("dli.sql_job", seconds=0, count=None)
    rows = preview(dli, submit(dli, "SELECT id FROM t").job_id)
    assert (rows.schema, rows.rows, rows.row_count) == ([{"id": "int"}], [[1], [2], [3], [4]], 4)


@pytest.mark.parametrize(
    ("sql", "end", "words"),
    [("INSERT INTO t SELECT 1", "success", "INSERT"), ("SELECT 1", "fail", "not finished")],
)
def test_jobs_without_rows(sql: str, end: str, words: str, dli: Any, control: Control) -> None:
    control.plan("dli.sql_job", end, seconds=0)
    key = submit(dli, sql).job_id
    with pytest.raises(ClientRequestException) as refused:
        preview(dli, key)
    assert refused.value.error_code == "DLI.0001"
    assert words in refused.value.error_msg


def test_a_result_that_is_none_is_refused(control: Control) -> None:
    with pytest.raises(ControlError, match="'schema' and 'rows'"):
        control.plan("dli.sql_job", result={"rows": []})
