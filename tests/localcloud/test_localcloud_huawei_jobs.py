# SPDX-License-Identifier: Apache-2.0
"""The further job APIs of Huawei Cloud, each driven by the vendor's typed client, unchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import huaweicloudsdkdli.v1 as dli
import huaweicloudsdkmrs.v2 as mrs
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException

from airflow_cloudjobs.localcloud import Control, LocalCloud, accounts
from airflow_cloudjobs.localcloud.scripts import UNKNOWN_STATUS, VOCABULARIES

# The vendor has deprecated the one operation that says why a batch died.
pytestmark = pytest.mark.filterwarnings("ignore:Method 'show_spark_job_log':DeprecationWarning")

PROJECT = accounts.project_id("cn-north-4")
CLUSTER = "c-1"
NOBODY = "4711"


@dataclass(frozen=True)
class Driven:
    """One API as its typed client drives it.

    :param client: the class of the client.
    :param submit: submits a job with a text in its input; gives the key.
    :param show: the part of the poll's answer that is about a key.
    :param status: where that has the job's status.
    :param cancel: cancels the job of a key.
    :param unknown: HTTP status and code of the answer about an unknown key; None if it merely is not in the answer.
    :param bad: calls with bad parameters.
    :param why: what the API tells of a failed job, with its key; None if it tells nothing.
    :param late: the code of a cancel that comes too late; None if it is told inside of a success.
    """

    client: Any
    submit: Callable[[Any, str], Any]
    show: Callable[[Any, Any], Any]
    status: Callable[[Any], Any]
    cancel: Callable[[Any, Any], Any]
    unknown: tuple[int, str] | None
    bad: tuple[Callable[[Any], Any], ...]
    why: Callable[[Any, Any], str] | None
    late: str | None


def batch(text: str = "", **more: Any) -> Any:
    return dli.CreateSparkJobRequest(body=dli.CreateSparkJobRequestBody(file="app.jar", args=[text], **more))


def execution(text: str = "", name: str = "nightly", kind: str = "SparkSubmit", cluster: str = CLUSTER) -> Any:
    body = mrs.JobExecution(job_type=kind, job_name=name, arguments=[text])
    return mrs.CreateExecuteJobRequest(cluster_id=cluster, body=body)


def executed(client: Any, key: str, cluster: str = CLUSTER) -> Any:
    asked = mrs.ShowSingleJobExeRequest(cluster_id=cluster, job_execution_id=key)
    return client.show_single_job_exe(asked).job_detail


APIS = {
    "dli.spark_batch": Driven(
        client=dli.DliClient,
        submit=lambda client, text: client.create_spark_job(batch(text)).id,
        show=lambda client, key: client.show_spark_job_status(dli.ShowSparkJobStatusRequest(batch_id=key)),
        status=lambda shown: shown.state,
        cancel=lambda client, key: client.cancel_spark_job(dli.CancelSparkJobRequest(batch_id=key)),
        unknown=(400, "DLI.0002"),
        bad=(
            lambda client: client.create_spark_job(dli.CreateSparkJobRequest(body={"name": "no file"})),
            lambda client: client.create_spark_job(batch(name="n" * 129)),
            lambda client: client.list_spark_jobs(dli.ListSparkJobsRequest(state="done")),
            lambda client: client.list_spark_jobs(dli.ListSparkJobsRequest(order="size")),
            lambda client: client.list_spark_jobs(dli.ListSparkJobsRequest(size="many")),
        ),
        why=lambda client, key: client.show_spark_job_log(dli.ShowSparkJobLogRequest(batch_id=key)).log[-1],
        late="DLI.0007",
    ),
    "mrs.job": Driven(
        client=mrs.MrsClient,
        submit=lambda client, text: client.create_execute_job(execution(text)).job_submit_result.job_id,
        show=executed,
        status=lambda shown: shown.job_result,
        cancel=lambda client, key: client.stop_job(mrs.StopJobRequest(cluster_id=CLUSTER, job_execution_id=key)),
        unknown=(400, "0162"),
        bad=(
            lambda client: client.create_execute_job(execution(name="a b")),
            lambda client: client.create_execute_job(execution(kind="Pig")),
            lambda client: client.create_execute_job(mrs.CreateExecuteJobRequest(cluster_id=CLUSTER, body={})),
        ),
        why=None,
        late="0175",
    ),
}

Made = Callable[[str], Any]


@pytest.fixture
def made(cloud: LocalCloud) -> Made:
    """Makes the typed client of an API."""

    def make(api: str) -> Any:
        credentials = BasicCredentials(accounts.HUAWEI_ACCESS_KEY, accounts.HUAWEI_SECRET, PROJECT)
        return APIS[api].client.new_builder().with_credentials(credentials).with_endpoint(cloud.url).build()

    return make


def refusal(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(ClientRequestException) as refused:
        call()
    return refused.value.status_code, refused.value.error_code


def walked(api: Driven, client: Any, key: Any, *ends: Any) -> list[Any]:
    """The statuses that a job shows one after another, until one of the ends; each poll is a second of its life."""
    seen: list[Any] = []
    for _ in range(20):
        status = api.status(api.show(client, key))
        seen.extend([status] if [status] != seen[-1:] else [])
        if status in ends:
            return seen
    raise AssertionError(f"no end in {seen}")


@pytest.mark.parametrize("name", APIS)
def test_a_job_walks_to_its_success(name: str, made: Made, control: Control) -> None:
    api, client, words = APIS[name], made(name), VOCABULARIES[name]
    control.settings(job_seconds=10)
    key = api.submit(client, "orders")
    seen = walked(api, client, key, *words.ends)
    assert seen == [*(word for word, _ in words.running), words.success]
    stats = control.stats()
    assert stats["submits"] == {name: 1}
    assert stats["polls"] == {name: {str(key): 11}}
    assert control.job(name, str(key))["succeeded"]


@pytest.mark.parametrize("name", APIS)
def test_a_job_fails_and_says_why(name: str, made: Made, control: Control) -> None:
    api, client, words = APIS[name], made(name), VOCABULARIES[name]
    for text, reason in (
        ("localcloud=fail", words.reason),
        ("s3/missing.csv", words.missing.replace("{thing}", "s3/missing.csv")),
    ):
        key = api.submit(client, text)
        assert walked(api, client, key, *words.ends)[-1] == words.failure
        if api.why is not None:
            assert reason in api.why(client, key)
    control.plan(name, "fail", reason="because of a plan")
    key = api.submit(client, "orders")
    assert walked(api, client, key, *words.ends)[-1] == words.failure
    assert api.why is None or "because of a plan" in api.why(client, key)


@pytest.mark.parametrize("name", APIS)
def test_a_job_is_cancelled_once(name: str, made: Made, control: Control) -> None:
    api, client, words = APIS[name], made(name), VOCABULARIES[name]
    key = api.submit(client, "localcloud=forever")
    api.cancel(client, key)
    seen = walked(api, client, key, *words.ends)
    assert seen[-1] == words.cancelled
    assert len(seen) > 1, "a job is not cancelled at once"
    assert control.stats()["cancels"] == {name: 1}
    if api.late is not None:
        assert refusal(lambda: api.cancel(client, key)) == (400, api.late)
    assert control.stats()["cancels"] == {name: 1}


@pytest.mark.parametrize("name", APIS)
def test_an_unknown_key(name: str, made: Made, control: Control) -> None:
    api, client = APIS[name], made(name)
    if api.unknown is None:
        assert api.show(client, NOBODY) is None
    else:
        assert refusal(lambda: api.show(client, NOBODY)) == api.unknown
        assert refusal(lambda: api.cancel(client, NOBODY)) == api.unknown
    assert control.stats()["cancels"] == {}


@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name, api in APIS.items() for number in range(len(api.bad))]
)
def test_bad_parameters(name: str, number: int, made: Made, control: Control) -> None:
    status, code = refusal(lambda: APIS[name].bad[number](made(name)))
    assert status == 400
    assert code
    assert control.jobs() == []


@pytest.mark.parametrize("name", APIS)
def test_a_job_that_the_control_api_made(name: str, made: Made, control: Control) -> None:
    api, client, words = APIS[name], made(name), VOCABULARIES[name]
    control.create_job(name, NOBODY, seconds=2)
    assert walked(api, client, NOBODY, *words.ends)[-1] == words.success
    assert control.stats()["submits"] in ({}, {name: 0})
    control.create_job(name, "4712", "fail", seconds=0, reason="of its own")
    assert walked(api, client, "4712", *words.ends) == [words.failure]
    assert api.why is None or "of its own" in api.why(client, "4712")


@pytest.mark.parametrize("name", APIS)
def test_statuses_that_nobody_knows(name: str, made: Made, control: Control) -> None:
    api, client = APIS[name], made(name)
    key = api.submit(client, "localcloud=unknown localcloud.seconds=0")
    assert api.status(api.show(client, key)) == UNKNOWN_STATUS
    control.fault("null_status", name, count=1)
    assert api.status(api.show(client, key)) is None
    control.plan(name, steps=[["wOrD", 1]])
    assert api.status(api.show(client, api.submit(client, "orders"))) == "wOrD"


def test_spark_batches_are_listed(made: Made, control: Control) -> None:
    client = made("dli.spark_batch")
    keys = [client.create_spark_job(batch(name=name, queue="spark")).id for name in ("a", "b", "a")]

    def found(**asked: Any) -> list[str]:
        return [job.id for job in client.list_spark_jobs(dli.ListSparkJobsRequest(**asked)).sessions]

    assert found() == keys[::-1]
    assert found(order="CREATE_TIME_ASC") == keys
    assert found(job_name="a") == [keys[2], keys[0]]
    assert found(job_name="b") == found(job_id=keys[1]) == [keys[1]]
    assert found(queue_name="spark", _from=1, size=1) == [keys[1]]
    assert found(cluster_name="other") == []
    assert found(state="success") == []
    control.set_status("dli.spark_batch", keys[0], "success")
    assert found(state="success") == [keys[0]]
    listed = client.list_spark_jobs(dli.ListSparkJobsRequest(size=1))
    assert (listed.total, len(listed.sessions), listed.sessions[0].name) == (3, 1, "a")


def test_a_cancelled_spark_batch_tells_so_in_its_log_only(made: Made) -> None:
    api, client = APIS["dli.spark_batch"], made("dli.spark_batch")
    key = api.submit(client, "localcloud=forever")
    assert api.cancel(client, key).msg == "deleted"
    walked(api, client, key, "dead")
    assert api.why is not None
    assert api.why(client, key) == "ERROR ApplicationMaster: The batch has been cancelled."
    shown = client.show_spark_job(dli.ShowSparkJobRequest(batch_id=key))
    assert (shown.state, shown.log[-1]) == ("dead", api.why(client, key))
    page = client.show_spark_job_log(dli.ShowSparkJobLogRequest(batch_id=key, _from=1, size=5))
    assert (page._from, page.total, page.log) == (1, 2, [api.why(client, key)])


def test_words_in_another_case_end_a_spark_batch(made: Made, control: Control) -> None:
    api, client = APIS["dli.spark_batch"], made("dli.spark_batch")
    control.plan("dli.spark_batch", steps=[["starting", 1], ["Success"]])
    key = api.submit(client, "orders")
    assert walked(api, client, key, "Success") == ["starting", "Success"]
    assert control.job("dli.spark_batch", key)["succeeded"]


def test_the_state_of_an_mrs_job_does_not_tell_how_it_went(made: Made, control: Control) -> None:
    client = made("mrs.job")
    for end, result in (("success", "SUCCEEDED"), ("fail", "FAILED"), ("cancelled", "KILLED")):
        control.create_job("mrs.job", end, end, seconds=0)
        shown = executed(client, end)
        assert (shown.job_state, shown.job_result) == ("FINISHED", result)
    control.fault("status", "ShowSingleJobExe", value="UNDEFINED", count=1)
    shown = executed(client, "success")
    assert (shown.job_state, shown.job_result) == ("FINISHED", "UNDEFINED")
    control.create_job("mrs.job", "new", seconds=10)
    states = [executed(client, "new").job_state for _ in range(11)]
    assert list(dict.fromkeys(states)) == ["NEW", "NEW_SAVING", "SUBMITTED", "ACCEPTED", "RUNNING", "FINISHED"]


@pytest.mark.parametrize("by_plan", [True, False])
def test_an_mrs_job_that_is_not_taken(made: Made, control: Control, by_plan: bool) -> None:
    client = made("mrs.job")
    if by_plan:
        control.plan("mrs.job", "refused")
    result = client.create_execute_job(execution("" if by_plan else "localcloud=refused")).job_submit_result
    assert result.state == "FAILED"
    assert control.jobs() == []
    assert control.stats()["submits"] == {}
    assert refusal(lambda: executed(client, result.job_id)) == (400, "0162")
    assert client.create_execute_job(execution()).job_submit_result.state == "COMPLETE"


def test_an_mrs_job_belongs_to_its_cluster(made: Made) -> None:
    client = made("mrs.job")
    key = APIS["mrs.job"].submit(client, "orders")
    assert refusal(lambda: executed(client, key, "c-2")) == (400, "0162")
    assert refusal(lambda: client.create_execute_job(execution(cluster="missing"))) == (404, "MRS.0010")
