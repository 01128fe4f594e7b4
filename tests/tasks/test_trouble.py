# SPDX-License-Identifier: Apache-2.0
"""Trouble between us and the cloud: a poll rides it out, a submit never doubles a job."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.jobapis import APIS, DLI, DMS_EXPORT, DMS_UPLOAD, DRS, ICE, MODES, JobApi
from taskbench import FAILED, RETRY, SUCCESS, Ran, run

from airflow_cloudjobs.exceptions import (
    JobOutcomeUnknown,
    JobTimedOut,
    SubmitFailed,
    SubmitOutcomeUnknown,
    TaskRefused,
)
from airflow_cloudjobs.localcloud import Control, LocalCloud

FAST = 0.03
TROUBLE: dict[str, dict[str, Any]] = {
    "503": {"kind": "http", "status": 503},
    "500": {"kind": "http", "status": 500, "code": "InternalError"},
    "504": {"kind": "http", "status": 504},
    "429": {"kind": "throttle", "retry_after": "0"},
    "reset": {"kind": "reset"},
    "html": {"kind": "html"},
    "html 200": {"kind": "html", "status": 200},
    "truncated": {"kind": "truncated"},
    "broken": {"kind": "truncated", "broken": True},
    "empty 502": {"kind": "empty", "status": 502},
    "hang": {"kind": "hang", "delay": 0.2},
}
#: After these the cloud may have taken the job.
UNCLEAR: dict[str, dict[str, Any]] = {
    "reset": {"kind": "reset", "after_commit": True},
    "hang": {"kind": "hang", "after_commit": True, "delay": 0.2},
    "503": {"kind": "http", "status": 503, "after_commit": True},
    "truncated": {"kind": "truncated"},
    "html": {"kind": "html", "after_commit": True},
}
FINDABLE = (DLI, ICE)
NOT_FINDABLE = (DMS_UPLOAD, DMS_EXPORT, DRS)


def _submit(api: JobApi, control: Control, template: Path, **options: Any) -> Ran:
    control.create_job("drs.job", "task-1")
    new = api.submitting("task-1", str(template))
    return run(lambda: api.operator(task_id="t", **new, poll_interval=FAST, **options))


def _sense(api: JobApi, **options: Any) -> Ran:
    return run(lambda: api.sensor(task_id="t", **api.waiting("k"), poke_interval=FAST, **options))


@contextmanager
def _beside(act: Callable[[], None]) -> Iterator[None]:
    """Do something while a task runs; what it asserts holds for the test."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(act)
        yield
    done.result()


def _until(reached: Callable[[], bool], complaint: str) -> None:
    end = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < end, complaint
        time.sleep(0.01)


def _end(control: Control, api: JobApi, end: str) -> None:
    (job,) = control.jobs(api.api)
    control.set_script(api.api, job["key"], end, seconds=0.0)


def _polls(control: Control, api: JobApi = DLI) -> int:
    return sum(control.stats(0)["polls"].get(api.api, {}).values())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.usefixtures("lucky")
def test_polls_ride_it_out(trouble: str, mode: str, control: Control, template: Path) -> None:
    kind, arguments = MODES[mode]
    # Two clouds, and in the middle of the wait as well as at its first look.
    apis = ((DMS_UPLOAD, "success"), (DLI, "fail"))
    # A triggerer that was throttled goes on slowly for a while, so once is enough.
    for api, end in apis[1:2] if trouble == "429" else apis:
        control.reset()
        control.fault(target=api.poll, count=2, after=0 if end == "fail" else 1, **TROUBLE[trouble])

        def end_it(api: JobApi = api, end: str = end) -> None:
            _until(lambda: sum(control.stats(0)["faults_struck"].values()) == 2, "the trouble was not met")
            _end(control, api, end)

        with _beside(end_it):
            if kind == "operator":
                control.plan(api.api, "forever")
                ran = _submit(api, control, template, **arguments)
            else:
                control.create_job(api.api, "k", "forever")
                ran = _sense(api, **arguments)
        assert ran.result["outcome"] == ("succeeded" if end == "success" else "failed"), ran.log
        assert sum(control.stats()["faults_struck"].values()) == 2
        assert control.stats()["cancels"] == {}
        # In reschedule mode each look is a process of its own, which cannot know that it was said before.
        # Handed over to a triggerer, it is said once in the task's log and once in the trigger's.
        said = ran.log.count("WARNING")
        assert mode == "reschedule" or said == 1 or ("deferrable" in mode and said <= 2), ran.log


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("api", APIS, ids=str)
@pytest.mark.usefixtures("lucky")
def test_trouble_at_the_first_look(api: JobApi, mode: str, control: Control, template: Path) -> None:
    kind, arguments = MODES[mode]
    after = 1 if api is DRS and kind == "operator" else 0
    control.fault("reset", api.poll, count=1, after=after)
    if kind == "operator":
        ran = _submit(api, control, template, **arguments)
    else:
        control.create_job(api.api, "k")
        ran = run(lambda: api.sensor(task_id="t", **api.waiting("k"), poke_interval=FAST, **arguments))
    assert (ran.state, ran.error) == (SUCCESS, None)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.usefixtures("lucky")
def test_a_cloud_that_stays_away_is_a_timeout_and_not_a_failed_job(mode: str, control: Control) -> None:
    control.create_job(DLI.api, "k")
    control.fault("http", DLI.poll, status=503)
    kind, arguments = MODES[mode]
    if kind == "operator":
        ran = run(lambda: DLI.operator(task_id="t", job_id="k", poll_interval=FAST, wait_timeout=0.5, **arguments))
    else:
        ran = run(lambda: DLI.sensor(task_id="t", job_id="k", poke_interval=FAST, timeout=0.5, **arguments))
    assert type(ran.error) is JobTimedOut
    assert "503" in str(ran.error)
    assert control.stats()["cancels"] == {}


@pytest.mark.parametrize("mode", MODES)
def test_what_the_cloud_asks_for_is_waited(mode: str, control: Control) -> None:
    control.create_job(DLI.api, "k", steps=[("FINISHED", 0)])
    control.fault("throttle", DLI.poll, count=1, retry_after="1")
    kind, arguments = MODES[mode]
    make = DLI.operator if kind == "operator" else DLI.sensor
    fast = {"poll_interval": 1} if kind == "operator" else {"poke_interval": 1}
    assert run(lambda: make(task_id="t", job_id="k", **fast, **arguments)).state == SUCCESS
    first, second = (r["time"] for r in control.stats()["requests"] if r["operation"] == DLI.poll)
    assert second - first >= 0.99


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.usefixtures("lucky")
def test_a_permission_that_is_taken_away(mode: str, control: Control) -> None:
    control.create_job(DMS_UPLOAD.api, "k")
    control.fault("http", DMS_UPLOAD.poll, status=403, code="Forbidden.RAM", message="not allowed", after=1)
    kind, arguments = MODES[mode]
    make = DMS_UPLOAD.operator if kind == "operator" else DMS_UPLOAD.sensor
    fast = {"poll_interval": FAST} if kind == "operator" else {"poke_interval": FAST}
    ran = run(lambda: make(task_id="t", job_key="k", **fast, **arguments))
    assert (type(ran.error), ran.state) == (JobOutcomeUnknown, FAILED)
    assert "Forbidden.RAM" in str(ran.error)
    assert "RAM" in str(ran.error)
    assert control.stats()["operations"][DMS_UPLOAD.poll]["calls"] == 2, "asking again would not help"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.usefixtures("lucky")
def test_a_refusal_that_no_table_knows_is_waited_out(mode: str, control: Control) -> None:
    kind, arguments = MODES[mode]
    make = DLI.operator if kind == "operator" else DLI.sensor
    interval = "poll_interval" if kind == "operator" else "poke_interval"
    control.create_job(DLI.api, "k", steps=[("FINISHED", 0)])
    control.fault("http", DLI.poll, status=400, code="DLI.7777", message="something new", count=2)
    # What no table lists is waited out for ten intervals: seconds here, which no busy machine uses up, and less below.
    assert run(lambda: make(task_id="t", job_id="k", **{interval: 1.0}, **arguments)).state == SUCCESS
    control.fault("http", DLI.poll, status=400, code="DLI.7777", message="something new")
    ran = run(lambda: make(task_id="t", job_id="k", **{interval: FAST}, **arguments))
    assert (type(ran.error), ran.state) == (JobOutcomeUnknown, FAILED)
    assert "DLI.7777" in str(ran.error)


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
@pytest.mark.parametrize(
    ("api", "status", "code"),
    [
        (DMS_UPLOAD, 404, "JobNotExist"),
        (DMS_UPLOAD, 200, "JobNotExist"),
        (DMS_EXPORT, 404, "JobNotExist"),
        (DLI, 400, "DLI.0002"),
        (DLI, 404, "DLI.0023"),
    ],
)
@pytest.mark.usefixtures("lucky")
def test_a_job_of_our_own_may_not_be_known_yet(
    api: JobApi, status: int, code: str, mode: str, control: Control, template: Path
) -> None:
    control.fault("http", api.poll, status=status, code=code, message="The job does not exist.", count=2)
    ran = _submit(api, control, template, **MODES[mode][1])
    assert (ran.state, ran.error) == (SUCCESS, None)
    assert control.stats()["submits"] == {api.api: 1}


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("api", APIS, ids=str)
@pytest.mark.usefixtures("lucky")
def test_a_throttled_submit_is_made_again(api: JobApi, deferrable: bool, control: Control, template: Path) -> None:
    control.fault("throttle", api.submit, count=2, retry_after="0")
    ran = _submit(api, control, template, deferrable=deferrable)
    assert (ran.state, ran.error) == (SUCCESS, None)
    assert control.stats()["submits"] == {api.api: 1}
    assert control.stats()["operations"][api.submit]["calls"] == 3


@pytest.mark.parametrize("status", [408, 429])
@pytest.mark.parametrize("api", APIS, ids=str)
@pytest.mark.usefixtures("lucky")
def test_a_submit_that_a_firewalls_page_puts_off_is_made_again(
    api: JobApi, status: int, control: Control, template: Path
) -> None:
    control.fault("html", "submit", status=status, count=1)
    ran = _submit(api, control, template)
    assert (ran.state, ran.error) == (SUCCESS, None)
    assert control.stats()["operations"][api.submit]["calls"] == 2


@pytest.mark.parametrize("status", [400, 413, 414, 431, 451])
@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_submit_that_a_page_refuses_is_refused(api: JobApi, status: int, control: Control, template: Path) -> None:
    control.fault("html", "submit", status=status)
    ran = _submit(api, control, template)
    assert type(ran.error) is TaskRefused
    assert control.stats()["operations"][api.submit]["calls"] == 1, "asking again would not help"
    assert ("fewer addresses or tables a task" in str(ran.error)) is (status in (413, 414, 431))


@pytest.mark.parametrize("fault", UNCLEAR)
@pytest.mark.parametrize("api", NOT_FINDABLE, ids=str)
@pytest.mark.usefixtures("impatient")
def test_a_submit_of_unknown_fate_is_not_made_again(api: JobApi, fault: str, control: Control, template: Path) -> None:
    control.fault(target=api.submit, count=1, **UNCLEAR[fault])
    ran = _submit(api, control, template)
    assert type(ran.error) is SubmitOutcomeUnknown
    assert ran.state == FAILED, "Airflow's own retry would double it"
    assert control.stats()["submits"] == {api.api: 1}
    assert control.stats()["operations"][api.submit]["calls"] == 1
    assert [word for word in (api.api, api.console, "may or may not") if word not in str(ran.error)] == []
    assert "job_key" not in ran.ti.xcoms


@pytest.mark.parametrize("fault", UNCLEAR)
@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
@pytest.mark.parametrize("api", FINDABLE, ids=str)
@pytest.mark.usefixtures("impatient")
def test_a_submit_of_unknown_fate_is_looked_up(
    api: JobApi, mode: str, fault: str, control: Control, template: Path
) -> None:
    control.fault(target=api.submit, count=1, **UNCLEAR[fault])
    ran = _submit(api, control, template, **MODES[mode][1])
    assert (ran.state, ran.error) == (SUCCESS, None)
    assert control.stats()["submits"] == {api.api: 1}
    [job] = control.jobs(api.api)
    assert ran.result["job_key"] == ran.ti.xcoms["job_key"] == job["key"]


@pytest.mark.parametrize("api", FINDABLE, ids=str)
@pytest.mark.usefixtures("impatient", "lucky")
def test_a_submit_that_is_lost_on_the_way_is_made_again(api: JobApi, control: Control, template: Path) -> None:
    control.fault("reset", api.submit, count=1)
    ran = _submit(api, control, template)
    assert (ran.state, ran.error) == (SUCCESS, None)
    assert control.stats()["submits"] == {api.api: 1}


@pytest.mark.parametrize("api", FINDABLE, ids=str)
@pytest.mark.usefixtures("impatient")
def test_without_durability_nothing_is_looked_up(api: JobApi, control: Control, template: Path) -> None:
    control.fault("reset", api.submit, count=1, after_commit=True)
    ran = _submit(api, control, template, durable=False)
    assert type(ran.error) is SubmitOutcomeUnknown
    assert control.stats()["submits"] == {api.api: 1}
    assert dict(ran.store) == {}


@pytest.mark.parametrize("api", [DMS_UPLOAD, DLI], ids=str)
def test_a_cloud_that_cannot_be_reached_has_taken_nothing(
    api: JobApi, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, template: Path
) -> None:
    for name, connection in (("ALIBABA", cloud.alibaba_connection()), ("HUAWEI", cloud.huawei_connection())):
        extra = {**connection["extra"], "project_id": "0" * 32}
        there = json.dumps({**connection, "port": 1, "extra": extra})
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}CLOUD_DEFAULT", there)
    monkeypatch.setattr("airflow_cloudjobs.submit.CALL_PATIENCE", 0.0)
    ran = run(lambda: api.operator(task_id="t", **api.submitting("", str(template))))
    assert type(ran.error) is SubmitFailed
    assert ran.state == RETRY, "a retry may find it"
    assert "connection" in str(ran.error)


@pytest.mark.parametrize("mode", ["blocking", "poke", "deferrable", "deferrable sensor"])
def test_a_clock_twenty_minutes_off_is_corrected(mode: str, control: Control, template: Path) -> None:
    control.skew_clock(1200)
    kind, arguments = MODES[mode]
    if kind == "operator":
        ran = _submit(DLI, control, template, **arguments)
    else:
        control.create_job(DLI.api, "k")
        ran = run(lambda: DLI.sensor(task_id="t", job_id="k", poke_interval=FAST, **arguments))
    assert (ran.state, ran.error) == (SUCCESS, None)
    assert "clock" in ran.log


@pytest.mark.parametrize("mode", MODES)
def test_a_token_that_ends_in_the_middle(
    mode: str, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, template: Path
) -> None:
    control = cloud.control
    monkeypatch.setenv("AIRFLOW_CONN_HUAWEICLOUD_DEFAULT", json.dumps(cloud.huawei_connection(auth="token")))
    kind, arguments = MODES[mode]

    def polled_again() -> None:
        wanted = _polls(control) + 2
        _until(lambda: _polls(control) >= wanted, "it is not polled any more")

    def expire() -> None:
        polled_again()
        assert control.expire_tokens() > 0
        polled_again()
        _end(control, DLI, "success")

    with _beside(expire):
        if kind == "operator":
            control.plan(DLI.api, "forever")
            ran = _submit(DLI, control, template, **arguments)
        else:
            control.create_job(DLI.api, "k", "forever")
            ran = _sense(DLI, **arguments)
    assert (ran.state, ran.error) == (SUCCESS, None)
    shown = f"{ran.log} {ran.triggers} {ran.events} {ran.ti.xcoms} {ran.store}"
    assert "MIILOCAL" not in shown
    if mode != "reschedule":  # where each look logs in anew
        assert control.stats()["operations"][DLI.poll]["refused"], "it was refused once, and renewed"


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "reschedule"])
@pytest.mark.parametrize("cloud_name", ["alibaba", "huawei"])
@pytest.mark.parametrize("revoked", [False, True])
def test_keys_are_rotated_while_jobs_run(
    revoked: bool, cloud_name: str, mode: str, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is read again once its key is refused, however long that was after it was read."""
    control = cloud.control
    api = DLI if cloud_name == "huawei" else DMS_UPLOAD
    kind, arguments = MODES[mode]

    def keep(key: dict[str, Any]) -> None:
        whole = cloud.huawei_connection() if api is DLI else cloud.alibaba_connection(auth="sts")
        whole["extra"]["security_token"] = key["security_token"]
        whole |= {"login": key["access_key"], "password": key["secret"]}
        monkeypatch.setenv(f"AIRFLOW_CONN_{cloud_name.upper()}CLOUD_DEFAULT", json.dumps(whole))

    old, new = control.issue_credentials(cloud_name), control.issue_credentials(cloud_name)
    keep(old)

    def rotate() -> None:
        _until(lambda: _polls(control, api) >= 2, "it is not polled")
        keep(new)
        (control.disable_key if revoked else control.expire_credentials)(old["access_key"])
        wanted = _polls(control, api) + 2
        _until(lambda: _polls(control, api) >= wanted, "it is not polled any more")
        _end(control, api, "success")

    with _beside(rotate):
        if kind == "operator":
            control.plan(api.api, "forever")
            ran = run(lambda: api.operator(task_id="t", **api.submitting(), poll_interval=FAST, **arguments))
        else:
            control.create_job(api.api, "k", "forever")
            ran = _sense(api, **arguments)
    assert (ran.state, ran.error) == (SUCCESS, None)
    operations = control.stats()["operations"].values()
    assert sum(sum(each["refused"].values()) for each in operations) == 1, "once refused, then the new one"
    assert new["secret"] not in f"{ran.log} {ran.triggers} {ran.events} {ran.ti.xcoms} {ran.store}"


def test_an_expired_security_token_is_named(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    key = cloud.control.issue_credentials("alibaba")
    connection = cloud.alibaba_connection(auth="sts", security_token=key["security_token"])
    connection |= {"login": key["access_key"], "password": key["secret"]}
    monkeypatch.setenv("AIRFLOW_CONN_ALIBABACLOUD_DEFAULT", json.dumps(connection))
    cloud.control.create_job(ICE.api, "k", steps=[("SUCCESS", 0)])
    assert run(lambda: ICE.sensor(task_id="t", job_ids="k")).state == SUCCESS
    cloud.control.expire_credentials(key["access_key"])
    ran = run(lambda: ICE.sensor(task_id="t", job_ids="k"))
    assert ran.state == FAILED
    assert "security token has expired" in str(ran.error)
    assert key["security_token"] not in f"{ran.error} {ran.log}"


@pytest.mark.usefixtures("lucky")
def test_a_refusal_in_http_200_is_one(control: Control) -> None:
    control.fault("http", DMS_UPLOAD.submit, status=200, code="InvalidParameter", message="no good", count=1)
    ran = run(lambda: DMS_UPLOAD.operator(task_id="t", **DMS_UPLOAD.new))
    assert type(ran.error) is TaskRefused
    assert "no good" in str(ran.error)
    control.fault("http", DLI.submit, status=200, code="", message="resource is short", count=1)
    ran = run(lambda: DLI.operator(task_id="t", **DLI.new))
    assert isinstance(ran.error, (TaskRefused, SubmitFailed))
    assert "resource is short" in str(ran.error)
