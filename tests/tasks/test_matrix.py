# SPDX-License-Identifier: Apache-2.0
"""The matrix of tasks, modes and ends on a real Airflow: scheduler, workers, triggerer, API server."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.catalogue_cases import SHAPES
from support.jobapis import APIS, DLI, ICE, MODES, JobApi, stable
from support.matrix_cases import CASES, Case
from support.matrix_run import JOB_SECONDS, Matrix, Task

from airflow_cloudjobs.jobs.many import as_list
from airflow_cloudjobs.localcloud.scripts import VOCABULARIES

SCHEMA = ["api", "console_url", "job_key", "outcome", "request_id", "result", "status"]


def _reason(case: Case, task: Task) -> list[str]:
    """What the task's log must hold, so that nobody has to look elsewhere."""
    words = [case.api.api, *map(str, as_list(task.job_key or case.key))]
    [result] = as_list(task.result)
    if case.end == "failed":
        vocabulary = VOCABULARIES[case.api.api]
        words += [f"{case.api.failure}: "]
        words += [vocabulary.reason] if case.api.reason else []
        words += [vocabulary.code] if case.api.code else []
        words += [result["request_id"], result["console_url"]]
    elif case.end == "cancelled":
        words += ["CANCELLED: ", result["request_id"], result["console_url"]]
    elif case.end == "unknown status":
        words += ["undocumented status 'ARCHIVING'", case.api.console]
    elif case.end == "timeout":
        words += [" ran out", case.api.console]
    elif case.end == "unknown key":
        words += ["request id", "exist" if case.api is not ICE else "does not know"]
    return words


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case(case: Case, matrix: Matrix) -> None:
    task = matrix.of(case)

    assert task.state == case.state, task.log[-3000:]
    assert task.tries == 1
    assert [word for word in _reason(case, task) if word not in task.log] == []
    waited = case.end != "unknown key"
    assert task.deferrals == (1 if waited and "deferrable" in case.mode else 0)
    assert len(task.trigger_logs) == task.deferrals
    assert bool(task.reschedules) == (waited and case.mode == "reschedule")
    if case.end in ("succeeded", "failed", "cancelled"):
        [result], [key] = as_list(task.result), as_list(task.job_key)
        assert sorted(result) == SCHEMA
        assert result["outcome"] == case.end
        assert result["job_key"] == key
    elif case.end == "unknown key":
        assert task.result is None or task.result["outcome"] == "submitted"


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
@pytest.mark.parametrize("api", APIS, ids=str)
def test_the_result_is_the_same_in_every_mode(api: JobApi, end: str, matrix: Matrix) -> None:
    cases = [case for case in CASES if (case.dag, case.api, case.end) == ("ends", api, end)]
    if end == "cancelled" and api is not DLI:
        assert cases == []
        return
    results: dict[str, dict[str, Any]] = {case.mode: stable(api, matrix.of(case).result) for case in cases}
    assert list(results) == list(MODES)
    expected = results["blocking"]
    for mode, result in results.items():
        assert sorted(result["result"]) == sorted(expected["result"]), mode
        assert {**result, "result": None} == {**expected, "result": None}, mode
    assert results["blocking"]["result"].keys() == results["deferrable"]["result"].keys()
    assert results["poke"] == results["reschedule"] == results["deferrable sensor"]


def test_each_operator_submitted_once(matrix: Matrix) -> None:
    for api in (*APIS, *SHAPES):
        expected = sum(1 for case in CASES if case.api is api and case.submits and case.end != "unknown key")
        extras = {"dms.file_upload": 1 + 3 + 1, "dms.data_track_export": 1, "ice.url_upload": 2, "dli.sql_job": 9}
        assert matrix.stats["submits"][api.api] == expected + extras.get(api.api, 0), api


def test_only_own_jobs_that_nobody_waits_for_any_more_were_cancelled(matrix: Matrix) -> None:
    left = ("timeout", "unknown status")
    own = [case for case in CASES if case.api is DLI and case.end in left and case.submits]
    cancelled = {key for r in matrix.stats["requests"] if r["operation"] == "CancelSqlJob" for key in r["keys"]}
    assert cancelled == {matrix.of(case).job_key for case in own} | {
        _jobs_out_of_time(task_id, matrix)[0]["key"] for task_id in OUT_OF_TIME
    }


def test_no_job_of_the_catalogue_was_cancelled(matrix: Matrix) -> None:
    """Each has come to its own end."""
    jobs = {(job["api"], job["key"]): job for job in matrix.jobs}
    for case in CASES:
        if case.api in SHAPES:
            [key] = as_list(matrix.of(case).job_key)
            job = jobs[case.api.api, key]
            assert (job["ended"], job["succeeded"]) == (True, case.end == "succeeded"), case
            assert job["polls"] >= 2, case
    assert not set(matrix.stats["cancels"]) & {row.api for row in SHAPES}


def test_one_task_after_the_other(matrix: Matrix) -> None:
    submit, sense = matrix.task("submit"), matrix.task("sense")
    assert (submit.state, sense.state) == ("success", "success")
    assert submit.result["outcome"] == "submitted"
    assert submit.result["job_key"] == submit.job_key == sense.job_key == sense.result["job_key"]
    assert sense.result["outcome"] == "succeeded"


def test_a_job_that_is_not_awaited(matrix: Matrix) -> None:
    task = matrix.task("not_awaited")
    assert (task.state, task.result["outcome"]) == ("success", "submitted")
    [job] = [job for job in matrix.jobs if job["key"] == task.job_key]
    assert job["polls"] == 0
    assert not job["ended"]


def test_mapped_tasks(matrix: Matrix) -> None:
    uploads = [matrix.task("mapped_operator", index) for index in range(3)]
    assert [task.state for task in uploads] == ["success"] * 3
    assert len({task.job_key for task in uploads}) == 3
    assert all(task.deferrals == 1 for task in uploads)
    sensors = [matrix.task("mapped_sensor", index) for index in range(2)]
    assert [task.state for task in sensors] == ["success"] * 2
    assert [task.result["job_key"] for task in sensors] == ["mapped-one", "mapped-two"]


def test_the_keys_of_a_mapped_task(matrix: Matrix) -> None:
    task = matrix.task("sense_all")
    assert task.state == "success", task.log[-2000:]
    uploads = [matrix.task("mapped_operator", index).job_key for index in range(3)]
    assert task.job_key == uploads
    assert [result["job_key"] for result in task.result] == uploads


@pytest.mark.parametrize("name", ["many_poke", "many_deferrable", "many_adopted"])
def test_a_list_of_keys(name: str, matrix: Matrix) -> None:
    task = matrix.task(name)
    assert task.state == "success", task.log[-2000:]
    assert [result["job_key"] for result in task.result] == [f"many-{number:02d}" for number in range(12)]
    assert {result["outcome"] for result in task.result} == {"succeeded"}


@pytest.mark.parametrize("name", ["ended_operator", "ended_deferrable", "ended_reschedule", "ended_badly"])
def test_a_job_that_has_ended_is_not_waited_for(name: str, matrix: Matrix) -> None:
    task = matrix.task(name)
    assert task.state == ("failed" if name == "ended_badly" else "success")
    assert (task.deferrals, task.reschedules, task.trigger_logs) == (0, 0, [])


def test_an_operator_is_retried_with_a_new_job(matrix: Matrix) -> None:
    task = matrix.task("retried")
    assert (task.state, task.tries) == ("failed", 2)
    jobs = [job for job in matrix.jobs if "retried" in str(job["fields"].get("sql"))]
    assert len(jobs) == 2
    assert task.job_key == jobs[-1]["key"]


def test_a_sensor_is_not_retried(matrix: Matrix) -> None:
    task = matrix.task("not_retried")
    assert (task.state, task.tries) == ("failed", 1)
    assert "the table is gone" in task.log


#: The tasks that have too little time in their first attempt, and their SQL.
OUT_OF_TIME = {"execution_timeout_deferrable": "SELECT 30 ", "execution_timeout_blocking": "SELECT 31 "}


@pytest.mark.parametrize("task_id", OUT_OF_TIME)
def test_execution_timeout_ends_an_attempt(task_id: str, matrix: Matrix) -> None:
    task = matrix.task(task_id)
    assert (task.state, task.tries) == ("success", 2)
    jobs = _jobs_out_of_time(task_id, matrix)
    assert [job["status"] for job in jobs] == ["CANCELLED", "FINISHED"], "nobody waited for the first one any more"
    assert task.job_key == jobs[1]["key"]
    if task_id.endswith("deferrable"):
        assert task.deferrals == 2
        assert any("ran out" in log for log in (task.log, *task.trigger_logs))  # Airflow 2: in the latter


def _jobs_out_of_time(task_id: str, matrix: Matrix) -> list[dict[str, Any]]:
    return [job for job in matrix.jobs if OUT_OF_TIME[task_id] in str(job["fields"])]


def test_the_link_to_the_console(matrix: Matrix) -> None:
    assert matrix.task("linked").state == "success"
    waiting, after = matrix.links
    assert waiting == {**after, "state": "deferred"}
    assert str(waiting["Cloud console"]).startswith(DLI.console)


@pytest.mark.parametrize(
    ("name", "state", "word"),
    [
        ("signed", "success", "https://files.test/signed.mp4"),
        ("signed_fails", "failed", "https://files.test/missing.mp4"),
        ("signed_sensor", "success", ""),
        ("signed_unknown", "failed", "answered 403"),
        ("secret_sql", "failed", "Job aborted"),
        ("refused_sql", "failed", "DLI.0004"),
        ("export", "success", ""),
        ("sts", "success", ""),
        ("iam", "success", ""),
        ("iam_wrong", "failed", "password"),
        ("ak_wrong", "failed", "secret is wrong"),
    ],
)
def test_tasks_with_secrets(name: str, state: str, word: str, matrix: Matrix) -> None:
    task = matrix.task(name)
    assert task.state == state, task.log[-2000:]
    assert word in f"{task.log} {task.result}"


def test_no_secret_is_left_anywhere(matrix: Matrix) -> None:
    """Neither in a log nor in the database; the connections are in neither."""
    assert any(name.endswith(".db") for name in matrix.kept)
    assert sum(name.endswith(".log") for name in matrix.kept) > len(CASES)
    leaks = [
        (what, name, _around(content, secret))
        for what, secret in matrix.secrets.items()
        for name, content in matrix.kept.items()
        if secret.encode() in content
    ]
    assert leaks == []


def _around(content: bytes, secret: str) -> str:
    """Where it is, without the secret itself."""
    place = content.index(secret.encode())
    before, after = content[max(0, place - 150) : place], content[place + len(secret) :][:50]
    return re.sub(r"[^\x20-\x7e]+", " ", f"{before.decode('latin-1')}<here>{after.decode('latin-1')}")


def test_a_failure_is_handled_downstream(matrix: Matrix) -> None:
    handler = matrix.task("handler")
    assert handler.state == "success", handler.log[-2000:]
    assert handler.result["result"]["UploadURL"] == "https://files.test/failed.txt"


def test_airflow_lists_the_provider(matrix: Matrix) -> None:
    assert "airflow-provider-cloudjobs" in matrix.providers


def test_jobs_are_seen_to_end_soon(matrix: Matrix) -> None:
    """A wait of a few seconds asks a few times: pauses begin at a second."""
    blocking = [case for case in CASES if case.dag == "ends" and case.mode == "blocking" and case.end == "succeeded"]
    for case in blocking:
        key = matrix.of(case).job_key
        polls = [r for r in matrix.stats["requests"] if r["operation"] == case.api.poll and key in r["keys"]]
        assert 2 <= len(polls) <= JOB_SECONDS / 0.8 + 3, case
