# SPDX-License-Identifier: Apache-2.0
"""Faults over real sockets, and the control API."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from support.jobapis import BY_ID

from airflow_cloudjobs.localcloud import Control, ControlError, LocalCloud, accounts
from airflow_cloudjobs.localcloud.faults import Fault, FaultBoard
from airflow_cloudjobs.localcloud.operation import Operation

Sign = Callable[..., requests.PreparedRequest]
Send = Callable[[requests.PreparedRequest], requests.Response]

STATUS = "/v1.0/{project}/jobs/%s/status"
SUBMIT = "/v1.0/{project}/jobs/submit-job"


@pytest.fixture
def raw(cloud: LocalCloud) -> Iterator[Callable[[requests.PreparedRequest], http.client.HTTPResponse]]:
    """Send a request with the plainest client there is, which retries nothing."""
    connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=5)

    def send(request: requests.PreparedRequest) -> http.client.HTTPResponse:
        parts = urlsplit(str(request.url))
        headers = {name: value for name, value in request.headers.items() if isinstance(value, str)}
        assert not isinstance(request.body, str)
        connection.request(str(request.method), f"{parts.path}?{parts.query}", request.body, headers)
        return connection.getresponse()

    yield send
    connection.close()


def jobs(control: Control) -> int:
    return len(control.jobs("dli.sql_job"))


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("reset", {}, ConnectionResetError),
        ("hang", {"delay": 0.1}, http.client.RemoteDisconnected),
    ],
)
def test_no_answer(
    sign_huawei: Sign,
    raw: Any,
    control: Control,
    kind: str,
    options: dict[str, Any],
    error: type[Exception],
    after_commit: bool,
) -> None:
    control.fault(kind, "submit", count=1, after_commit=after_commit, **options)
    with pytest.raises(error):
        raw(sign_huawei("POST", SUBMIT, {"sql": "select 1"}))
    assert jobs(control) == int(after_commit)
    stats = control.stats()
    assert stats["requests"][-1]["status"] == 0
    assert stats["faults_struck"] == {kind: 1}
    assert stats["operations"]["CreateSqlJob"] == {"calls": 1, "ok": 0, "refused": {kind: 1}}
    assert raw(sign_huawei("POST", SUBMIT, {"sql": "select 1"})).status == 200


def test_a_job_is_taken_although_the_answer_says_503(sign_huawei: Sign, send: Send, control: Control) -> None:
    control.fault("http", "dli.sql_job", status=503, count=1, after_commit=True)
    answer = send(sign_huawei("POST", SUBMIT, {"sql": "select 1"}))
    assert (answer.status_code, answer.json()["error_code"]) == (503, "DLI.0999")
    assert jobs(control) == 1


def test_a_refused_submit_commits_nothing_even_with_after_commit(
    sign_huawei: Sign, send: Send, control: Control
) -> None:
    control.fault("reset", "submit", count=1, after_commit=True)
    assert send(sign_huawei("POST", SUBMIT, {"sql": "selekt"})).json()["error_code"] == "DLI.0004"
    assert jobs(control) == 0


def test_a_client_that_gives_up_ends_a_hang(sign_huawei: Sign, send: Send, cloud: LocalCloud, control: Control) -> None:
    control.fault("hang", "poll", delay=60, count=1)
    before = time.monotonic()
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.ReadTimeout):
            session.send(sign_huawei("GET", STATUS % "x"), timeout=0.2)
    assert send(sign_huawei("GET", STATUS % "x")).status_code == 400
    assert time.monotonic() - before < 10


def test_a_slow_answer_is_still_right(sign_huawei: Sign, send: Send, control: Control) -> None:
    control.fault("slow", "poll", delay=0.2, count=1)
    before = time.monotonic()
    assert send(sign_huawei("GET", STATUS % "x")).json()["error_code"] == "DLI.0002"
    assert time.monotonic() - before >= 0.2


def test_latency_of_every_answer(sign_alibaba: Sign, send: Send, control: Control) -> None:
    control.settings(latency_seconds=0.2)
    before = time.monotonic()
    assert send(sign_alibaba("ListUserTenants")).status_code == 200
    assert time.monotonic() - before >= 0.2


def test_what_a_proxy_does(sign_alibaba: Sign, send: Send, control: Control) -> None:
    control.fault("html", "alibaba", count=1)
    control.fault("html", "alibaba", status=200, count=1)
    control.fault("empty", "*", count=1)
    pages = [send(sign_alibaba("ListUserTenants")) for _ in range(4)]
    assert [page.status_code for page in pages] == [502, 200, 200, 200]
    assert [page.headers["Content-Type"].partition(";")[0] for page in pages] == [
        "text/html", "text/html", "application/json", "application/json",
    ]  # fmt: skip
    assert "<html>" in pages[0].text
    assert pages[2].content == b""
    assert all(page.headers["Date"] for page in pages)


def test_truncated_json(sign_alibaba: Sign, send: Send, control: Control) -> None:
    control.fault("truncated", "dms", count=1)
    half = send(sign_alibaba("ListUserTenants"))
    assert int(half.headers["Content-Length"]) == len(half.content) > 0
    with pytest.raises(requests.JSONDecodeError):
        half.json()


def test_a_connection_that_breaks_in_the_body(sign_alibaba: Sign, raw: Any, control: Control) -> None:
    control.fault("truncated", "dms", count=1, broken=True)
    answer = raw(sign_alibaba("ListUserTenants"))
    with pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    assert broken.value.partial


@pytest.mark.parametrize(("kind", "value"), [("null_status", None), ("status", "SLEEPING"), ("status", "")])
def test_a_raw_status_for_every_api(
    sign_alibaba: Sign, sign_huawei: Sign, send: Send, control: Control, kind: str, value: Any
) -> None:
    keys = {api: control.create_job(api, "drs-demo-1", seconds=600)["key"] for api in BY_ID}
    control.fault(kind, "poll", value=value, count=5)
    upload = send(sign_alibaba("GetUserUploadFileJob", JobKey=keys["dms.file_upload"])).json()
    assert upload["UploadFileJobDetail"]["JobStatus"] == value
    export = sign_alibaba("QueryDataTrackResultDownloadStatus", OrderId="1", DownloadKeyId="drs-demo-1")
    assert send(export).json()["StatusResult"]["DownloadStatus"] == value
    infos = send(sign_alibaba("GetUrlUploadInfos", "2020-11-09", JobIds="drs-demo-1")).json()
    assert infos["URLUploadInfoList"][0]["Status"] == value
    assert send(sign_huawei("GET", STATUS % "drs-demo-1")).json()["status"] == value
    template = "/v5/{project}/jobs/drs-demo-1/db-object/template/progress"
    assert send(sign_huawei("GET", template)).json()["process_status"] == value
    assert send(sign_huawei("GET", STATUS % "drs-demo-1")).json()["status"] == "LAUNCHING"


def test_count_after_seconds_and_order() -> None:
    board = FaultBoard()
    poll = Operation("huawei", "dli", "ShowSqlJobStatus", "poll", lambda call: None, "dli.sql_job")  # type: ignore[arg-type, return-value] # not called
    board.add(Fault("reset", "poll", count=2, after=1), now=0.0)
    board.add(Fault("html", "huawei", seconds=10.0), now=0.0)
    board.add(Fault("empty", "dms"), now=0.0)
    kinds = [fault.kind if fault else None for fault in (board.take(poll, moment) for moment in (1, 2, 3, 4, 11))]
    assert kinds == ["html", "reset", "reset", "html", None]
    assert [entry["kind"] for entry in board.list(11)] == ["empty"]
    with pytest.raises(ValueError, match="kind is one of"):
        Fault("explode")


def test_throttling_with_retry_after(sign_huawei: Sign, send: Send, control: Control) -> None:
    control.fault("throttle", "poll", retry_after=7, count=1)
    answer = send(sign_huawei("GET", STATUS % "x"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json()["error_code"] == "APIGW.0308"


def test_a_job_is_hastened_to_its_own_end(control: Control) -> None:
    key = control.create_job("dli.sql_job", end="fail", seconds=600, reason="no such table")["key"]
    assert control.job("dli.sql_job", key)["status"] == "LAUNCHING"
    job = control.hasten("dli.sql_job", key, 0)
    assert (job["status"], job["ended"], job["succeeded"]) == ("FAILED", True, False)


def test_faults_are_listed_and_cleared(control: Control) -> None:
    first = control.fault("reset", "submit", count=3)
    second = control.fault("html")
    assert [(fault["number"], fault["kind"], fault["struck"], fault["left"]) for fault in control.faults()] == [
        (first, "reset", 0, None),
        (second, "html", 0, None),
    ]
    control.clear_faults(first)
    assert [fault["number"] for fault in control.faults()] == [second]
    control.clear_faults()
    assert control.faults() == []
    control.fault("html", seconds=1000)
    assert 900 < control.faults()[0]["left"] <= 1000
    with pytest.raises(ControlError, match="kind is one of"):
        control.fault("explode")
    with pytest.raises(ControlError, match="unexpected keyword"):
        control.fault("reset", colour="red")


def test_a_login_can_be_throttled_too(cloud: LocalCloud, control: Control, send: Send) -> None:
    control.fault("throttle", "login", count=1)
    request = requests.Request("POST", cloud.url + "/v3/auth/tokens", data=json.dumps({})).prepare()
    assert send(request).status_code == 429
    assert send(request).json()["error"]["code"] == 400


def test_plans_script_submitted_jobs(sign_huawei: Sign, send: Send, control: Control) -> None:
    control.settings(job_seconds=600)
    control.plan("dli.sql_job", steps=[["RUNNING", 0], ["PAUSED", 0]], match="orders")
    control.plan("dli.sql_job", "fail", seconds=0, reason="no more disk", code="DLI.1")
    keys = [
        send(sign_huawei("POST", SUBMIT, {"sql": sql})).json()["job_id"]
        for sql in ("select * from users", "select * from orders", "select 1")
    ]
    shown = [send(sign_huawei("GET", STATUS % key)).json() for key in keys]
    assert [(each["status"], each["message"]) for each in shown] == [
        ("FAILED", "no more disk"),
        ("PAUSED", ""),
        ("LAUNCHING", ""),
    ]
    control.plan("ice.url_upload", "forever", count=None)
    control.clear_plans()
    with pytest.raises(ControlError, match="no such API"):
        control.plan("ice", "fail")


def test_jobs_are_made_and_moved_by_hand(sign_alibaba: Sign, send: Send, control: Control) -> None:
    made = control.create_job("dms.file_upload", "key 1/ü", "forever", fields={"FileName": "x.sql", "FileSize": 1000})
    assert (made["status"], made["ended"], made["fields"]["FileName"]) == ("INIT", False, "x.sql")

    def shown() -> Any:
        return send(sign_alibaba("GetUserUploadFileJob", JobKey="key 1/ü")).json()["UploadFileJobDetail"]

    assert shown()["FileSize"] == 1000
    control.set_status("dms.file_upload", "key 1/ü", "FAIL", reason="disk full")
    assert (shown()["JobStatus"], shown()["JobStatusDesc"]) == ("FAIL", "disk full")
    control.set_script("dms.file_upload", "key 1/ü", seconds=0)
    assert (shown()["JobStatus"], shown()["UploadedSize"]) == ("SUCCESS", 1000)
    control.set_status("dms.file_upload", "key 1/ü", None)
    assert shown()["JobStatus"] is None
    job = control.job("dms.file_upload", "key 1/ü")
    assert job["polls"] == 6
    assert [each["key"] for each in control.jobs("dms.file_upload")] == ["key 1/ü"]
    assert control.create_job("dli.sql_job")["key"]
    with pytest.raises(ControlError, match="404"):
        control.set_status("dms.file_upload", "nobody", "FAIL")
    with pytest.raises(ControlError, match="no such API"):
        control.create_job("dms")


def test_statistics(cloud: LocalCloud, sign_huawei: Sign, sign_alibaba: Sign, control: Control) -> None:
    with requests.Session() as session:
        session.trust_env = False
        key = session.send(sign_huawei("POST", SUBMIT, {"sql": "select 1"}), timeout=5).json()["job_id"]
        for _ in range(3):
            session.send(sign_huawei("GET", STATUS % key), timeout=5)
        session.send(sign_alibaba("ListUserTenants", secret="wrong"), timeout=5)
        stats = control.stats(tail=2)
        assert stats["connections"] == {"open": 1, "total": 1}
    assert stats["operations"]["ShowSqlJobStatus"] == {"calls": 3, "ok": 3, "refused": {}}
    refused = stats["operations"]["ListUserTenants"]["refused"]
    assert refused == {"SignatureDoesNotMatch": 1}
    assert stats["polls"] == {"dli.sql_job": {key: 3}}
    assert stats["submits"] == {"dli.sql_job": 1}
    assert [request["operation"] for request in stats["requests"]] == ["ShowSqlJobStatus", "ListUserTenants"]
    assert stats["requests"][0]["keys"] == [key]
    text = json.dumps(stats)
    assert accounts.HUAWEI_SECRET not in text
    assert "Signature=" not in text


def test_settings_and_reset(control: Control) -> None:
    before = control.settings()
    assert control.settings(job_seconds=1.5)["job_seconds"] == 1.5
    with pytest.raises(ControlError, match="no such setting"):
        control.settings(speed=2)
    control.skew_clock(100)
    control.create_job("dli.sql_job")
    control.reset()
    assert control.settings() == before
    assert control.jobs() == []
    assert control.stats()["operations"] == {}


def test_credentials_of_no_cloud(control: Control) -> None:
    with pytest.raises(ControlError, match="alibaba or huawei"):
        control.issue_credentials("azure")
    with pytest.raises(ControlError, match="404"):
        control.expire_credentials(accounts.HUAWEI_ACCESS_KEY)
