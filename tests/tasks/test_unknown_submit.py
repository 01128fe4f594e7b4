# SPDX-License-Identifier: Apache-2.0
"""Who may ask a person about a submit of unknown fate, and what comes of it where nobody can be asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.jobapis import DLI, DMS_UPLOAD, ICE, JobApi
from taskbench import FAILED, TaskInstance, run

from airflow_cloudjobs import compat
from airflow_cloudjobs.ask import SHOWN, Doubt, Question
from airflow_cloudjobs.exceptions import SubmitOutcomeUnknown
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.jobs.submission import Submission
from airflow_cloudjobs.localcloud import Control


def task(api: JobApi, **arguments: Any) -> Any:
    return api.operator(task_id="t", **api.submitting(), **arguments)


@pytest.mark.parametrize("api", [DLI, ICE], ids=str)
def test_who_can_look_a_job_up_need_not_ask(api: JobApi) -> None:
    with pytest.raises(InvalidArgument, match=f"'on_unknown_submit' 'ask' is not for {api.api}"):
        task(api, on_unknown_submit="ask")
    assert task(api, on_unknown_submit="fail").on_unknown_submit == "fail"


@pytest.mark.parametrize("word", ["Ask", "retry", None])
def test_another_word_is_refused(word: Any) -> None:
    with pytest.raises(InvalidArgument, match="'on_unknown_submit' is"):
        task(DMS_UPLOAD, on_unknown_submit=word)


def test_an_airflow_that_asks_nobody_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "can_ask", lambda: False)
    with pytest.raises(InvalidArgument, match=r"needs Airflow 3\.1 or newer"):
        task(DMS_UPLOAD, on_unknown_submit="ask")


def test_where_nobody_can_be_asked_the_task_fails_as_without(control: Control) -> None:
    control.fault("reset", "submit", after_commit=True, count=1)
    ran = run(lambda: task(DMS_UPLOAD, on_unknown_submit="ask"))
    assert ran.state == FAILED
    assert isinstance(ran.error, SubmitOutcomeUnknown)
    assert "may or may not run" in str(ran.error)
    assert "Next: look for the job in the console" in str(ran.error)
    assert "Nobody could be asked: the task is run by hand" in str(ran.error)
    assert len(control.jobs(DMS_UPLOAD.api)) == 1


def body(**sent: Any) -> str:
    """What a person is shown of a submit with these arguments, one second after the beginning of 2026."""
    at = datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC).timestamp()
    question = Question(
        DMS_UPLOAD.operator.spec,
        Doubt(Submission(0, at), "no `answer`\n```", 1),
        sent=sent,
        key_argument="job_key",
        known_key="",
        endpoint="https://dms.test",
        region="cn-shanghai",
        console="https://dms.aliyun.com/new",
        deadline=at + 60,
    )
    return question.body(TaskInstance())


def test_the_moment_has_a_zone_and_the_end_is_named() -> None:
    text = body(file_name="a.sql")
    assert "2026-01-01 00:00:01 UTC to `https://dms.test`, region `cn-shanghai`" in text
    assert "At 2026-01-01 00:01:01 UTC its `execution_timeout` ends" in text


def test_what_was_sent_is_cut_hidden_and_cannot_leave_its_block() -> None:
    text = body(
        file_name="```\n# end", upload_url="https://me:pw@files.test/a?Signature=abc", tid="7" * 1000, other=None
    )
    assert text.count("```") == 2, "one block"
    assert "pw@" not in text
    assert "Signature" not in text
    assert f"{'7' * (SHOWN - 1)}… (1002 characters)" in text
    assert "other" not in text
