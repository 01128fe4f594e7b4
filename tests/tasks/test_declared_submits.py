# SPDX-License-Identifier: Apache-2.0
"""How many jobs a cloud takes for an API that is data: with a token, with a mark, with neither.

A small cloud of its own on localhost stands for one that knows tokens: it answers a submit with a token that it has
seen with the same job, as the vendors' pages say, and does not look at signatures, which other tests do.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import taskbench
from support.declared import DLI_SQL, DMS_UPLOAD, TWINS

from airflow_cloudjobs.alibaba.jobs import AlibabaJobOperator, AlibabaJobSensor
from airflow_cloudjobs.api import Call, JobApi
from airflow_cloudjobs.apis import declared_api
from airflow_cloudjobs.exceptions import (
    JobFailed,
    JobOutcomeUnknown,
    LookUpFailed,
    SubmitFailed,
    SubmitOutcomeUnknown,
    TaskRefused,
)
from airflow_cloudjobs.huawei.jobs import HuaweiJobOperator
from airflow_cloudjobs.localcloud import Control
from airflow_cloudjobs.submit import STORED

SPARK = JobApi(
    "emr.spark_job",
    "emr-serverless-spark@2023-08-08",
    submit=Call("StartJobRun POST /api/v1/workspaces/{workspaceId}/jobRuns", body={"clientToken": "{token}"}),
    key="jobRunId",
    poll="GetJobRun GET /api/v1/workspaces/{workspaceId}/jobRuns/{key}",
    job="jobRun",
    status="state",
    running="Submitted Pending Running",
    succeeded="Success",
    failed="Failed",
    cancelled="Cancelled",
    cancel="CancelJobRun DELETE /api/v1/workspaces/{workspaceId}/jobRuns/{key}",
)
PARAMETERS = {"workspaceId": "w-1", "name": "daily", "jobDriver": {"sparkSubmit": {"entryPoint": "oss://b/a.py"}}}


class Spark:
    """A cloud that knows tokens.

    :ivar jobs: token -> what was submitted with it, and the states that it shows, the last one for ever.
    :ivar answers: what the next submits are answered instead; ``lost`` after the job was taken, or a status and a code.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.submits: list[str] = []
        self.cancelled: list[str] = []
        self.answers: list[str | tuple[int, str]] = []
        self.ends: list[str] = []

    def submit(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        token = body["clientToken"]
        self.submits.append(token)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, tuple):
            return answer[0], {"Code": answer[1], "Message": "not now"}
        if token in self.jobs and self.jobs[token]["body"] != body:
            return 400, {"Code": "IdempotentParameterMismatch", "Message": "another request has this token"}
        end = self.ends.pop(0) if self.ends and token not in self.jobs else "Success"
        job = self.jobs.setdefault(token, {"id": f"jr-{len(self.jobs)}", "body": body, "states": ["Running", end]})
        if answer == "lost":
            return 504, {"Code": "GatewayTimeout", "Message": "lost"}
        return 200, {"jobRunId": job["id"], "requestId": "r-1"}

    def state(self, key: str) -> str | None:
        for job in self.jobs.values():
            if job["id"] == key:
                states: list[str] = job["states"]
                return states.pop(0) if len(states) > 1 else states[0]
        return None


@pytest.fixture
def spark(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spark]:
    """The cloud, with the default connection to it."""
    cloud = Spark()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, data: dict[str, Any]) -> None:
            text = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path.rstrip("?") == "/api/v1/workspaces/w-1/jobRuns"
            assert self.headers["x-acs-version"] == "2023-08-08"
            self.answer(*cloud.submit(body))

        def do_GET(self) -> None:
            state = cloud.state(self.path.rstrip("?").rpartition("/")[2])
            self.answer(200, {"jobRun": {"state": state} if state else None, "requestId": "r-2"})

        def do_DELETE(self) -> None:
            cloud.cancelled.append(self.path.rstrip("?").rpartition("/")[2])
            self.answer(200, {"requestId": "r-3"})

        def log_message(self, *args: Any) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        connection = {
            "conn_type": "alibaba_cloudjobs",
            "login": "key",
            "password": "secret",
            "host": "127.0.0.1",
            "port": server.server_port,
            "schema": "http",
            "extra": {"region": "cn-hangzhou"},
        }
        monkeypatch.setenv("AIRFLOW_CONN_ALIBABACLOUD_DEFAULT", json.dumps(connection))
        yield cloud
        server.shutdown()


class Attempts(taskbench.Attempts):
    """The same for a task of these tests.

    :param store: False for an Airflow without a store for tasks.
    """

    def __init__(self, store: bool = True, cls: Any = AlibabaJobOperator, **arguments: Any) -> None:
        arguments = {"api": SPARK, "parameters": PARAMETERS, **arguments}
        super().__init__(lambda: cls(task_id="t", poll_interval=0.03, **arguments), store=store)


@pytest.fixture(autouse=True)
def impatient_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """A submit is made again at once."""
    monkeypatch.setattr("airflow_cloudjobs.submit.LOOKS", (0.0, 0.01, 0.02, 0.03))


def test_a_lost_answer_is_one_job(spark: Spark) -> None:
    spark.answers = ["lost", "lost"]
    assert Attempts().run()["job_key"] == "jr-0"
    assert (len(spark.submits), len(spark.jobs)) == (3, 1)


@pytest.mark.parametrize("store", [True, False])
def test_a_retry_makes_the_same_submit_again(spark: Spark, store: bool) -> None:
    attempts = Attempts(store)
    spark.answers = ["lost"] * 3
    with pytest.raises(LookUpFailed, match="which the cloud takes once"):
        attempts.run()
    assert attempts.run()["job_key"] == "jr-0"
    assert (len(spark.submits), len(spark.jobs)) == (4, 1)


@pytest.mark.parametrize("store", [True, False])
def test_after_a_failed_job_a_retry_gets_another_one(spark: Spark, store: bool) -> None:
    """With the same token the cloud would give the failed one for ever."""
    attempts = Attempts(store)
    spark.ends = ["Failed", "Failed", "Success"]
    for _ in range(2):
        with pytest.raises(JobFailed):
            attempts.run()
    result = attempts.run()
    assert (result["outcome"], result["job_key"]) == ("succeeded", "jr-2")
    assert len(spark.jobs) == 3


def test_an_answer_that_is_lost_after_a_failed_job_is_one_more_job(spark: Spark) -> None:
    attempts = Attempts()
    spark.ends = ["Failed", "Success"]
    with pytest.raises(JobFailed):
        attempts.run()
    spark.answers = ["lost"] * 3
    with pytest.raises(LookUpFailed):
        attempts.run()
    assert attempts.run()["job_key"] == "jr-1"
    assert len(spark.jobs) == 2


@pytest.mark.parametrize("store", [True, False])
def test_a_cleared_task_gets_another_job(spark: Spark, store: bool) -> None:
    attempts = Attempts(store)
    attempts.run()
    attempts.ti.max_tries += 1
    assert attempts.run()["job_key"] == "jr-1"


def test_other_parameters_under_the_same_token_are_no_refusal(spark: Spark) -> None:
    """Its job runs, submitted by the attempt before: the task must not say that nothing was started."""
    names = iter(["a", "b"])
    attempts = Attempts()
    attempts.make = lambda: AlibabaJobOperator(
        task_id="t", api=SPARK, parameters={"workspaceId": "w-1", "name": next(names)}
    )
    spark.answers = ["lost"] * 3
    with pytest.raises(LookUpFailed):
        attempts.run()
    with pytest.raises(SubmitOutcomeUnknown, match=r"IdempotentParameterMismatch.*earlier submit may have been taken"):
        attempts.run()
    assert len(spark.jobs) == 1
    assert attempts.store
    assert attempts.store[STORED]["keys"] == []


def test_a_token_that_is_known_is_no_refusal_either_where_nothing_is_remembered(spark: Spark) -> None:
    spark.answers = ["lost"] * 3
    with pytest.raises(LookUpFailed):
        Attempts().run()
    with pytest.raises(SubmitOutcomeUnknown, match="IdempotentParameterMismatch"):
        Attempts(parameters={**PARAMETERS, "name": "other"}).run()
    spark.answers = [(400, "IdempotentProcessing")]
    with pytest.raises(LookUpFailed, match="IdempotentProcessing"):
        Attempts().run()
    assert len(spark.jobs) == 1


def test_a_repeat_that_is_refused_says_nothing_of_the_first(spark: Spark) -> None:
    spark.answers = ["lost", (403, "Forbidden.RAM")]
    with pytest.raises(SubmitOutcomeUnknown, match="may have been taken"):
        Attempts().run()


@pytest.mark.parametrize(
    ("answer", "error"), [((400, "InvalidParameter"), TaskRefused), ((503, "Throttling.User"), SubmitFailed)]
)
def test_a_first_refusal_is_one(
    spark: Spark, answer: tuple[int, str], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_cloudjobs.hook.CALL_BACKOFF", type("Never", (), {"after": lambda *_: 1e9})())
    attempts = Attempts()
    spark.answers = [answer]
    with pytest.raises(error):
        attempts.run()
    assert attempts.store == {}


def test_a_token_is_not_trusted_for_ever(spark: Spark, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = Attempts()
    spark.answers = ["lost"] * 3
    with pytest.raises(LookUpFailed):
        attempts.run()
    monkeypatch.setattr("airflow_cloudjobs.submit.TOKEN_LIFE", 0.0)
    time.sleep(0.01)
    with pytest.raises(SubmitOutcomeUnknown, match="no way to look it up"):
        attempts.run()


def test_not_durable_is_a_new_token_each_time(spark: Spark) -> None:
    attempts = Attempts(durable=False)
    attempts.run()
    attempts.run()
    assert len(spark.jobs) == 2
    spark.answers = ["lost"] * 3
    with pytest.raises(SubmitOutcomeUnknown):
        attempts.run()
    assert len(spark.jobs) == 3


def test_the_token_is_the_apis_to_fill(spark: Spark) -> None:
    with pytest.raises(
        ValueError, match=r"argument 'parameters' has 'clientToken', which emr\.spark_job fills in itself"
    ):
        Attempts(parameters={**PARAMETERS, "clientToken": "mine"}).run()
    assert spark.submits == []


def test_a_parameter_of_the_wait_is_missed_before_the_submit(spark: Spark) -> None:
    api = JobApi.from_dict({**SPARK.as_dict(), "poll": "GetJobRun GET /api/v1/{region2}/jobRuns/{key}"})
    with pytest.raises(
        ValueError, match=r"argument 'parameters' lacks 'region2', which the wait of emr\.spark_job needs"
    ):
        Attempts(api=api).run()
    attempts = Attempts(api=api, parameters={**PARAMETERS, "region2": "{{ '../x' }}"})
    with pytest.raises(TaskRefused, match=r"'region2' is '\.\./x', which cannot stand in a path"):
        attempts.run()
    assert spark.submits == []


@pytest.mark.parametrize("store", [True, False])
def test_a_cloud_that_refuses_a_name_twice_has_one_job(store: bool, control: Control) -> None:
    """A function's tasks are named by the token; the second of a name is refused with HTTP 409."""
    attempts = Attempts(store, api=declared_api("fc.async_task"), parameters={"functionName": "f"})
    control.fault("http", "submit", status=504, after_commit=True, count=1)
    assert attempts.run()["outcome"] == "succeeded"
    assert len(control.jobs("fc.async_task")) == 1


def test_a_refusal_of_a_name_that_is_not_there_is_told(control: Control) -> None:
    attempts = Attempts(api=declared_api("fc.async_task"), parameters={"functionName": "f"})
    control.fault("http", "submit", status=504, count=1)
    control.fault("http", "submit", status=400, count=1)
    with pytest.raises(SubmitOutcomeUnknown, match="may have been taken"):
        attempts.run()
    assert control.jobs("fc.async_task") == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"key": "id"}, r"names no job \(it has jobRunId\)"),
        ({"status": "status"}, r"undocumented status '' \(no 'status' in state\)"),
    ],
)
def test_a_path_that_leads_nowhere_is_told_with_what_is_there(wrong: dict[str, Any], told: str, spark: Spark) -> None:
    with pytest.raises((SubmitOutcomeUnknown, JobOutcomeUnknown), match=told):
        Attempts(api=JobApi.from_dict({**SPARK.as_dict(), **wrong})).run()


def test_a_job_that_is_not_where_it_should_be_is_told_with_what_is_there(spark: Spark) -> None:
    api = JobApi.from_dict({**SPARK.as_dict(), "job": "run"})
    sensed = Attempts()
    sensed.run()
    sensed.make = lambda: AlibabaJobSensor(task_id="t", api=api, key="jr-0", parameters=PARAMETERS)
    with pytest.raises(JobOutcomeUnknown, match=r"does not know this job \(its answer has jobRun\)"):
        sensed.run()


@pytest.mark.parametrize("twin", [one for one in TWINS if one.api is DLI_SQL], ids=str)
def test_a_mark_finds_the_job(twin: Any, control: Control) -> None:
    control.fault("http", "submit", status=504, after_commit=True, count=1)
    attempts = Attempts(cls=HuaweiJobOperator, api=twin.api, parameters=twin.new)
    assert attempts.run()["outcome"] == "succeeded"
    assert len(control.jobs(twin.api.api)) == 1
    tags = control.jobs(twin.api.api)[0]["fields"]["tags"]
    assert [tag["key"] for tag in tags] == ["airflow_job"]


def test_with_neither_a_person_is_asked(control: Control) -> None:
    control.fault("http", "submit", status=504, after_commit=True, count=1)
    attempts = Attempts(api=DMS_UPLOAD, parameters=TWINS[0].new)
    for _ in range(2):
        with pytest.raises(SubmitOutcomeUnknown):
            attempts.run()
    assert len(control.jobs(DMS_UPLOAD.api)) == 1


def fc_attempts(store: bool = True) -> Attempts:
    return Attempts(store, api="fc.async_task", parameters={"functionName": "thumbnails"})


@pytest.mark.parametrize("store", [True, False])
def test_a_key_of_the_callers_own_is_looked_at(store: bool, control: Control) -> None:
    """Function Compute refuses a key that it has: the job is there, and is this task's."""
    control.fault("http", "submit", status=504, after_commit=True, count=1)
    result = fc_attempts(store).run()
    assert result["outcome"] == "succeeded"
    assert [job["key"] for job in control.jobs("fc.async_task")] == [result["job_key"]]


@pytest.mark.parametrize("store", [True, False])
def test_a_retry_finds_the_key_of_the_callers_own(store: bool, control: Control) -> None:
    """Neither the answer nor the look that follows got through, and the attempt ended with that."""
    lost = {"status": 504, "count": 9}
    control.fault("http", "InvokeFunction", after_commit=True, **lost)
    control.fault("http", "GetAsyncTask", **lost)
    attempts = fc_attempts(store)
    with pytest.raises(LookUpFailed):
        attempts.run()
    control.clear_faults()
    assert attempts.run()["outcome"] == "succeeded"
    assert len(control.jobs("fc.async_task")) == 1


@pytest.mark.parametrize("store", [True, False])
def test_after_a_failed_job_the_callers_key_is_another(store: bool, control: Control) -> None:
    control.plan("fc.async_task", "fail")
    attempts = fc_attempts(store)
    with pytest.raises(JobFailed):
        attempts.run()
    result = attempts.run()
    assert (result["outcome"], result["job_key"][-2:]) == ("succeeded", "-1")
    assert len(control.jobs("fc.async_task")) == 2


def test_a_refusal_of_a_key_that_nobody_has_stays_one(control: Control) -> None:
    control.fault("http", "submit", status=403, code="AccessDenied", count=1)
    with pytest.raises(TaskRefused, match="AccessDenied"):
        fc_attempts().run()
    assert control.jobs("fc.async_task") == []


def test_a_submit_that_was_not_taken_is_not_in_doubt(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """Throttled, as the look that follows is: nothing was taken, so the next attempt submits, however late it comes."""
    monkeypatch.setattr("airflow_cloudjobs.submit.CALL_PATIENCE", 0.0)
    control.fault("throttle", "submit")
    control.fault("throttle", "poll", count=3)
    attempts = fc_attempts()
    with pytest.raises(SubmitFailed):
        attempts.run()
    control.clear_faults()
    assert attempts.run()["outcome"] == "succeeded"
    assert len(control.jobs("fc.async_task")) == 1


def test_a_key_of_the_callers_own_is_found_long_after(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is not trusted for ever, and a job that has our key is ours at any time."""
    control.fault("http", "InvokeFunction", after_commit=True, status=504, count=9)
    control.fault("http", "GetAsyncTask", status=504, count=9)
    attempts = fc_attempts()
    with pytest.raises(LookUpFailed):
        attempts.run()
    control.clear_faults()
    monkeypatch.setattr("airflow_cloudjobs.submit.TOKEN_LIFE", -1.0)
    assert attempts.run()["outcome"] == "succeeded"
    assert len(control.jobs("fc.async_task")) == 1
