# SPDX-License-Identifier: Apache-2.0
"""A job API as a value: what is refused when it is made, what JSON keeps of it, how an answer is read by it."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_cloudjobs.api import Call, Find, InvalidJobApi, JobApi
from airflow_cloudjobs.apis import spec_of
from airflow_cloudjobs.jobs.answers import polled
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.jobs.compiled import TOKEN_ARGUMENT, compiled
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.finder import Unclear
from airflow_cloudjobs.jobs.identity import Identity
from airflow_cloudjobs.jobs.outcome import Outcome
from airflow_cloudjobs.jobs.spec import Observation

SPARK: dict[str, Any] = {
    "api": "emr.spark_job",
    "service": "emr-serverless-spark@2023-08-08",
    "submit": Call("StartJobRun POST /api/v1/workspaces/{workspaceId}/jobRuns", body={"clientToken": "{token}"}),
    "key": "jobRunId",
    "poll": "GetJobRun GET /api/v1/workspaces/{workspaceId}/jobRuns/{key}",
    "job": "jobRun",
    "status": "state",
    "running": "Submitted Pending Running",
    "succeeded": "Success",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "reason": "stateChangeReason.code stateChangeReason.message",
    "cancel": "CancelJobRun DELETE /api/v1/workspaces/{workspaceId}/jobRuns/{key}",
}
DLI: dict[str, Any] = {
    "api": "dli.sql_job",
    "service": "dli",
    "submit": "CreateSqlJob POST /v1.0/{project_id}/jobs/submit-job",
    "key": "job_id",
    "poll": "ShowSqlJobStatus GET /v1.0/{project_id}/jobs/{key}/status",
    "status": "status",
    "running": "RUNNING",
    "succeeded": "FINISHED",
    "failed": "FAILED",
    "marked": {"tags": [{"key": "airflow_job", "value": "{marker}"}]},
    "find": Find(Call("ListSqlJobs GET /v1.0/{project_id}/jobs", query={"t": "{marker}"}), "jobs[job_id]", "tags"),
}
LIST: dict[str, Any] = {
    "api": "mps.transcode",
    "service": "mts@2014-06-18",
    "submit": "SubmitJobs",
    "key": "JobResultList.JobResult[].Job.JobId",
    "many": "Outputs",
    "refused": {"JobResultList.JobResult[].Success": "false"},
    "poll": Call("QueryJobList", query={"JobIds": "{keys:,}"}),
    "job": "JobList.Job[JobId]",
    "batch": 10,
    "status": "State",
    "running": "Submitted Transcoding",
    "succeeded": "TranscodeSuccess",
    "failed": "TranscodeFail",
}
WHO = Identity("d", "r", "t", -1, 0)


def made(base: dict[str, Any] = SPARK, **changes: Any) -> JobApi:
    fields = {name: value for name, value in {**base, **changes}.items() if value is not None}
    return JobApi(fields.pop("api"), fields.pop("service"), **fields)


POST = "GetJobRun POST /jobRuns/{key}"


@pytest.mark.parametrize(
    ("base", "changes", "words"),
    [
        (SPARK, {"api": "emr"}, "api must look like"),
        (SPARK, {"service": "emr@2023"}, "service is 'emr@2023'"),
        (SPARK, {"status": "state."}, "status is wrong: 'state.'"),
        (SPARK, {"status": "states[].state"}, "may find several values"),
        (SPARK, {"status": 5}, "status is 5; it must be text"),
        (SPARK, {"running": ""}, "running names no status"),
        (SPARK, {"succeeded": ()}, "succeeded names no status"),
        (SPARK, {"failed": ""}, "failed names no status"),
        (SPARK, {"failed": 3}, "failed is 3; give words"),
        (SPARK, {"failed": "Failed success"}, "failed holds 'success', which stands in 'succeeded' too"),
        (SPARK, {"failed": "Failed FAILED"}, "failed holds 'FAILED', which stands twice"),
        (SPARK, {"succeeded": ("",)}, "succeeded holds an empty status"),
        (SPARK, {"poll": "DeleteJobRun DELETE /jobRuns/{key}"}, "poll would change something"),
        (SPARK, {"poll": Call("StopJobRun POST /jobRuns/{key}", reads=True)}, "poll would change something"),
        (SPARK, {"poll": Call("DeleteJob GET /", query={"id": "{key}"})}, "poll would change something"),
        (SPARK, {"poll": Call("DoJob GET /", query={"id": "{key}"})}, "poll would change something"),
        (SPARK, {"failed": "Failed, Expired"}, "failed holds 'Failed,'; words are separated by blanks alone"),
        (SPARK, {"poll": "GetJobRun GET /jobRuns"}, "poll does not name the job"),
        (SPARK, {"poll": "GetJobRun GET /jobRuns/{jobRunId}"}, "put {key} where the page has the job's id"),
        (SPARK, {"service": "ecs", "poll": "GetJob"}, "give its version too: 'ecs@YYYY-MM-DD'"),
        (SPARK, {"poll": "GetJobRun GET /jobRuns/{Key}"}, "has {Key}; is {key} meant"),
        (SPARK, {"poll": Call(POST, query={"t": "{token}"})}, "poll has {token}; known there are {key}, {keys}"),
        (SPARK, {"poll": Call(POST, query={"t": "{keys}"})}, "both {key} and {keys}"),
        (SPARK, {"poll": "GetJobRun GET /{project_id}/jobRuns/{key}"}, "{project_id}, which is Huawei Cloud's"),
        (SPARK, {"poll": Call(POST, query={"Password": "{dbPassword}"})}, "needs 'dbPassword', a secret"),
        (SPARK, {"poll": Call(POST, query={"c": "{code}"}), "secret": "code"}, "needs 'code', a secret"),
        (SPARK, {"poll": Call(POST, query={"c": "{code}"}), "sql": "code"}, "needs 'code', SQL"),
        (SPARK, {"poll": "GET /jobRuns/{key}"}, "begin with the operation's name"),
        (SPARK, {"poll": Call("GetJob GET /jobRuns/{key}", rest="query")}, "poll has a 'rest'"),
        (SPARK, {"batch": 10}, "batch is 10: such a poll needs {keys}"),
        (SPARK, {"batch": True}, "batch is True"),
        (LIST, {"job": "JobList"}, "and a 'job' like 'jobs[id]'"),
        (SPARK, {"job": "jobs[]"}, "job is wrong"),
        (SPARK, {"key": None}, "key is missing"),
        (SPARK, {"key": "{key}"}, "key has {key}"),
        (SPARK, {"submit": None, "key": "a"}, "key is for a submit, and there is none"),
        (SPARK, {"submit": "StartJobRun POST /jobRuns/{key}"}, "submit has {key}"),
        (SPARK, {"submit": "StartJobRun POST /jobRuns/{keys}"}, "{keys} in its path"),
        (SPARK, {"cancel": "StopAll POST /stop"}, "cancel does not name the job"),
        (SPARK, {"explain": "GetLog GET /logs/{key}"}, "explained says where"),
        (SPARK, {"explain": "DeleteLog POST /logs/{key}", "explained": "a"}, "explain would change something"),
        (SPARK, {"marked": {"a": "{marker}"}}, "marked is for a look-up"),
        (DLI, {"marked": {"a": "b"}}, "marked has no {marker}"),
        (DLI, {"marked": None}, "find needs 'marked'"),
        (DLI, {"find": "jobs"}, "find is 'jobs'"),
        (DLI, {"poll": "ShowSqlJobStatus"}, "have a method and a path"),
        (DLI, {"submit": Call("POST /v1/{project_id}/jobs", rest="form")}, "has a form"),
        (DLI, {"cancel": Call("DELETE /v1/{key}", query={"p": "{project_id}"})}, "filled in in the path only"),
        (LIST, {"key": "JobId"}, "finds one key; with 'many'"),
        (LIST, {"refused": {"Success": ""}}, "refused has no word for 'Success'"),
        (SPARK, {"omit": "state"}, "omit holds 'state', which the status stands in"),
        (SPARK, {"signed_urls": "a.b"}, "signed_urls holds 'a.b'"),
        (SPARK, {"interval": 0}, "interval is 0"),
        (SPARK, {"interval": float("nan")}, "interval is nan"),
        (SPARK, {"console": "http://a"}, "console is 'http://a'"),
        (SPARK, {"console": "https://a/{project}"}, "console is"),
        (SPARK, {"title": "x" * 5000}, "as JSON; allowed are 4096"),
        (SPARK, {"progress": "a b"}, "progress is wrong"),
        (SPARK, {"measure": "GetPart GET /parts/{key}"}, "measured says where the answer to 'measure' has the part"),
        (SPARK, {"measure": "DropPart POST /parts/{key}", "measured": "a"}, "measure would change something"),
        (SPARK, {"measure": "GetPart GET /parts/{key}", "measured": "a[]"}, "measured is wrong"),
        (SPARK, {"counts": "a.b"}, "counts holds 'a.b'"),
        (SPARK, {"counts": "size", "omit": "size"}, "counts holds 'size', which is left out of results"),
        (SPARK, {"job_page": "http://a/{key}"}, "job_page is 'http://a/{key}'; it must begin with https://"),
        (SPARK, {"job_page": "https://a/list"}, "and hold {key}"),
        (SPARK, {"job_page": "https://a/{key}/{jobName}"}, "job_page has {jobName}; known there are key, region"),
    ],
)
def test_a_mistake_is_refused_by_field(base: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJobApi) as error:
        made(base, **changes)
    assert words in str(error.value)


@pytest.mark.parametrize("words", ["401 Busy", ["401", "Busy"]])
@pytest.mark.parametrize("answered", [401, "busy"])
def test_each_word_of_a_refusal_is_one(words: Any, answered: Any) -> None:
    spec = compiled(made(refused={"Code": words}))
    assert spec.submitted({"Code": "200", "jobRunId": "k"}, {}) == ["k"]
    with pytest.raises(CloudApiError, match="the answer says Code = ") as error:
        spec.submitted({"Code": answered, "jobRunId": "k"}, {})
    assert not error.value.ambiguous


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        ("", {}, "must be 'Operation'"),
        ("get /a", {}, "must be 'Operation'"),
        ("GetJob GET", {}, "must be 'Operation'"),
        ("GetJob GET /a?b=c", {}, "has the path '/a?b=c'"),
        ("GetJob GET /a/../b", {}, "has the path"),
        ("GetJob GET /a//b", {}, "has the path"),
        ("GetJob GET /a#b", {}, "has the path"),
        ("GetJob GET /a/{b?}", {}, "may be left out"),
        ("GetJob GET /a", {"body": {}}, "is a GET, which has no body"),
        ("StartJob", {"form": {"a": "b"}, "body": {}}, "given beside 'body'"),
        ("StartJob", {"form": {"a": "b"}, "rest": "body"}, "has another body"),
        ("StartJob", {"rest": "path"}, "rest is 'path'; allowed are 'query', 'body', 'form'"),
        ("StartJob", {"query": {"a": object()}}, "query holds a object; allowed are texts"),
        ("StartJob", {"query": {1: "a"}}, "the name 1, which is no text"),
        ("StartJob", {"query": ["a"]}, "query must be a mapping"),
        ("StartJob", {"body": {"a": float("inf")}}, "body holds inf"),
        ("StartJob", {"headers": {"Authorization": "x"}}, "'Authorization', which is the client's own"),
        ("StartJob", {"headers": {"x-acs-version": "x"}}, "'x-acs-version', which is the client's own"),
        ("StartJob", {"headers": {"a b": "x"}}, "the name 'a b'"),
        ("StartJob", {"headers": {"a": "x\ny"}}, "ASCII text in one line"),
        ("StartJob", {"query": {"p": "{key"}}, "query holds '{key', whose braces are no placeholder"),
        ("StartJob", {"query": {"p": "a{key?}"}}, "must stand alone"),
        ("StartJob", {"reads": "yes"}, "reads is 'yes'"),
    ],
)
def test_a_call_that_cannot_be_made_is_refused(text: str, more: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJobApi) as error:
        Call(text, **more)
    assert words in str(error.value)


def test_a_field_of_a_newer_version_is_refused_by_name() -> None:
    data = made().as_dict()
    with pytest.raises(InvalidJobApi, match=r"JobApi 'emr\.spark_job': 'until' is not known .* newer one"):
        JobApi.from_dict({**data, "until": "x"})
    with pytest.raises(InvalidJobApi, match=r"poll: 'retry' is not known"):
        JobApi.from_dict({**data, "poll": {"call": "GetJobRun GET /jobRuns/{key}", "retry": 1}})
    with pytest.raises(InvalidJobApi, match="status is missing"):
        JobApi.from_dict({name: value for name, value in data.items() if name != "status"})
    with pytest.raises(InvalidJobApi, match="is no JSON"):
        JobApi.from_json("{")


words = st.lists(st.text("abcXYZ_ é任务", min_size=1, max_size=8).map(str.strip).filter(bool), min_size=1, max_size=3)
names = st.from_regex(r"[a-z][A-Za-z0-9_-]{0,6}", fullmatch=True)
fields_of_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(" aé任", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def job_apis(draw: Any) -> JobApi:
    """Job APIs that are right, of every style."""
    buckets: list[list[str]] = []
    seen: set[str] = set()
    for bucket in range(4):
        own = [
            word for word in dict.fromkeys(draw(words)) if word.upper() not in seen and len(word.upper()) == len(word)
        ]
        own = [f"{word}{bucket}" for word in {word.upper(): word for word in own}.values()]
        seen |= {word.upper() for word in own}
        buckets.append(own or [f"word{bucket}"])
    query = draw(st.dictionaries(names, fields_of_json, max_size=3))
    hole = draw(st.sampled_from(["{key}", "{workspace}", "{region-id?}"]))
    huawei = draw(st.booleans())
    style = " GET /v1/{project_id}/jobs/{key}" if huawei else draw(st.sampled_from(["", " GET /v1/jobs/{key}"]))
    changes = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "title": st.text("a b任", max_size=9),
                "interval": st.floats(1, 86400),
                "omit": st.lists(names, max_size=2),
                "progress": names,
                "reason": st.lists(names, max_size=2),
                "refused": st.dictionaries(
                    names, st.text("ab", min_size=1, max_size=3) | st.just(["a", "b"]), max_size=2
                ),
                "cancel": st.just("StopJob DELETE /v1/jobs/{key}"),
                "marked": st.just({"tags": {"a": "{marker}"}}),
            },
        )
    )
    if "marked" in changes:
        listing = Call("ListJobs GET /v1/jobs", query={"q": "{marker}"})
        changes["find"] = Find(listing, "jobs[id]", "tags", most=draw(st.integers(0, 9)))
    return JobApi(
        "a.b",
        "svc" if huawei else "svc@2020-01-01",
        submit=Call(f"RunJob POST /{'v1/{project_id}' if huawei else 'v1'}/jobs", body={"x": draw(fields_of_json)}),
        key=draw(st.sampled_from(["id", "data.id", "{token}", "ids[].id"])),
        poll=Call(f"GetJob{style}", query={**query, "k": "{key}", "w": hole}),
        status="status" if "status" not in changes.get("omit", ()) else "state",
        running=buckets[0],
        succeeded=buckets[1],
        failed=buckets[2],
        cancelled=buckets[3],
        **changes,
    )


@settings(max_examples=60)
@given(job_apis())
def test_json_keeps_all_of_it(api: JobApi) -> None:
    text = api.to_json()
    again = JobApi.from_json(text)
    assert (again, again.digest, again.to_json()) == (api, api.digest, text)
    assert json.loads(text) == api.as_dict() == json.loads(json.dumps(api.as_dict()))
    assert hash(again) == hash(api)
    assert pickle.loads(pickle.dumps(api)) == api  # noqa: S301
    assert copy.deepcopy(api) is api
    assert compiled(again) is compiled(api) is spec_of(api.as_dict())


@settings(max_examples=60)
@given(job_apis(), st.data())
def test_only_its_own_words_are_an_end(api: JobApi, data: Any) -> None:
    spec = compiled(api)
    known = {**dict.fromkeys(api.succeeded, Outcome.SUCCEEDED), **dict.fromkeys(api.failed, Outcome.FAILED)}
    known |= dict.fromkeys(api.cancelled, Outcome.CANCELLED) | dict.fromkeys(api.running)
    word = data.draw(st.sampled_from(sorted(known)) | st.text(max_size=6))
    request = spec.poll(["k"], {"workspace": "w"})
    seen = polled(spec, ["k"], request, {api.status: word})["k"]
    assert isinstance(seen, Observation)
    folded = {name.upper(): outcome for name, outcome in known.items()}
    assert spec.states.outcome(seen.status) is folded.get(word.upper())


@given(
    st.sampled_from([1, 5.5, None, True, [], ["Success"], {}, {"state": "Success"}, "success ", "Succes", b"Success"])
)
def test_a_status_that_is_not_one_of_its_words_is_no_success(status: Any) -> None:
    spec = compiled(made())
    request = spec.poll(["k"], {"workspaceId": "w"})
    answer = {"jobRun": {"state": status}}
    if isinstance(status, (list, dict, bytes)):
        with pytest.raises(CloudApiError, match="documented form"):
            polled(spec, ["k"], request, answer)
        return
    seen = polled(spec, ["k"], request, answer)["k"]
    assert isinstance(seen, Observation)
    assert spec.states.outcome(seen.status) is None


def test_an_answer_without_the_job_is_none() -> None:
    spec = compiled(made())
    request = spec.poll(["k"], {"workspaceId": "w"})
    for answer in ({}, {"jobRun": None}, {"state": "Success"}):
        seen = polled(spec, ["k"], request, answer)["k"]
        assert isinstance(seen, CloudApiError)
        assert seen.kind is ErrorKind.NOT_FOUND
    for answer in ({"jobRun": [{"state": "Success"}]}, {"jobRun": "Success"}):
        with pytest.raises(CloudApiError, match="documented form"):
            polled(spec, ["k"], request, answer)


def test_of_a_list_only_the_job_that_was_asked_for_is_believed() -> None:
    spec = compiled(made(LIST))
    request = spec.poll(["a", "b"], {})
    assert request.query == {"JobIds": "a,b"}
    jobs = [{"JobId": "a", "State": "Transcoding"}, {"JobId": "x", "State": "TranscodeSuccess"}]
    seen = polled(spec, ["a", "b"], request, {"JobList": {"Job": jobs}})
    assert isinstance(seen["a"], Observation)
    assert seen["a"].status == "Transcoding"
    assert isinstance(seen["b"], CloudApiError)
    with pytest.raises(CloudApiError, match="holds the job 'a' twice"):
        polled(spec, ["a"], request, {"JobList": {"Job": [jobs[0], {"JobId": "a", "State": "TranscodeSuccess"}]}})
    with pytest.raises(CloudApiError, match="documented form"):
        polled(spec, ["a"], request, {"JobList": {"Job": {"JobId": "a", "State": "TranscodeSuccess"}}})


HOSTILE = ["..", ".", "", " ", "a/b", "../x", "a?b", "a#b", "a\\b", "a\nb", "...", None, True, ["a"], {"a": 1}, 1.5]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize("name", ["key", "workspaceId"])
def test_nothing_that_is_filled_in_changes_the_path(name: str, value: Any) -> None:
    spec = compiled(made())
    key, workspace = ("j", value) if name == "workspaceId" else (value, "w")
    argument = "key" if name == "key" and value is not None else "parameters"
    with pytest.raises(InvalidArgument, match=f"argument '{argument}'") as error:
        spec.poll([key], {"workspaceId": workspace})
    assert repr(name) in str(error.value)


@given(st.text(min_size=1))
def test_what_is_filled_in_stays_one_part_of_the_path(key: str) -> None:
    spec = compiled(made(DLI))
    try:
        path = spec.poll([key], {}).path
    except InvalidArgument:
        return
    head, part, tail = path.rpartition("/status")[0].rpartition("/")[0], path.split("/")[4], path.rpartition("/")[2]
    assert (head, tail, path.count("/")) == ("/v1.0/{project_id}/jobs", "status", 5)
    assert part.isascii()
    assert not set(part) & set("{}?#/\\ ")
    assert part.strip(".")


def test_a_header_is_one_line() -> None:
    poll = Call("GetJobRun GET /api/{key}", headers={"workspace": "{workspace}"})
    spec = compiled(made(poll=poll, cancel=None))
    assert spec.poll(["k"], {"workspace": "w 1"}).headers == {"workspace": "w 1"}
    for value in ("a\r\nHost: b", "é", " a"):
        with pytest.raises(InvalidArgument, match="is for a header"):
            spec.poll(["k"], {"workspace": value})


def test_only_an_answer_that_nothing_is_read_from_may_be_empty() -> None:
    spec = compiled(made())
    assert spec.cancel is not None
    assert spec.cancel("jr-1", {"workspaceId": "w"}).lax
    assert not spec.submit(workspaceId="w", **{TOKEN_ARGUMENT: "t"}).lax
    assert not spec.poll(["jr-1"], {"workspaceId": "w"}).lax
    known = compiled(made(key="{name}", submit="StartJobRun POST /runs/{name}"))
    assert known.submit(name="n").lax


def test_a_submit_says_what_it_lacks_and_sends_the_rest() -> None:
    spec = compiled(made())
    with pytest.raises(InvalidArgument, match="argument 'parameters' lacks 'workspaceId', which StartJobRun needs"):
        spec.submit(name="x", **{TOKEN_ARGUMENT: "t"})
    request = spec.submit(workspaceId="w 1", name="{workspaceId}", none=None, **{TOKEN_ARGUMENT: "t"})
    assert (request.method, request.path) == ("POST", "/api/v1/workspaces/w%201/jobRuns")
    assert request.body == {"clientToken": "t", "name": "{workspaceId}"}
    assert (request.version, request.service, request.idempotent) == ("2023-08-08", "emr-serverless-spark", False)


def test_parameters_travel_as_the_spec_says() -> None:
    run = Call("RunCommand", query={"RegionId": "{RegionId}"}, flat="InstanceId Tag")
    spec = compiled(made(LIST, submit=run, many=None, key="InvokeId", refused=None))
    request = spec.submit(
        RegionId="r", InstanceId=["i-1", "i-2"], Tag=[{"Key": "k", "Value": "v"}], Parameters={"a": 1}
    )
    assert request.query == {
        "RegionId": "r",
        "InstanceId.1": "i-1",
        "InstanceId.2": "i-2",
        "Tag.1.Key": "k",
        "Tag.1.Value": "v",
        "Parameters": '{"a":1}',
    }
    form = compiled(made(LIST, submit=Call("Submit", rest="form"), many=None, key="Id", refused=None)).submit(
        A=1, B=True
    )
    assert (form.form, form.query, form.body) == ({"A": "1", "B": "true"}, {}, None)
    with pytest.raises(InvalidArgument, match="has a comma"):
        compiled(made(LIST)).poll(["a,b"], {})


def test_the_keys_of_a_submit() -> None:
    one = compiled(made())
    assert one.submitted({"jobRunId": 12}, {}) == ["12"]
    assert one.submitted({}, {}) == []
    for odd in ({"jobRunId": ["a"]}, {"jobRunId": {}}, {"jobRunId": "../x"}):
        with pytest.raises(CloudApiError) as error:
            one.submitted(odd, {})
        assert error.value.ambiguous
    many, two = compiled(made(LIST)), {"Outputs": [1, 2]}
    results = [{"Job": {"JobId": "a"}, "Success": True}, {"Job": {"JobId": "b"}, "Success": True}]
    assert many.submitted({"JobResultList": {"JobResult": results}}, two) == ["a", "b"]
    with pytest.raises(CloudApiError, match=r"names 1 jobs \(a\) where 2") as error:
        many.submitted({"JobResultList": {"JobResult": results[:1]}}, two)
    assert error.value.ambiguous
    results[1] = {"Success": False}
    with pytest.raises(CloudApiError, match=r"Success = false.*started were a") as error:
        many.submitted({"JobResultList": {"JobResult": results}}, two)
    assert not error.value.ambiguous


def test_a_key_that_is_known_before() -> None:
    ours = compiled(made(key="{token}"))
    assert ours.submitted({}, {TOKEN_ARGUMENT: "t-1"}) == ["t-1"]
    assert not ours.stale_results
    theirs = compiled(made(key="{workspaceId}"))
    assert theirs.submitted({}, {"workspaceId": "w"}) == ["w"]
    assert theirs.stale_results


def test_a_job_is_known_again_by_its_mark() -> None:
    finder = compiled(made(DLI)).finder
    assert finder is not None
    marked = finder.mark({"sql": "S", "tags": [{"key": "team", "value": "a"}]}, WHO)
    assert marked["tags"] == [{"key": "team", "value": "a"}, {"key": "airflow_job", "value": WHO.marker}]
    (request,) = finder.requests({}, WHO)
    assert (request.query, request.idempotent) == ({"t": WHO.marker}, True)
    ours = [{"job_id": "j-2", "tags": marked["tags"]}, {"job_id": "j-1", "tags": marked["tags"]}]
    assert finder.found([{"jobs": [{"job_id": "x", "tags": []}, *ours]}], {}, WHO, ()) == ["j-2"]
    assert finder.found([{"jobs": ours}], {}, WHO, {"j-2"}) == ["j-1"]
    assert finder.found([{"jobs": []}], {}, WHO, ()) == []
    assert finder.found([{"jobs": None}], {}, WHO, ()) == []
    for odd in ({}, {"jobs": {"job_id": "j"}}, {"jobs": ["j"]}, {"jobs": "j"}):
        with pytest.raises(Unclear, match="has another form"):
            finder.found([odd], {}, WHO, ())


def test_a_full_list_without_our_job_does_not_say_that_there_is_none() -> None:
    finder = compiled(made(DLI, find=Find("ListSqlJobs GET /v1.0/jobs", "jobs[id]", "tags", most=2))).finder
    assert finder is not None
    with pytest.raises(Unclear, match="2 jobs at most"):
        finder.found([{"jobs": [{"id": "a"}, {"id": "b"}]}], {}, WHO, ())
    assert finder.found([{"jobs": [{"id": "a"}]}], {}, WHO, ()) == []


def test_a_token_changes_after_a_failed_job() -> None:
    assert len({WHO.token(0), WHO.token(1), WHO.token(2)}) == 3
    assert WHO.token(1) == WHO.token(1)
    assert all(len(WHO.token(failed)) <= 64 and WHO.token(failed).isascii() for failed in (0, 9, 999))


def test_it_cannot_be_changed() -> None:
    api = made()
    with pytest.raises(AttributeError):
        api.status = "x"  # type: ignore[misc]
    with pytest.raises(TypeError, match="frozen"):
        api.calls["submit"].body["clientToken"] = "x"
    with pytest.raises(TypeError, match="frozen"):
        api.refused.update(a="b")  # type: ignore[attr-defined]


def test_a_secret_in_a_reason_is_not_shown() -> None:
    spec = compiled(made())
    record = {"state": "Failed", "stateChangeReason": {"code": "E", "message": "https://h/a?Signature=abc expired"}}
    assert spec.reason_of(record) == "E: https://h/a?*** expired"
    assert spec.reason_of({"stateChangeReason": "odd"}) == ""


def test_what_an_import_costs() -> None:
    """Nothing of Airflow, nothing of the clouds: a few small modules of ours."""
    code = "import sys; before = set(sys.modules); import airflow_cloudjobs.api; print(*(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name for name in run.stdout.split() if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name for name in loaded if not name.startswith("airflow_cloudjobs")} == set()
    assert len(loaded) <= 10


def test_the_console_leads_to_the_job_where_it_has_a_page_of_it() -> None:
    page = "https://c.test/{region}/{project_id}/{key}"
    spec = compiled(made(DLI, console="https://c.test/?r={region}", job_page=page))
    known = {"project_id": "p1"}
    assert spec.console_at("cn-north-4", ["k 1"], known) == "https://c.test/cn-north-4/p1/k%201"
    for unknown in ("..", "a/b", "", "a?b"):
        assert spec.console_at("cn-north-4", [unknown], known) == "https://c.test/?r=cn-north-4"
    assert spec.console_at("cn-north-4", ["k"]) == "https://c.test/?r=cn-north-4", "without a project"
    assert spec.console_at("cn-north-4", ["k", "l"], known) == "https://c.test/?r=cn-north-4"
    assert spec.console_at("", ["k"], known) == "https://c.test/"
    assert spec.console_at("", []) == "https://c.test/"
