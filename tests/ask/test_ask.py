# SPDX-License-Identifier: Apache-2.0
"""Submits whose fate is unknown on a real Airflow, and a person who is asked: how many jobs, and how the task ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from airflow_cloudjobs.ask import ADOPT, ADOPT_KNOWN, ANEW, FAIL

if TYPE_CHECKING:
    from conftest import World

ASKING = ("awaiting_input", "deferred")


def test_a_person_sees_what_was_sent_and_gives_the_key(world: World) -> None:
    run = world.start("upload")
    question = run.question()
    assert question["options"] == [ADOPT, ANEW, FAIL]
    body = question["body"]
    for shown in (f'file_name: "{run.word}.sql"', "`upload`", f"`{run.run_id}`", " UTC", "https://dms.aliyun.com/"):
        assert shown in body
    assert "verysecret" not in body
    assert "http://127.0.0.1" in body, "where it was sent"
    [key] = run.jobs()
    run.answer(ADOPT, key=key)
    assert run.ended() == "success"
    assert run.jobs() == [key]
    assert run.xcom("job_key") == key
    assert run.xcom("return_value")["outcome"] == "succeeded"


def test_submit_anew_and_a_second_unknown_fate_asks_again(world: World) -> None:
    run = world.start("upload", unanswered=2)
    run.answer(ANEW)
    run.until("a second job", lambda: len(run.jobs()) == 2)
    run.answer(ANEW)
    assert run.ended() == "success"
    assert len(run.jobs()) == 3
    assert run.xcom("job_key") == run.jobs()[-1]


def test_fail_is_not_retried_and_says_who_chose_it(world: World) -> None:
    run = world.start("retried")
    run.answer(FAIL)
    assert run.ended() == "failed"
    assert run.task("failed")["try_number"] == 1
    assert len(run.jobs()) == 1
    assert "chose to fail" in run.log()
    assert "SubmitOutcomeUnknown" in run.log()


@pytest.mark.parametrize("key", ["", "no-such-job", "two keys"])
def test_a_key_that_names_no_job_asks_again(key: str, world: World) -> None:
    run = world.start("upload")
    run.answer(ADOPT, key=key)
    run.until("the reason in the log", lambda: " typed" in run.log())
    [real] = run.jobs()
    run.answer(ADOPT, key=real)
    assert run.ended() == "success"
    assert run.jobs() == [real]


def test_a_retry_goes_on_with_the_job_that_a_person_has_named(world: World) -> None:
    """The job fails, which a retry answers as for any job of the task: by one new job."""
    world.control.plan("dms.file_upload", "fail", count=1)
    run = world.start("retried")
    [key] = run.jobs() or run.until("a job", run.jobs)
    run.answer(ADOPT, key=key)
    assert run.ended() == "success"
    assert len(run.jobs()) == 2
    assert run.task("success")["try_number"] == 2


def test_drs_needs_no_key(world: World) -> None:
    run = world.start("template")
    question = run.question()
    assert question["options"] == [ADOPT_KNOWN, ANEW, FAIL]
    assert not question["params"]
    run.answer(ADOPT_KNOWN)
    assert run.ended() == "success"
    assert run.xcom("job_key") == f"{run.word}-task"
    assert len(run.jobs("drs.object_template")) == 1


def test_each_mapped_task_asks_for_itself(world: World) -> None:
    run = world.start("mapped", unanswered=2)
    assert "订单" in run.question(0)["body"]
    assert "客户" in run.question(1)["body"]
    by_name = {
        job["fields"]["FileName"][:2]: job["key"]
        for job in world.control.jobs("dms.file_upload")
        if run.word in str(job)
    }
    run.answer(ADOPT, key=by_name["客户"], map_index=1)
    run.answer(FAIL, map_index=0)
    assert run.ended(1) == "success"
    assert run.ended(0) == "failed"
    assert run.xcom("job_key", 1) == by_name["客户"]
    assert len(run.jobs()) == 2


def test_a_clear_meanwhile_submits_anew_and_a_late_answer_changes_nothing(world: World) -> None:
    run = world.start("upload")
    run.question()
    # The job of the new attempt lasts, so that the late answer finds it deferred.
    world.control.plan("dms.file_upload", "success", seconds=25, match=run.word)
    run.clear()
    run.until("the job of the new attempt", lambda: len(run.jobs()) == 2)
    run.task("deferred")
    time.sleep(10)
    run.respond_late(ADOPT, key=run.jobs()[0])
    assert run.ended() == "success"
    assert len(run.jobs()) == 2
    assert run.xcom("job_key") == run.jobs()[-1]


def test_a_task_that_is_ended_meanwhile_sends_nothing(world: World) -> None:
    run = world.start("upload")
    run.question()
    world.airflow.set_state(run.dag_id, run.run_id, "job", "failed")
    assert run.ended() == "failed"
    run.respond_late(ANEW)
    time.sleep(5)
    assert run.task("failed")["state"] == "failed"
    assert len(run.jobs()) == 1


def test_nobody_answers_until_the_execution_timeout(world: World) -> None:
    run = world.start("limited")
    assert "execution_timeout" in run.question()["body"]
    assert run.ended() == "failed"
    assert "nobody answered in time" in run.log()
    assert len(run.jobs()) == 1


def test_no_worker_is_held_while_a_person_thinks(world: World) -> None:
    run = world.start("upload")
    run.question()
    [task] = world.airflow.task_instances(run.dag_id, run.run_id)
    assert task["state"] in ASKING
    [key] = run.jobs()
    run.answer(ADOPT, key=key)
    assert run.ended() == "success"
