# SPDX-License-Identifier: Apache-2.0
"""Ten classes, five modes, every end: what Airflow makes of it, what the log says, what is in XCom."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.bases.sensor import PokeReturnValue
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSensorTimeout
from support.jobapis import APIS, DLI, DMS_EXPORT, DMS_UPLOAD, DRS, ICE, MODES, JobApi, stable
from taskbench import FAILED, RETRY, SKIPPED, SUCCESS, Ran, run

from airflow_cloudjobs.exceptions import JobFailed, JobFailedForGood, JobOutcomeUnknown, JobTimedOut, TaskRefused
from airflow_cloudjobs.localcloud import Control

INTERVAL = 0.03
KEY = "job-of-the-test"
REASON = "disk full on node 7"
CODE = "DiskFullError"
SCHEMA = ["api", "console_url", "job_key", "outcome", "request_id", "result", "status"]

Start = Callable[..., Ran]


@pytest.fixture
def start(control: Control, template: Path) -> Start:
    """Run one task on a job with a scripted end: an operator submits it, a sensor finds it."""

    def start(api: JobApi, mode: str, end: str | None = None, key: str = KEY, **options: Any) -> Ran:
        kind, arguments = MODES[mode]
        options |= arguments
        how: dict[str, Any] = {"reason": REASON, "code": CODE} if end == "fail" else {}
        if end == "forever":
            how["seconds"] = 0  # in its last status at once, so that it shows the same at every look
        if kind == "operator":
            control.plan(api.api, end, **how)
            if api is DRS:
                control.create_job("drs.job", key)
            options.setdefault("poll_interval", INTERVAL)
            if "timeout" in options:
                options["wait_timeout"] = options.pop("timeout")
            return run(lambda: api.operator(task_id="t", **api.submitting(key, str(template)), **options))
        control.create_job(api.api, key, end, fields=_fields(api), **how)
        options.setdefault("poke_interval", INTERVAL)
        return run(lambda: api.sensor(task_id="t", **api.waiting(key), **options))

    return start


def _fields(api: JobApi) -> dict[str, Any]:
    """What a job found by a sensor was submitted with: the same as by the operator."""
    if api is DMS_UPLOAD:
        return {"FileName": api.new["file_name"], "UploadURL": api.new["upload_url"]}
    if api is ICE:
        return {"UploadURL": api.new["upload_urls"]}
    return {}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("api", APIS, ids=str)
def test_success(api: JobApi, mode: str, start: Start, control: Control) -> None:
    ran = start(api, mode)

    assert (ran.state, ran.error) == (SUCCESS, None)
    assert sorted(ran.result) == SCHEMA
    assert ran.result["api"] == api.api
    assert (ran.result["outcome"], ran.result["status"]) == ("succeeded", api.success)
    assert ran.result["console_url"].startswith(api.console)
    assert ran.result["request_id"]
    assert ran.result["result"]
    [job] = control.jobs(api.api)
    assert ran.result["job_key"] == ran.ti.xcoms["job_key"] == job["key"]
    assert ran.ti.xcoms["console_url"] == ran.result["console_url"]
    assert ran.deferrals == ("deferrable" in mode)
    assert bool(ran.reschedules) == (mode == "reschedule")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("api", APIS, ids=str)
def test_failure(api: JobApi, mode: str, start: Start, control: Control) -> None:
    ran = start(api, mode, "fail")

    # A retry of an operator makes a new job; one of a sensor would only read the same end.
    operator = MODES[mode][0] == "operator"
    assert type(ran.error) is (JobFailed if operator else JobFailedForGood)
    assert isinstance(ran.error, AirflowException if operator else AirflowFailException)
    assert ran.state == (RETRY if operator else FAILED)
    assert sorted(ran.result) == SCHEMA, "who handles the failure downstream needs the result"
    assert (ran.result["outcome"], ran.result["status"]) == ("failed", api.failure)
    [job] = control.jobs(api.api)
    words = [api.api, job["key"], api.failure, ran.result["console_url"]]
    words += [REASON] if api.reason else ["no reason"]
    words += [CODE] if api.code else []
    words += [ran.result["request_id"]] if ran.result["request_id"] else []
    assert ran.result["request_id"]
    assert _missing(words, ran) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("api", APIS, ids=str)
def test_an_undocumented_status_is_never_success(api: JobApi, mode: str, start: Start) -> None:
    ran = start(api, mode, "unknown")

    assert type(ran.error) is JobOutcomeUnknown
    assert ran.state == FAILED
    assert _missing([api.api, ran.ti.xcoms["job_key"], "'ARCHIVING'", "undocumented", api.console], ran) == []
    assert ran.ti.xcoms["return_value"]["outcome"] not in ("succeeded", "failed", "cancelled")
    assert ran.log.count("WARNING") == 1, "it is said once"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("api", APIS, ids=str)
def test_time_runs_out(api: JobApi, mode: str, start: Start, control: Control) -> None:
    began = time.time()
    ran = start(api, mode, "forever", timeout=2.0)
    lasted = time.time() - began

    assert type(ran.error) is JobTimedOut
    assert isinstance(ran.error, AirflowSensorTimeout)
    assert ran.state == FAILED
    [job] = control.jobs(api.api)
    assert _missing([api.api, job["key"], "ran out while the job was", api.console], ran) == []
    assert job["status"] is None or f"was {job['status']}" in str(ran.error) or api is DLI
    asked = [request["time"] for request in control.stats(1000)["requests"] if request["operation"] == api.poll]
    assert lasted >= 2.0
    assert asked[-1] - began >= 1.0, "the last look is made when time is up"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_key_that_the_cloud_does_not_know(api: JobApi, mode: str, control: Control, template: Path) -> None:
    kind, arguments = MODES[mode]
    if kind == "sensor":
        ran = run(lambda: api.sensor(task_id="t", **api.waiting("nope"), poke_interval=5, **arguments))
    elif api.adopts:
        ran = run(lambda: api.operator(task_id="t", **api.waiting("nope"), poll_interval=5, **arguments))
    else:
        ran = run(lambda: api.operator(task_id="t", **api.submitting("nope", str(template)), **arguments))

    assert ran.state == FAILED
    assert type(ran.error) is (JobOutcomeUnknown if kind == "sensor" or api.adopts else TaskRefused)
    words = [api.api, api.console, "request id"] if type(ran.error) is JobOutcomeUnknown else [api.api, "request id"]
    assert _missing(words, ran) == []
    assert "not know" in str(ran.error) or "not exist" in str(ran.error)
    calls = control.stats()["operations"]
    # DRS may say so of a job without a template too, so the submit is made, which is refused.
    assert (api.submit in calls) == (kind == "operator" and not api.adopts)
    assert control.stats()["submits"] == {}
    assert calls[api.poll]["calls"] == 1
    assert ran.deferrals == 0


@pytest.mark.parametrize(
    ("api", "settings"),
    [
        (DMS_UPLOAD, {"dms_not_found": "http"}),
        (DMS_UPLOAD, {"dms_not_found": "absent"}),
        (DMS_EXPORT, {"dms_not_found": "http"}),
        (DMS_EXPORT, {"dms_not_found": "absent"}),
        (ICE, {"ice_non_exists": "plain"}),
        (DLI, {"dli_not_found": "DLI.0023"}),
    ],
    ids=str,
)
def test_other_forms_of_not_found(api: JobApi, settings: dict[str, str], control: Control) -> None:
    control.settings(**settings)
    ran = run(lambda: api.sensor(task_id="t", **api.waiting("nope"), poke_interval=5))
    assert (type(ran.error), ran.state) == (JobOutcomeUnknown, FAILED)
    assert "not know" in str(ran.error) or "not exist" in str(ran.error)


@pytest.mark.parametrize("end", ["success", "fail"])
@pytest.mark.parametrize("api", APIS, ids=str)
def test_the_result_is_the_same_in_every_mode(api: JobApi, end: str, start: Start, control: Control) -> None:
    results = {}
    for mode in MODES:
        control.reset()
        results[mode] = stable(api, start(api, mode, end).result)
    expected = results["blocking"]
    for mode, result in results.items():
        assert sorted(result["result"]) == sorted(expected["result"]), mode
        # The job found by a sensor was made without its sizes and settings.
        assert {**result, "result": None} == {**expected, "result": None}, mode
    sensors = [result for mode, result in results.items() if MODES[mode][0] == "sensor"]
    assert sensors[0] == sensors[1] == sensors[2]
    assert results["blocking"] == results["deferrable"]


@pytest.mark.parametrize("mode", MODES)
def test_a_cancelled_job(mode: str, start: Start) -> None:
    ran = start(DLI, mode, "cancelled")

    operator = MODES[mode][0] == "operator"
    assert type(ran.error) is (JobFailed if operator else JobFailedForGood)
    assert (ran.result["outcome"], ran.result["status"]) == ("cancelled", "CANCELLED")
    assert _missing([DLI.api, ran.result["job_key"], "CANCELLED", ran.result["request_id"], DLI.console], ran) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_cancelled_upload(mode: str, start: Start) -> None:
    ran = start(ICE, mode, "Cancelled")
    assert (ran.result["outcome"], ran.result["status"]) == ("cancelled", "Cancelled")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("api", [DMS_UPLOAD, DMS_EXPORT, ICE, DLI], ids=str)
def test_no_status_is_never_success(api: JobApi, mode: str, start: Start) -> None:
    ran = start(api, mode, "null")
    assert (type(ran.error), ran.state) == (JobOutcomeUnknown, FAILED)


@pytest.mark.parametrize("word", ["SUCCESS", "success", "Normal", "nOrMaL"])
def test_ice_compares_without_case(word: str, control: Control) -> None:
    control.create_job(ICE.api, KEY, steps=[(word, 0)])
    ran = run(lambda: ICE.sensor(task_id="t", job_ids=KEY))
    assert (ran.state, ran.result["status"]) == (SUCCESS, word)


@pytest.mark.parametrize("api", [DMS_UPLOAD, DMS_EXPORT, DLI], ids=str)
def test_others_compare_with_case(api: JobApi, control: Control) -> None:
    control.create_job(api.api, KEY, steps=[(api.success.lower(), 0)])
    ran = run(lambda: api.sensor(task_id="t", **api.waiting(KEY), poke_interval=INTERVAL))
    assert type(ran.error) is JobOutcomeUnknown


@pytest.mark.parametrize(
    ("api", "mode"),
    [(api, mode) for api in APIS for mode, (kind, _) in MODES.items() if kind == "sensor" or api.adopts],
    ids=str,
)
def test_a_job_that_has_ended_is_not_waited_for(api: JobApi, mode: str, control: Control) -> None:
    kind, arguments = MODES[mode]
    control.create_job(api.api, KEY, steps=[(api.success, 0)])
    make = api.operator if kind == "operator" else api.sensor
    ran = run(lambda: make(task_id="t", **api.waiting(KEY), **arguments))

    assert ran.state == SUCCESS
    assert (ran.deferrals, ran.reschedules) == (0, 0)
    assert control.stats()["operations"][api.poll]["calls"] == 1
    assert api.submit not in control.stats()["operations"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("api", APIS, ids=str)
def test_the_key_is_in_xcom_before_the_first_poll(api: JobApi, mode: str, start: Start, control: Control) -> None:
    ran = start(api, mode)

    requests = control.stats(1000)["requests"]
    first = [request["operation"] for request in requests].index(api.poll)
    if api is DRS and MODES[mode][0] == "operator":  # the poll before the upload is about an earlier one
        first = [request["operation"] for request in requests].index(api.poll, first + 1)
    key, pushed = ran.ti.pushed[0]
    assert key == "job_key"
    assert pushed <= requests[first]["time"]
    if MODES[mode][0] == "operator":
        submitted = next(request for request in requests if request["operation"] == api.submit)
        assert submitted["time"] <= pushed


@pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable sensor"])
@pytest.mark.parametrize("end", ["fail", "forever", "unknown", "nope"])
def test_sensors_that_skip_instead_of_failing(flag: str, mode: str, end: str, start: Start) -> None:
    if end == "nope":
        arguments = MODES[mode][1]
        ran = run(lambda: DLI.sensor(task_id="t", job_id="nope", **arguments, **{flag: True}))
    else:
        ran = start(DLI, mode, end, timeout=0.5 if end == "forever" else 60, **{flag: True})
    assert ran.state == SKIPPED
    reasons = {"fail": REASON, "forever": "ran out while the job was", "unknown": "ARCHIVING", "nope": "nope"}
    assert ran.error is not None
    assert reasons[end] in f"{ran.log} {ran.error}", "Airflow logs a skip without its cause"


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_submit_that_is_not_waited_for(
    api: JobApi, deferrable: bool, start: Start, control: Control, template: Path
) -> None:
    mode = "deferrable" if deferrable else "blocking"
    ran = start(api, mode, "forever", wait_for_completion=False)

    assert ran.state == SUCCESS
    assert sorted(ran.result) == SCHEMA
    assert ran.result["outcome"] == "submitted"
    [job] = control.jobs(api.api)
    assert ran.result["job_key"] == job["key"]
    assert job["polls"] == (1 if api is DRS else 0), "that of DRS is made before the submit"
    assert control.stats()["submits"] == {api.api: 1}


def _missing(words: list[str], ran: Ran) -> list[str]:
    """Words that the exception, and so the task's log, lacks."""
    assert ran.error is not None
    return [word for word in words if word not in str(ran.error)]


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_airflows_own_time_out_is_skipped_too_where_a_sensor_never_fails(
    mode: str, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(self: Any, context: Any) -> PokeReturnValue:
        time.sleep(1.1)  # as on a machine that is busy just when time runs out
        return PokeReturnValue(False)

    monkeypatch.setattr(DLI.sensor, "_poke", late)
    control.create_job(DLI.api, "k", "forever")
    ran = run(lambda: DLI.sensor(task_id="t", job_id="k", timeout=1.0, never_fail=True, **MODES[mode][1]))
    assert ran.state == SKIPPED
