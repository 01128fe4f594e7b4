# SPDX-License-Identifier: Apache-2.0
"""How many jobs the cloud takes for a task whose submit, look-up or attempt meets trouble."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from support.jobapis import APIS, DLI, DMS_UPLOAD, DRS, ICE, MODES, JobApi
from taskbench import RETRY, SUCCESS, Ran, Store, TaskInstance, rendered, run

from airflow_cloudjobs.exceptions import (
    ExecutionTimedOut,
    JobFailed,
    LookUpFailed,
    SubmitFailed,
    SubmitOutcomeUnknown,
    TaskRefused,
)
from airflow_cloudjobs.localcloud import Control, LocalCloud
from airflow_cloudjobs.submit import STORED, SubmitOnce, abandon
from airflow_cloudjobs.task_state import identity_of

FAST = 0.03
FOR_TOO_LONG = 90
"""Seconds that a refusal asks to wait; longer than a single call is repeated."""


class Attempts:
    """A task that is tried again and again, blocking."""

    def __init__(self, api: JobApi, **arguments: Any) -> None:
        self.ti = TaskInstance()
        self.store = Store()
        self._make = lambda: api.operator(task_id="t", poll_interval=FAST, **(arguments or api.new))

    def run(self) -> Any:
        """One attempt."""
        context = {"ti": self.ti, "task_state_store": self.store}
        try:
            return rendered(self._make, context).execute(context)
        finally:
            self.ti.try_number += 1


def submits(control: Control, api: JobApi) -> int:
    """Jobs that the cloud has taken."""
    return len(control.jobs(api.api))


@pytest.mark.parametrize("status", [400, 503])
def test_trouble_inside_of_the_cloud_may_come_after_it_took_the_job(status: int, control: Control) -> None:
    control.fault("http", "submit", status=status, code="InternalError", after_commit=True, count=1)
    with pytest.raises(SubmitOutcomeUnknown):
        Attempts(DMS_UPLOAD).run()
    assert submits(control, DMS_UPLOAD) == 1


def test_dli_is_looked_up_after_such_trouble(control: Control) -> None:
    control.fault("http", "submit", status=400, code="DLI.0999", after_commit=True, count=1)
    assert Attempts(DLI).run()["outcome"] == "succeeded"
    assert submits(control, DLI) == 1


def test_one_call_too_many_was_turned_away(control: Control) -> None:
    control.fault("http", "submit", status=503, code="Throttling.User", count=1)
    assert Attempts(DMS_UPLOAD).run()["outcome"] == "succeeded"
    assert submits(control, DMS_UPLOAD) == 1


def test_a_look_up_that_meets_trouble_is_left_to_the_next_attempt(control: Control) -> None:
    attempts = Attempts(DLI)
    control.fault("http", "submit", status=504, after_commit=True, count=1)
    control.fault("throttle", "ListSqlJobs", retry_after=FOR_TOO_LONG, count=1)
    with pytest.raises(LookUpFailed):
        attempts.run()
    assert attempts.run()["outcome"] == "succeeded"
    assert submits(control, DLI) == 1


def test_a_users_tag_does_not_displace_the_marker(control: Control) -> None:
    control.fault("http", "submit", status=504, after_commit=True, count=1)
    attempts = Attempts(DLI, sql="SELECT 1", tags={"airflow_job": "mine", "team": "sales"})
    assert attempts.run()["outcome"] == "succeeded"
    assert submits(control, DLI) == 1
    assert {"key": "team", "value": "sales"} in control.jobs(DLI.api)[0]["fields"]["tags"]


def test_some_of_a_batch_in_the_list_are_not_none(control: Control) -> None:
    """Two of three uploads are listed: submitting all three again would double two."""
    urls = [f"https://files.test/{number}.mp4" for number in range(3)]
    attempts = Attempts(ICE, upload_urls=urls)
    identity = identity_of({"ti": attempts.ti})
    assert identity is not None
    attempts.store.set(STORED, {"epoch": identity.epoch, "at": 0.0})
    marked = json.dumps({"Extend": {"airflow_job": identity.marker}})
    for url in urls[:2]:
        control.create_job(ICE.api, fields={"UploadURL": url, "UserData": marked})
    with pytest.raises(LookUpFailed, match="of 3 uploads"):
        attempts.run()
    assert submits(control, ICE) == 2
    control.create_job(ICE.api, fields={"UploadURL": urls[2], "UserData": marked})
    assert [result["outcome"] for result in attempts.run()] == ["succeeded"] * 3
    assert submits(control, ICE) == 3


FILMS = [f"https://files.test/{name}.mp4" for name in "abc"]


@pytest.fixture
def of_three(control: Control) -> Attempts:
    """A task of three uploads after an attempt in which the second one failed."""
    control.plan(ICE.api, "fail", match="/b.mp4")
    titles = [{"SourceURL": url, "Title": url[-5:]} for url in FILMS]
    attempts = Attempts(ICE, upload_urls=FILMS, media_metadata=titles)
    with pytest.raises(JobFailed):
        attempts.run()
    return attempts


def uploads(control: Control) -> str:
    """The films that the cloud was asked for, in that order."""
    return "".join(job["fields"]["UploadURL"][-5] for job in control.jobs(ICE.api))


def test_only_the_failed_ones_of_a_batch_are_submitted_anew(of_three: Attempts, control: Control) -> None:
    results = of_three.run()
    assert uploads(control) == "abcb"
    assert [result["result"]["UploadURL"] for result in results] == FILMS
    assert {result["outcome"] for result in results} == {"succeeded"}
    assert [result["job_key"] for result in of_three.run()] == [result["job_key"] for result in results]
    assert uploads(control) == "abcb"


def test_they_are_looked_up_where_their_submit_got_no_answer(of_three: Attempts, control: Control) -> None:
    control.fault("reset", "submit", after_commit=True, count=1)
    assert [result["result"]["UploadURL"] for result in of_three.run()] == FILMS
    assert uploads(control) == "abcb"


def test_they_are_looked_up_after_a_crash(
    of_three: Attempts, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*sent: Any, **how: Any) -> Any:
        taken(*sent, **how)
        raise KeyboardInterrupt

    taken = SubmitOnce._sent
    with monkeypatch.context() as patch:
        patch.setattr(SubmitOnce, "_sent", crash)
        with pytest.raises(KeyboardInterrupt):
            of_three.run()
    assert of_three.store[STORED]["keys"][1] == "", "the crash was before the key was stored"
    assert [result["result"]["UploadURL"] for result in of_three.run()] == FILMS
    assert uploads(control) == "abcb"


def test_a_batch_of_which_a_part_was_refused_keeps_the_rest(of_three: Attempts, control: Control) -> None:
    control.fault("http", "submit", status=429, code="Throttling.User", retry_after=FOR_TOO_LONG, count=1)
    with pytest.raises(SubmitFailed):
        of_three.run()
    of_three.run()
    assert uploads(control) == "abcb"


@pytest.mark.parametrize(("crashed", "uploaded"), [(False, "abc" + "bc"), (True, "abc" + "b")])
def test_a_batch_that_was_changed_meanwhile(crashed: bool, uploaded: str, of_three: Attempts, control: Control) -> None:
    """Its jobs stand in other places now, so they are not told apart, unless they are looked up by their addresses."""
    if crashed:
        of_three.store[STORED]["keys"][1] = ""
    changed = Attempts(ICE, upload_urls=FILMS[1:])
    changed.ti, changed.store = of_three.ti, of_three.store
    assert [result["result"]["UploadURL"] for result in changed.run()] == FILMS[1:]
    assert uploads(control) == uploaded


def test_a_batch_goes_on_while_one_of_it_does(control: Control) -> None:
    attempts = Attempts(ICE, upload_urls=FILMS)
    attempts.run()
    keys = attempts.store[STORED]["keys"]
    control.set_status(ICE.api, keys[0], "DOWNLOAD_FAIL")
    control.set_script(ICE.api, keys[1], "success", seconds=2)
    with pytest.raises(JobFailed):
        attempts.run()
    assert uploads(control) == "abc"
    attempts.run()
    assert uploads(control) == "abca"


def test_a_look_at_the_job_of_before_has_patience(control: Control) -> None:
    control.plan(DLI.api, "fail", count=1)
    attempts = Attempts(DLI)
    with pytest.raises(JobFailed):
        attempts.run()
    control.fault("http", "poll", status=503, count=1)
    assert attempts.run()["outcome"] == "succeeded"
    assert submits(control, DLI) == 2


@pytest.mark.parametrize("wanted", ["success", "fail"])
@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_retry_of_a_deferred_task_that_airflow_has_failed(
    api: JobApi, wanted: str, control: Control, template: Any
) -> None:
    """Its trigger is gone without a word to the task, as after a "state mismatch"; the job has ended meanwhile."""
    control.create_job("drs.job", "task-1")
    control.plan(api.api, "forever", count=1)
    attempts = Attempts(api, **api.submitting("task-1", str(template)), deferrable=True)
    with pytest.raises(TaskDeferred):
        attempts.run()
    [job] = control.jobs(api.api)
    control.set_status(api.api, job["key"], api.success if wanted == "success" else api.failure)
    if wanted == "success":
        assert attempts.run()["outcome"] == "succeeded"
        assert control.stats()["submits"] == {api.api: 1}
    else:  # what a retry is for
        with pytest.raises(TaskDeferred):
            attempts.run()
        assert control.stats()["submits"] == {api.api: 2}


def test_drs_is_asked_again_before_it_is_sent_anything(control: Control, template: Any) -> None:
    control.create_job("drs.job", "task-1")
    control.fault("http", "poll", status=503, count=1)
    assert Attempts(DRS, **DRS.submitting("task-1", str(template))).run()["outcome"] == "succeeded"


def test_drs_goes_on_where_its_file_is_not(control: Control, template: Path) -> None:
    """On another worker, say: the file was needed only to be sent."""
    control.create_job("drs.job", "task-1")
    attempts = Attempts(DRS, **DRS.submitting("task-1", str(template)), wait_for_completion=False)
    assert attempts.run()["outcome"] == "submitted"
    template.unlink()
    assert attempts.run()["job_key"] == "task-1"
    assert control.stats()["submits"] == {DRS.api: 1}


@pytest.mark.parametrize("api", [DMS_UPLOAD, DLI], ids=str)
def test_a_file_of_the_connection_that_is_not_there_is_no_submit(
    api: JobApi, cloud: LocalCloud, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, good = ("ALIBABA", cloud.alibaba_connection()) if api is DMS_UPLOAD else ("HUAWEI", cloud.huawei_connection())
    bad = {**good, "extra": {**good["extra"], "ca_bundle": "/no/such.pem"}}
    monkeypatch.setenv(f"AIRFLOW_CONN_{name}CLOUD_DEFAULT", json.dumps(bad))
    attempts = Attempts(api)
    with pytest.raises(TaskRefused, match="ca_bundle"):
        attempts.run()
    assert STORED not in attempts.store
    monkeypatch.setenv(f"AIRFLOW_CONN_{name}CLOUD_DEFAULT", json.dumps(good))
    assert attempts.run()["outcome"] == "succeeded"
    assert submits(control, api) == 1


@pytest.mark.parametrize(
    "code", ["DRS.10000001", "DRS.10000010", "DRS.M00202", "DRS.M00289", "DRS.M05004", "DRS.12345678"]
)
def test_drs_whose_progress_is_an_error_before_there_was_an_import(code: str, control: Control, template: Any) -> None:
    control.create_job("drs.job", "task-1")
    control.fault("http", "poll", status=400, code=code, count=1)
    assert Attempts(DRS, **DRS.submitting("task-1", str(template))).run()["outcome"] == "succeeded"


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
@pytest.mark.parametrize("answer", ["false", "DRS.10000010"])
def test_the_first_import_of_a_drs_job(answer: str, mode: str, control: Control, template: Any) -> None:
    control.settings(drs_no_import=answer)
    control.create_job("drs.job", "task-1")
    new = DRS.submitting("task-1", str(template))
    ran = run(lambda: DRS.operator(task_id="t", **new, poll_interval=FAST, **MODES[mode][1]))
    assert (ran.state, ran.error) == (SUCCESS, None)
    assert submits(control, DRS) == 1


def test_a_drs_job_that_does_not_exist_is_refused_by_the_submit(control: Control, template: Any) -> None:
    with pytest.raises(TaskRefused, match=r"DRS\.10000010: .*does not exist"):
        Attempts(DRS, **DRS.submitting("nowhere", str(template))).run()


def test_drs_is_sent_nothing_where_the_look_before_is_denied(control: Control, template: Any) -> None:
    """Without permission to look nobody could tell how the import ends."""
    control.create_job("drs.job", "task-1")
    control.fault("http", "poll", status=403, code="APIGW.0302", message="no permission")
    with pytest.raises(TaskRefused, match=r"APIGW\.0302: .*; no job was started"):
        Attempts(DRS, **DRS.submitting("task-1", str(template))).run()
    assert control.stats()["submits"] == {}


@pytest.mark.parametrize("api", [DMS_UPLOAD, ICE, DLI], ids=str)
def test_what_was_given_up_is_submitted_anew(api: JobApi, control: Control) -> None:
    """A retry after a time-out keeps its epoch, so that its marker must change."""
    attempts = Attempts(api)
    attempts.run()
    attempts.run()
    assert submits(control, api) == 1, "a retry returns what there is"
    abandon(attempts.store)
    attempts.run()
    attempts.run()
    assert submits(control, api) == 2


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
@pytest.mark.parametrize(("api", "submitted"), [(DLI, 2), (DMS_UPLOAD, 1)], ids=str)
def test_the_attempt_after_one_that_ran_out_of_time(api: JobApi, submitted: int, mode: str, control: Control) -> None:
    """It submits anew what could be cancelled, though the cloud still shows it, and goes on with the rest."""
    control.settings(cancel_seconds=60.0)
    control.plan(api.api, "forever")
    ti, store = TaskInstance(), Store()

    def attempt(seconds: float) -> Ran:
        limits = {"execution_timeout": timedelta(seconds=seconds), "wait_timeout": 90.0}
        options = {**api.new, **limits, **MODES[mode][1], "poll_interval": FAST}
        return run(lambda: api.operator(task_id="t", **options), ti=ti, task_state_store=store)

    late = attempt(2.0)
    assert (type(late.error), late.state) == (ExecutionTimedOut, RETRY)
    if submitted == 1:
        (job,) = control.jobs(api.api)
        control.set_script(api.api, job["key"], "success", seconds=0.0)
    ti.try_number += 1
    assert attempt(60.0).state == SUCCESS
    assert submits(control, api) == submitted


def test_generations_have_markers_of_their_own() -> None:
    identity = identity_of({"ti": TaskInstance()})
    assert identity is not None
    assert len({replace(identity, generation=number).marker for number in range(3)}) == 3


def test_a_clear_cancels_the_job_that_nobody_went_on_with(control: Control) -> None:
    attempts = Attempts(DLI)
    control.create_job(DLI.api, "left", "forever")
    attempts.store.set(STORED, {"epoch": attempts.ti.max_tries - 1, "at": 0.0, "keys": ["left"]})
    assert attempts.run()["outcome"] == "succeeded"
    assert control.stats()["cancels"] == {DLI.api: 1}


def test_a_submit_that_no_cloud_takes_is_no_submit(control: Control) -> None:
    control.fault("http", "submit", status=429, code="Throttling.User", retry_after=FOR_TOO_LONG)
    attempts = Attempts(DMS_UPLOAD)
    with pytest.raises(SubmitFailed):
        attempts.run()
    assert STORED not in attempts.store
