# SPDX-License-Identifier: Apache-2.0
"""The catalogue's APIs: how many jobs the clouds take, how many polls several jobs are, keys that are numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG
from catalogue_matrix import INTERVAL, prepare, task
from support.catalogue_cases import BY_ID, SERVED, Served
from support.jobapis import MODES
from taskbench import FAILED, RETRY, SUCCESS, Attempts, run

from airflow_cloudjobs.alibaba.jobs import AlibabaJobOperator
from airflow_cloudjobs.apis import declared_api
from airflow_cloudjobs.exceptions import JobFailed, SubmitOutcomeUnknown, TaskRefused
from airflow_cloudjobs.huawei.jobs import HuaweiJobOperator
from airflow_cloudjobs.jobs.many import as_list
from airflow_cloudjobs.localcloud import Control

pytestmark = pytest.mark.usefixtures("lucky", "impatient")

TOKENS = [row for row in SERVED if row.declared.takes_token]
MARKS = [row for row in SERVED if row.declared.find]
NEITHER = [row for row in SERVED if row not in TOKENS and row not in MARKS]
MPS = BY_ID["mps.transcode"]


def calls(control: Control, row: Served, name: str) -> int:
    """How often the cloud got a call of an API: ``submit``, ``poll`` ..."""
    return int(control.stats()["operations"].get(row.declared.calls[name].operation, {"calls": 0})["calls"])


def attempts(row: Served) -> Attempts:
    """A task that submits, again and again."""
    return Attempts(lambda: task(row, "blocking", row.submitting()))


def test_what_is_told_of_tokens_and_marks() -> None:
    assert [row.api for row in TOKENS] == [
        "emr.spark_job",
        "oos.execution",
        "ecs.command",
        "fc.async_task",
        "ice.media_producing",
    ]
    assert [row.api for row in MARKS] == ["imm.media_convert"]


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
@pytest.mark.parametrize("row", [*TOKENS, *MARKS], ids=str)
def test_a_lost_answer_is_one_job(row: Served, mode: str, control: Control) -> None:
    control.fault("reset", "submit", after_commit=True, count=1)
    ran = run(lambda: task(row, mode, row.submitting()))
    assert ran.state == SUCCESS, ran.error
    [job] = control.jobs(row.api)
    assert ran.result["job_key"] == job["key"]
    # A job that has a key of ours is seen to be there; only a token has to be sent again.
    assert calls(control, row, "submit") == (2 if row in TOKENS and not row.declared.key_given else 1)
    assert not row.declared.find or calls(control, row, "find") == 1


@pytest.mark.parametrize("row", NEITHER, ids=str)
def test_with_neither_a_lost_answer_is_a_person_s_to_see_to(row: Served, control: Control) -> None:
    prepare(control, row)
    control.fault("reset", "submit", after_commit=True, count=1)
    again = attempts(row)
    for _ in range(2):
        with pytest.raises(SubmitOutcomeUnknown):
            again.run()
    assert (len(control.jobs(row.api)), calls(control, row, "submit")) == (1, 1)


@pytest.mark.parametrize("row", SERVED, ids=str)
def test_a_retry_after_a_failed_job_is_another_one(row: Served, control: Control) -> None:
    prepare(control, row)
    control.plan(row.api, **row.life("failed"))
    again = attempts(row)
    with pytest.raises(JobFailed):
        again.run()
    [result] = as_list(again.run())
    assert result["outcome"] == "succeeded"
    stats = control.stats()
    assert (stats["submits"], stats["cancels"]) == ({row.api: 2}, {})
    keys = [job["key"] for job in control.jobs(row.api)]
    assert len(keys) == (1 if row.keyed else 2)  # a key that is the task's is that of its last job
    assert result["job_key"] == keys[-1]


@pytest.mark.parametrize("row", SERVED, ids=str)
def test_a_retry_goes_on_with_a_job_that_runs(row: Served, control: Control) -> None:
    """The worker is lost while it waits; the next one finds what was submitted."""
    prepare(control, row)
    again = attempts(row)
    make = again.make
    again.make = lambda: row.operator(task_id="t", **row.submitting(), wait_for_completion=False)
    [submitted] = as_list(again.run())
    again.make = make
    [result] = as_list(again.run())
    assert (result["job_key"], result["outcome"]) == (submitted["job_key"], "succeeded")
    assert calls(control, row, "submit") == 1


def outputs(*names: str) -> dict[str, Any]:
    """The parameters of a submit with several outputs."""
    arguments = MPS.submitting()
    [output] = arguments["parameters"]["Outputs"]
    arguments["parameters"]["Outputs"] = [{**output, "OutputObject": name} for name in names]
    return arguments


def test_of_several_jobs_only_the_failed_one_is_submitted_again(control: Control) -> None:
    control.plan(MPS.api, "fail", match="b.mp4")
    again = Attempts(lambda: task(MPS, "blocking", outputs("a.mp4", "b.mp4", "c.mp4")))
    with pytest.raises(JobFailed):
        again.run()
    first = [job["key"] for job in control.jobs(MPS.api)]
    results = again.run()
    assert [result["outcome"] for result in results] == ["succeeded"] * 3
    jobs = control.jobs(MPS.api)
    assert [job["fields"]["OutputObject"] for job in jobs] == ["a.mp4", "b.mp4", "c.mp4", "b.mp4"]
    assert [result["job_key"] for result in results] == [first[0], jobs[-1]["key"], first[2]]
    assert calls(control, MPS, "submit") == 2


def test_mapped_tasks_with_several_jobs_each(control: Control) -> None:
    with DAG("d", schedule=None):
        mapped = MPS.operator.partial(task_id="t", api=MPS.api, poll_interval=INTERVAL).expand(  # type: ignore[attr-defined]
            parameters=[outputs("a.mp4", "b.mp4")["parameters"], outputs("c.mp4")["parameters"]]
        )
    for given in (outputs("a.mp4", "b.mp4"), outputs("c.mp4")):
        ran = run(lambda given=given: mapped.unmap({"parameters": given["parameters"]}))  # type: ignore[misc]
        assert ran.state == SUCCESS
        assert len(ran.result) == len(given["parameters"]["Outputs"])
    assert [job["fields"]["OutputObject"] for job in control.jobs(MPS.api)] == ["a.mp4", "b.mp4", "c.mp4"]


def test_one_output_that_is_refused_names_the_jobs_that_were_started(control: Control) -> None:
    arguments = outputs("a.mp4", "b.mp4")
    del arguments["parameters"]["Outputs"][1]["TemplateId"]
    ran = run(lambda: task(MPS, "blocking", arguments))
    [job] = control.jobs(MPS.api)
    assert (ran.state, type(ran.error)) == (FAILED, TaskRefused)
    assert f"started were {job['key']}" in str(ran.error)
    assert "The output has no TemplateId" in str(ran.error)


@pytest.mark.parametrize("mode", ["poke", "deferrable sensor", "blocking"])
@pytest.mark.parametrize("row", [row for row in SERVED if row.declared.batch > 1], ids=str)
def test_ten_jobs_are_one_poll(row: Served, mode: str, control: Control) -> None:
    keys = [row.key(number) for number in range(10)]
    for key in keys:
        control.create_job(row.api, key, "fail" if key == keys[7] else "success")
    ran = run(lambda: task(row, mode, row.waiting(keys)))
    assert ran.state == (RETRY if mode == "blocking" else FAILED)
    assert [result["job_key"] for result in ran.result] == keys
    assert [result["outcome"] for result in ran.result] == ["failed" if key == keys[7] else "succeeded" for key in keys]
    polls = control.stats()["polls"][row.api]
    assert set(polls) == set(keys)
    assert calls(control, row, "poll") == max(polls.values()) < 10


@pytest.mark.parametrize("form", [int, str])
@pytest.mark.parametrize("mode", ["blocking", "poke", "deferrable sensor"])
@pytest.mark.parametrize("row", [row for row in SERVED if row.words.numbered], ids=str)
def test_a_key_that_is_a_number(row: Served, mode: str, form: Callable[[str], Any], control: Control) -> None:
    control.create_job(row.api, row.key())
    ran = run(lambda: task(row, mode, row.waiting(form(row.key()))))
    assert ran.state == SUCCESS
    assert ran.result["job_key"] == ran.ti.xcoms["job_key"] == row.key()


@pytest.mark.parametrize("row", [row for row in SERVED if row.words.numbered], ids=str)
def test_a_sensor_waits_by_the_number_that_an_operator_gives(row: Served, control: Control) -> None:
    arguments = row.submitting()
    submitted = run(lambda: row.operator(task_id="t", **arguments, wait_for_completion=False))
    key = submitted.ti.xcoms["job_key"]
    assert key.isdecimal()
    ran = run(lambda: task(row, "poke", row.waiting("{{ key }}")), key=key)
    assert (ran.state, ran.result["job_key"]) == (SUCCESS, key)


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
@pytest.mark.parametrize(
    ("api", "parameters"),
    [
        ("cdm.job", {"cluster_id": "c-1", "job_name": "每日同步"}),
        ("dataarts.job", {"job_name": "报表 一", "workspace": "w-1"}),
        ("imm.media_convert", {"ProjectName": "项目", "Sources": [{"URI": "oss://b/影片.mp4"}], "Targets": [{}]}),
    ],
)
def test_names_in_chinese(api: str, parameters: dict[str, Any], mode: str, control: Control) -> None:
    """In a path, a header's neighbour, a query and JSON inside of it."""
    cls = HuaweiJobOperator if declared_api(api).cloud == "huawei" else AlibabaJobOperator
    ran = run(lambda: cls(task_id="t", api=api, parameters=parameters, poll_interval=0.03, **MODES[mode][1]))
    assert ran.state == SUCCESS, ran.error
    [job] = control.jobs(api)
    assert [
        value for value in parameters.values() if isinstance(value, str) and value not in job["fields"].values()
    ] == []
