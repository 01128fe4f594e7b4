# SPDX-License-Identifier: Apache-2.0
"""The further job APIs of Huawei Cloud, each driven by the vendor's typed client, unchanged."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import huaweicloudsdkcdm.v1 as cdm
import huaweicloudsdkdgc.v1 as dgc
import huaweicloudsdkdli.v1 as dli
import huaweicloudsdkdrs.v3 as drs
import huaweicloudsdkfunctiongraph.v2 as fgs
import huaweicloudsdkmodelarts.v1 as modelarts
import huaweicloudsdkmrs.v2 as mrs
import huaweicloudsdkoms.v2 as oms
import pytest
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException

from airflow_cloudjobs.localcloud import Control, LocalCloud, accounts
from airflow_cloudjobs.localcloud.control import ControlError
from airflow_cloudjobs.localcloud.scripts import UNKNOWN_STATUS, VOCABULARIES

# The vendor has deprecated the one operation that says why a batch died, and all of DRS v3.
pytestmark = pytest.mark.filterwarnings("ignore:Method '(show_spark_job_log|batch_.*)' of:DeprecationWarning")

PROJECT = accounts.project_id("cn-north-4")
CLUSTER = "c-1"
NOBODY = "4711"
JOB = "orders"
SPACE = "w-1"
URN = f"urn:fss:cn-north-4:{PROJECT}:function:default:resize:latest"
TASKS = (f"drs-demo-{number}" for number in itertools.count())


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


def started(text: str = "", name: str = JOB, cluster: str = CLUSTER) -> Any:
    return cdm.StartJobRequest(cluster_id=cluster, job_name=name, body=cdm.CdmStartJobReq(variables={"day": text}))


def submissions(client: Any, name: str = JOB, cluster: str = CLUSTER) -> list[Any]:
    found: list[Any] = client.show_job_status(cdm.ShowJobStatusRequest(cluster_id=cluster, job_name=name)).submissions
    return found


def stopped(client: Any, name: str = JOB) -> list[Any]:
    asked = cdm.StopJobRequest(cluster_id=CLUSTER, job_name=name)
    told: list[Any] = client.stop_job(asked).validation_result
    return told


def once(text: str = "", name: str = JOB, space: str | None = SPACE) -> Any:
    body = dgc.StartJobReq(job_params=[dgc.JobParam(name="day", value=text)])
    return dgc.RunOnceRequest(workspace=space, job_name=name, body=body)


def instance(client: Any, key: Any, space: str | None = SPACE, name: str = JOB) -> Any:
    asked = dgc.ShowJobInstanceRequest(workspace=space, job_name=name, instance_id=str(key))
    return client.show_job_instance(asked)


def instance_stopped(client: Any, key: Any) -> Any:
    asked = dgc.StopJobInstanceRequest(workspace=SPACE, job_name=JOB, instance_id=str(key))
    return client.stop_job_instance(asked)


def training(text: str = "", name: str = "train") -> Any:
    metadata = modelarts.JobMetadata(name=name, description=text)
    return modelarts.CreateTrainingJobRequest(body=modelarts.Job(kind="job", metadata=metadata))


def training_stopped(client: Any, key: str, action: str = "terminate") -> Any:
    body = modelarts.JobActionType(action_type=action)
    return client.stop_training_job(modelarts.StopTrainingJobRequest(training_job_id=key, body=body))


def migration(text: str = "", kind: str = "object", bucket: str | None = "to") -> Any:
    source = oms.SrcNodeReq(region="cn-north-4", ak="AK-SRC", sk="SK-SRC", bucket="from", object_key=[text])
    target = oms.DstNodeReq(region="cn-north-4", ak="AK-DST", sk="SK-DST", bucket=bucket)
    return oms.CreateTaskRequest(body=oms.CreateTaskReq(task_type=kind, src_node=source, dst_node=target))


def task(client: Any, key: Any) -> Any:
    return client.show_task(oms.ShowTaskRequest(task_id=key))


def replication(client: Any, *keys: str, text: str = "") -> list[Any]:
    jobs = [drs.StartInfo(job_id=key, start_time=text) for key in keys]
    results: list[Any] = client.batch_start_jobs(
        drs.BatchStartJobsRequest(body=drs.BatchStartJobReq(jobs=jobs))
    ).results
    return results


def replicated(client: Any, text: str) -> str:
    key = next(TASKS)
    assert replication(client, key, text=text)[0].status == "success"
    return key


def replications(client: Any, *keys: str, **page: int) -> list[Any]:
    body = drs.BatchQueryJobReqPage(jobs=list(keys), page_req=drs.PageReq(**page) if page else None)
    results: list[Any] = client.batch_list_job_status(drs.BatchListJobStatusRequest(body=body)).results
    return results


def paused(client: Any, *keys: str, mode: str = "all") -> list[Any]:
    jobs = [drs.PauseInfo(job_id=key, pause_mode=mode) for key in keys]
    results: list[Any] = client.batch_stop_jobs(drs.BatchStopJobsRequest(body=drs.BatchPauseJobReq(jobs=jobs))).results
    return results


def invoked(text: str = "", urn: str = URN) -> Any:
    return fgs.AsyncInvokeFunctionRequest(function_urn=urn, body={"event": text})


def invocations(client: Any, urn: str = URN, **asked: Any) -> list[Any]:
    found: list[Any] = client.list_async_invocations(
        fgs.ListAsyncInvocationsRequest(function_urn=urn, **asked)
    ).invocations
    return found


def invocation_cancelled(client: Any, key: str, how: str = "force") -> Any:
    body = fgs.CancelAsyncInvocationRequestBody(request_id=key, type=how)
    return client.cancel_async_invocation(fgs.CancelAsyncInvocationRequest(function_urn=URN, body=body))


def the(found: list[Any], field: str, key: Any) -> Any:
    """The one item of a list that a key names, None if there is none."""
    chosen = [item for item in found if str(getattr(item, field)) == str(key)]
    assert len(chosen) <= 1
    return chosen[0] if chosen else None


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
    "cdm.job": Driven(
        client=cdm.CdmClient,
        submit=lambda client, text: client.start_job(started(text)).submissions[0].submission_id,
        show=lambda client, key: the(submissions(client), "submission_id", key),
        status=lambda shown: shown.status,
        cancel=lambda client, key: stopped(client),
        unknown=None,
        bad=(
            lambda client: client.start_job(cdm.StartJobRequest(CLUSTER, JOB, body={"variables": []})),
            lambda client: client.start_job(started(name="missing")),
            lambda client: submissions(client, "missing"),
            lambda client: stopped(client, "missing"),
        ),
        why=lambda client, key: the(submissions(client), "submission_id", key).error_summary,
        late=None,
    ),
    "dataarts.job": Driven(
        client=dgc.DgcClient,
        submit=lambda client, text: client.run_once(once(text)).instance_id,
        show=instance,
        status=lambda shown: shown.status,
        cancel=instance_stopped,
        unknown=(400, "DLF.0137"),
        bad=(
            lambda client: client.run_once(once(name="missing")),
            lambda client: client.run_once(dgc.RunOnceRequest(job_name=JOB, body={"jobParams": "day"})),
            lambda client: client.run_once(dgc.RunOnceRequest(job_name=JOB, body={"jobParams": [{"value": "v"}]})),
        ),
        why=None,
        late="DLF.0138",
    ),
    "modelarts.training": Driven(
        client=modelarts.ModelArtsClient,
        submit=lambda client, text: client.create_training_job(training(text)).metadata.id,
        show=lambda client, key: client.show_training_job_details(modelarts.ShowTrainingJobDetailsRequest(key)),
        status=lambda shown: shown.status.phase,
        cancel=training_stopped,
        unknown=(404, "ModelArts.0105"),
        bad=(
            lambda client: client.create_training_job(training(name="a b")),
            lambda client: client.create_training_job(modelarts.CreateTrainingJobRequest(body={"kind": "job"})),
            lambda client: client.create_training_job(
                modelarts.CreateTrainingJobRequest(body={"kind": "meal", "metadata": {"name": "a"}})
            ),
            lambda client: training_stopped(client, NOBODY, "pause"),
        ),
        why=lambda client, key: (
            client.show_training_job_details(modelarts.ShowTrainingJobDetailsRequest(key))
            .status.task_statuses[0]
            .message
        ),
        late="ModelArts.0106",
    ),
    "oms.task": Driven(
        client=oms.OmsClient,
        submit=lambda client, text: client.create_task(migration(text)).id,
        show=task,
        status=lambda shown: shown.status,
        cancel=lambda client, key: client.stop_task(oms.StopTaskRequest(task_id=key)),
        unknown=(400, "S3M.0054"),
        bad=(
            lambda client: client.create_task(migration(kind="bucket")),
            lambda client: client.create_task(migration(bucket=None)),
            lambda client: client.create_task(oms.CreateTaskRequest(body={"src_node": {"bucket": "b"}})),
            lambda client: task(client, "seven"),
        ),
        why=lambda client, key: task(client, key).error_reason.error_msg,
        late="S3M.0070",
    ),
    "drs.migration": Driven(
        client=drs.DrsClient,
        submit=replicated,
        show=lambda client, key: the(replications(client, key), "id", key),
        status=lambda shown: shown.status,
        cancel=lambda client, key: paused(client, key),
        unknown=None,
        bad=(
            lambda client: replication(client),
            lambda client: replications(client),
            lambda client: replications(client, "a", per_page=101),
            lambda client: replications(client, "a", cur_page=0),
            lambda client: client.batch_stop_jobs(drs.BatchStopJobsRequest(body={"jobs": ["a"]})),
        ),
        why=lambda client, key: replications(client, key)[0].error_message,
        late=None,
    ),
    "functiongraph.async": Driven(
        client=fgs.FunctionGraphClient,
        submit=lambda client, text: client.async_invoke_function(invoked(text)).request_id,
        show=lambda client, key: the(invocations(client, request_id=key), "request_id", key),
        status=lambda shown: shown.status,
        cancel=invocation_cancelled,
        unknown=None,
        bad=(
            lambda client: invocations(client, status="DONE"),
            lambda client: invocations(client, limit=501),
            lambda client: invocations(client, query_begin_time="yesterday"),
            lambda client: invocation_cancelled(client, NOBODY, "gently"),
        ),
        why=lambda client, key: invocations(client, request_id=key)[0].error_message,
        late="FSS.0400",
    ),
}

Made = Callable[[str], Any]
Sign = Callable[..., requests.PreparedRequest]
Send = Callable[[requests.PreparedRequest], requests.Response]


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
    numbers = isinstance(VOCABULARIES[name].success, int)
    key = api.submit(client, "localcloud=unknown localcloud.seconds=0")
    assert control.job(name, str(key))["status"] == UNKNOWN_STATUS
    if not numbers:  # the vendor's client cannot read a word where a number should be
        assert api.status(api.show(client, key)) == UNKNOWN_STATUS
    control.fault("null_status", name, count=1)
    assert api.status(api.show(client, key)) is None
    strange = 99 if numbers else "wOrD"
    control.plan(name, steps=[[strange, 1]])
    assert api.status(api.show(client, api.submit(client, "orders"))) == strange


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


def test_a_cdm_poll_shows_every_run_of_the_job(made: Made, control: Control) -> None:
    client = made("cdm.job")
    first = client.start_job(started("localcloud=fail localcloud.seconds=0")).submissions[0]
    assert (first.status, first.job_name, first.submission_id) == ("FAILED", JOB, 1)
    second = client.start_job(started()).submissions[0]
    assert (second.status, second.progress) == ("BOOTING", 0)
    client.start_job(started(name="others"))
    client.start_job(started(cluster="c-2"))
    seen = submissions(client)
    assert [(run.submission_id, run.status) for run in seen] == [(2, "BOOTING"), (1, "FAILED")]
    assert (seen[1].progress, seen[0].error_summary) == (-1, None)
    assert seen[1].error_details.endswith(seen[1].error_summary)
    assert control.stats()["polls"]["cdm.job"] == {"1": 1, "2": 1}
    assert stopped(client) == []
    told = [stopped(client, "idle")[0]]
    assert [(one.status, one.message) for one in told] == [("ERROR", "Job [idle] is not running.")]
    assert control.stats()["cancels"] == {"cdm.job": 1}


def test_cdm_has_an_envelope_for_errors_of_its_own(made: Made) -> None:
    with pytest.raises(ClientRequestException) as refused:
        submissions(made("cdm.job"), "missing")
    # The vendor's client does not know it.
    assert refused.value.error_code == "400"
    assert refused.value.error_msg == '{"errCode":"Cdm.0100","externalMessage":"Job[missing] doesn\'t exist."}'


def test_a_run_of_dataarts_belongs_to_its_workspace_and_job(made: Made, control: Control) -> None:
    client = made("dataarts.job")
    key = client.run_once(once()).instance_id
    assert instance(client, key).nodes[0].status == "waiting"
    for other in ("w-2", None):
        assert refusal(lambda space=other: instance(client, key, space)) == (400, "DLF.0137")  # type: ignore[misc]
    assert refusal(lambda: instance(client, key, name="others")) == (400, "DLF.0137")
    at_home = client.run_once(once(space=None)).instance_id
    assert instance(client, at_home, "default").status == "waiting"
    control.set_status("dataarts.job", str(key), "ignoreSuccess")
    shown = instance(client, key)
    assert (shown.status, shown.ignore_success, shown.force_success) == ("ignoreSuccess", True, False)
    assert shown.nodes[0].status == "fail"


def test_an_oms_task_is_about_to_stop_before_it_has_stopped(made: Made) -> None:
    api, client = APIS["oms.task"], made("oms.task")
    key = api.submit(client, "localcloud=forever")
    api.cancel(client, key)
    assert walked(api, client, key, 3) == [7, 3]


def test_a_training_job_is_terminating_before_it_is_terminated(made: Made) -> None:
    api, client = APIS["modelarts.training"], made("modelarts.training")
    key = api.submit(client, "localcloud=forever")
    assert api.show(client, key).metadata.name == "train"
    assert api.cancel(client, key).status.phase == "Terminating"
    assert walked(api, client, key, "Terminated") == ["Terminating", "Terminated"]


def test_an_oms_task_has_a_number_and_is_started_again(made: Made, control: Control) -> None:
    api, client = APIS["oms.task"], made("oms.task")
    key = api.submit(client, "localcloud=fail")
    assert key > 2**32
    again = oms.StartTaskRequest(task_id=key, body=oms.StartTaskReq(src_ak="a", src_sk="s"))
    assert refusal(lambda: client.start_task(again)) == (400, "OMS.0064")
    assert walked(api, client, key, 4) == [1, 2, 4]
    assert task(client, key).error_reason.error_code == "TRF.0012"
    client.start_task(again)
    assert walked(api, client, key, 5) == [1, 2, 5]
    assert control.stats()["submits"] == {"oms.task": 2}
    kept = control.job("oms.task", str(key))["fields"]
    assert kept["src_node"] == {"region": "cn-north-4", "bucket": "from", "object_key": ["localcloud=fail"]}
    assert "SK-" not in str(kept)


def test_drs_tasks_are_handled_several_in_a_call(made: Made, control: Control) -> None:
    client = made("drs.migration")
    control.settings(job_seconds=100)
    tasks = [next(TASKS) for _ in range(7)]
    results = replication(client, *tasks[:6], "nobody")
    assert [one.status for one in results] == ["success"] * 6 + ["failed"]
    assert (results[6].error_code, results[6].error_msg) == (
        "DRS.10000010",
        "Job does not exist, please check job ID.",
    )
    assert [one.id for one in replications(client, *tasks)] == tasks[:5], "a page has five"
    assert [one.id for one in replications(client, *tasks, cur_page=2, per_page=4)] == tasks[4:]
    shown = replications(client, *tasks, "nobody", per_page=0)
    assert [one.id for one in shown] == tasks
    assert [one.status for one in shown[5:]] == ["STARTJOBING", "CONFIGURATION"]
    assert replication(client, tasks[0])[0].error_code == "DRS.10000001"
    told = paused(client, tasks[0], tasks[6], "nobody")
    assert [(one.status, one.error_code) for one in told] == [
        ("success", None),
        ("failed", "DRS.10000001"),
        ("failed", "DRS.10000010"),
    ]
    assert paused(client, tasks[1], mode="some")[0].error_code == "DRS.M00202"
    walked(APIS["drs.migration"], client, tasks[0], "PAUSING")
    assert paused(client, tasks[0])[0].status == "failed"
    assert replication(client, tasks[0])[0].status == "success"
    assert control.stats()["submits"] == {"drs.migration": 7}


def test_invocations_are_listed(made: Made, control: Control) -> None:
    client = made("functiongraph.async")
    keys = [client.async_invoke_function(invoked()).request_id for _ in range(3)]
    client.async_invoke_function(invoked(urn=URN + "2"))
    assert [one.request_id for one in invocations(client)] == keys[::-1]
    assert [one.request_id for one in invocations(client, marker="1", limit="1")] == [keys[1]]
    assert invocations(client, URN + "2", request_id=keys[0]) == []
    control.set_status("functiongraph.async", keys[0], "DISCARD", code="429", reason="too many")
    shown = invocations(client, status="DISCARD")[0]
    assert (shown.request_id, shown.error_code, shown.error_message) == (keys[0], 429, "too many")
    assert invocations(client, query_begin_time="2999-01-01T00:00:00") == []
    assert invocations(client, query_end_time="2001-01-01T00:00:00") == []
    assert refusal(lambda: client.async_invoke_function(invoked(urn="urn:missing"))) == (404, "FSS.0404")


def test_a_cancelled_invocation_has_failed_with_a_code_of_its_own(made: Made) -> None:
    api, client = APIS["functiongraph.async"], made("functiongraph.async")
    assert refusal(lambda: api.cancel(client, NOBODY)) == (404, "FSS.0404")
    key = api.submit(client, "localcloud=forever")
    api.cancel(client, key)
    walked(api, client, key, "FAIL")
    shown = api.show(client, key)
    assert (shown.error_code, shown.error_message) == (4208, "function invocation canceled")


@pytest.mark.parametrize("name", [name for name in APIS if VOCABULARIES[name].numbered])
def test_keys_that_have_to_be_numbers(name: str, made: Made, control: Control) -> None:
    for key in ("theirs", "007"):
        with pytest.raises(ControlError, match=f"the keys of {name} are numbers, and '{key}' is none"):
            control.create_job(name, key)
    chosen = control.create_job(name)["key"]
    api, client = APIS[name], made(name)
    taken = api.submit(client, "orders")
    control.create_job(name, str(taken + 1))
    assert api.submit(client, "orders") == taken + 2
    assert api.status(api.show(client, chosen)) is not None


def test_numbers_are_numbers_on_the_wire(made: Made, control: Control, send: Send, sign_huawei: Sign) -> None:
    """The vendor's client would read them from texts too."""
    for name in ("oms.task", "cdm.job", "dataarts.job"):
        control.create_job(name, "7", seconds=0)

    def told(path: str) -> Any:
        return send(sign_huawei("GET", path)).json()

    shown = told("/v2/{project}/tasks/7")
    assert (shown["id"], shown["status"]) == (7, 5)
    assert told("/v1.1/{project}/clusters/c-1/cdm/job/j/status")["submissions"][0]["submission-id"] == 7
    assert told("/v1/{project}/jobs/j/instances/7")["instanceId"] == 7


#: Where the SDK names the words: models and their field.
WORDS: dict[str, tuple[tuple[Any, str], ...]] = {
    "dli.spark_batch": ((dli.ShowSparkJobStatusResponse, "state"),),
    "mrs.job": ((mrs.JobQueryBean, "job_result"),),
    "cdm.job": ((cdm.Submission, "status"),),
    "dataarts.job": ((dgc.ShowJobInstanceResponse, "status"),),
    "modelarts.training": ((modelarts.Status, "phase"),),
    "oms.task": ((oms.ShowTaskResponse, "status"),),
    "drs.migration": ((drs.QueryJobStatusResp, "status"),),
    "functiongraph.async": ((fgs.ListFunctionAsyncInvocationsResult, "status"),),
}
#: Words that the SDK does not name, each with its source.
ELSEWHERE = {
    ("dli.spark_batch", "Success"): "the sample of the page of ShowSparkJobStatus, dli_02_0127",
    ("cdm.job", "STOPPED"): "apache-airflow-providers-huawei 1.7.0, the sensor of CDM",
}


def named(word: Any, model: Any, field: str) -> bool:
    """Whether the documentation of a model's field has a word, as a whole."""
    documented = re.search(rf":param {field}: (.*?)\n\s*:type", model.__init__.__doc__ or "", re.DOTALL)
    assert documented, f"{model.__name__} has no {field} any more"
    return bool(re.search(rf"(?<![\w-]){word}(?![\w-])", documented[1], re.ASCII))


@pytest.mark.parametrize("name", APIS)
def test_every_word_is_one_that_the_vendor_names(name: str) -> None:
    words = VOCABULARIES[name]
    shown = {status for status, _ in words.running} | words.ends | words.other_successes
    shown |= {words.success, words.failure, words.cancelled}
    unnamed = {word for word in shown if not any(named(word, *place) for place in WORDS[name])}
    assert unnamed == {word for api, word in ELSEWHERE if api == name}


@pytest.mark.parametrize(
    ("word", "model", "field"),
    [
        *(
            (state, mrs.JobQueryBean, "job_state")
            for state in ("NEW", "NEW_SAVING", "SUBMITTED", "ACCEPTED", "RUNNING")
        ),
        ("FINISHED", mrs.JobQueryBean, "job_state"),
        ("COMPLETE", mrs.JobSubmitResult, "state"),
        ("FAILED", mrs.JobSubmitResult, "state"),
        ("Terminating", modelarts.Status, "phase"),
        ("7", oms.ShowTaskResponse, "status"),
        ("CONFIGURATION", drs.QueryJobStatusResp, "status"),
        ("success", drs.StartJobResp, "status"),
        ("failed", drs.StartJobResp, "status"),
        ("ERROR", cdm.JobValidationResult, "status"),
        *((state, dgc.NodeInstance, "status") for state in ("waiting", "running", "success", "fail", "manual-stop")),
        ("skip", dgc.NodeInstance, "status"),
    ],
)
def test_so_are_the_words_beside_them(word: str, model: Any, field: str) -> None:
    assert named(word, model, field)
