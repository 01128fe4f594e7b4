# SPDX-License-Identifier: Apache-2.0
"""The job engine by itself, with a clock of its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cloudjobs.localcloud.clock import Clock
from airflow_cloudjobs.localcloud.jobs import Job, JobStore, Script
from airflow_cloudjobs.localcloud.scripts import (
    UNKNOWN_STATUS,
    VOCABULARIES,
    ScriptOverride,
    natural_failure,
    read_marks,
    script_for,
)
from airflow_cloudjobs.localcloud.state import NONCE_LIFE, Nonces, Plan, Settings, State


def make(script: Script, now: float = 1000.0) -> Job:
    return Job("dli.sql_job", "key", {}, script, now)


def history(script: Script) -> list[Any]:
    job = make(script)
    seen = [job.status(1000.0 + step / 100) for step in range(1200)]
    return [status for number, status in enumerate(seen) if number == 0 or seen[number - 1] != status]


def test_a_life_in_another_time_has_the_same_end() -> None:
    script = script_for("dli.sql_job", [ScriptOverride(end="fail", reason="no table")], 600.0)
    short = script.within(6.0)
    assert (short.seconds, short.reason, short.succeeds) == (pytest.approx(6.0), "no table", False)
    assert history(short) == [status for status, _ in script.steps]
    assert Script((("FINISHED", 0.0),)).within(6.0).seconds == 0.0


def test_a_life_is_told_with_what_was_changed_in_it() -> None:
    job = make(Script((("LAUNCHING", 2.0), ("SCALING", 0.0), ("RUNNING", 3.0), ("FINISHED", 0.0))))
    assert job.life(1001.0) == (("LAUNCHING", 0.0),)
    assert job.life(1003.0) == (("LAUNCHING", 0.0), ("RUNNING", 2.0))
    assert job.life(1099.0) == (("LAUNCHING", 0.0), ("RUNNING", 2.0), ("FINISHED", 5.0))
    job.play(Script((("RUNNING", 10.0), ("FAILED", 0.0)), succeeds=False), 1004.0)
    assert job.life(1099.0) == (("LAUNCHING", 0.0), ("RUNNING", 2.0), ("FAILED", 14.0))
    job.play(Script((("LAUNCHING", 0.0), ("CANCELLED", 0.0)), succeeds=False), 1006.0)
    assert job.life(1006.0) == (("LAUNCHING", 0.0), ("RUNNING", 2.0), ("CANCELLED", 6.0))


@pytest.mark.parametrize("api", VOCABULARIES)
def test_a_job_passes_through_every_documented_state_and_succeeds(api: str) -> None:
    states = VOCABULARIES[api]
    script = script_for(api, [], 10.0)
    assert history(script) == [*(status for status, _ in states.running), states.success]
    assert script.seconds == pytest.approx(10.0)
    job = make(script)
    assert not job.ended(1009.9)
    assert job.succeeded(1010.1)
    assert job.progress(1010.1) == 1.0


@pytest.mark.parametrize("api", VOCABULARIES)
def test_a_job_that_lives_by_its_polls_ends_at_the_one_that_was_said(api: str) -> None:
    state = State(Settings(job_seconds=3, seconds_per_poll=1.0, cancel_seconds=2))
    job = state.submit(api, "key", {}, state.script(api, ""))
    before_the_end: list[bool] = []
    for _ in range(3):
        before_the_end.append(job.ended(1e12))
        state.jobs.polled(api, ["key", "of nobody"])
    assert before_the_end == [False, False, False], "whatever the clock says"
    assert job.succeeded(0.0)
    job.play(script_for(api, [ScriptOverride(end="fail", seconds=1)], 10.0), 0.0)
    assert not job.ended(1e12)
    job.polled()
    assert job.status(0.0) == VOCABULARIES[api].failure


@pytest.mark.parametrize("api", VOCABULARIES)
def test_a_failing_job_breaks_off_and_never_completes(api: str) -> None:
    script = script_for(api, [ScriptOverride(end="fail")], 10.0)
    assert history(script)[-1] == VOCABULARIES[api].failure
    assert VOCABULARIES[api].success not in history(script)
    job = make(script)
    assert job.ended(1010.1)
    assert not job.succeeded(1010.1)
    assert job.progress(1010.1) < 1.0
    assert script.reason


@pytest.mark.parametrize(
    ("end", "last"),
    [
        ("cancelled", "CANCELLED"),
        ("unknown", UNKNOWN_STATUS),
        ("null", None),
        ("forever", "RUNNING"),
        ("FINISH", "FINISH"),
    ],
)
def test_other_ends(end: str, last: Any) -> None:
    script = script_for("dli.sql_job", [ScriptOverride(end=end)], 5.0)
    assert history(script)[-1] == last
    assert not make(script).succeeded(1e9)
    assert make(script).ended(1e9) is (end == "cancelled")


def test_the_strongest_override_wins_and_leaves_the_rest_to_the_next() -> None:
    script = script_for(
        "dli.sql_job", [ScriptOverride(seconds=2.0), ScriptOverride(end="fail", seconds=9.0, reason="because")], 5.0
    )
    assert script.seconds == pytest.approx(2.0)
    assert script.steps[-1][0] == "FAILED"
    assert script.reason == "because"


def test_steps_are_played_as_given() -> None:
    override = ScriptOverride(steps=[["LAUNCHING", 1], ["PAUSED_BY_OWNER", 2], ["FINISHED"]])
    assert history(script_for("dli.sql_job", [override], 5.0)) == ["LAUNCHING", "PAUSED_BY_OWNER", "FINISHED"]
    with pytest.raises(ValueError, match="pair"):
        script_for("dli.sql_job", [ScriptOverride(steps=["LAUNCHING"])], 5.0)


@pytest.mark.parametrize(
    ("text", "end", "seconds"),
    [
        ("select 1 -- localcloud=cancelled", "cancelled", None),
        ("http://host/a.mp4?localcloud=fail&localcloud.seconds=2.5", "fail", 2.5),
        ("http%3A%2F%2Fhost%2Fa.mp4%3Flocalcloud%3Dforever", "forever", None),
        ("report-localcloud=unknown.sql", "unknown", None),
        ("select 1 /* localcloud.seconds=3 */", None, 3.0),
        ("select 1", None, None),
    ],
)
def test_marks_in_the_input(text: str, end: str | None, seconds: float | None) -> None:
    assert read_marks(text) == ScriptOverride(end=end, seconds=seconds)


def test_the_word_missing_fails_with_the_apis_own_reason() -> None:
    failure = natural_failure("dli.sql_job", "SELECT * FROM `missing_orders` WHERE x = 1")
    assert failure is not None
    assert failure.end == "fail"
    assert failure.reason == "Table or view not found: missing_orders; line 1 pos 14"
    assert natural_failure("dli.sql_job", "SELECT 1") is None
    for api in VOCABULARIES:
        assert natural_failure(api, "http://host/missing.sql") is not None


def test_playing_another_script_keeps_the_start_time() -> None:
    job = make(script_for("dli.sql_job", [], 10.0))
    job.play(Script((("CANCELLED", 0.0),), succeeds=False), 1004.0)
    assert job.status(1004.0) == "CANCELLED"
    assert job.started == 1000.0
    assert job.ended_at() == 1004.0


def test_a_key_used_again_remembers_one_earlier_job() -> None:
    store = JobStore()
    jobs = [store.add(make(script_for("dli.sql_job", [], 1.0))) for _ in range(3)]
    assert store.get("dli.sql_job", "key") is jobs[2]
    assert jobs[2].previous is jobs[1]
    assert jobs[1].previous is None
    assert list(store) == [jobs[2]]


def test_a_plan_serves_its_count_of_matching_jobs_and_goes_before_marks() -> None:
    state = State()
    state.plan("dli.sql_job", Plan(ScriptOverride(end="fail"), count=2, match="orders"))
    ends = [state.script("dli.sql_job", text).steps[-1][0] for text in ("users", "orders", "orders", "orders")]
    assert ends == ["FINISHED", "FAILED", "FAILED", "FINISHED"]
    state.plan("dli.sql_job", Plan(ScriptOverride(end="success"), count=None))
    assert state.script("dli.sql_job", "missing -- localcloud=fail").steps[-1][0] == "FINISHED"
    with pytest.raises(ValueError, match="no such API"):
        state.plan("dli.sql", Plan(ScriptOverride()))


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="no such setting: speed"):
        Settings().changed({"speed": 2})
    with pytest.raises(ValueError, match="dms_not_found"):
        Settings(dms_not_found="loud")


def test_a_skewed_clock_does_not_age_jobs() -> None:
    clock = Clock(lambda: 50.0)
    clock.skew = 1200.0
    assert (clock.now(), clock.shown()) == (50.0, 1250.0)


def test_a_nonce_is_remembered_for_half_an_hour_and_not_for_ever() -> None:
    nonces = Nonces()
    assert nonces.fresh("one", 10_000.0)
    assert not nonces.fresh("one", 10_000.0 + NONCE_LIFE - 1)
    assert nonces.fresh("two", 10_000.0 + NONCE_LIFE + 1)
    assert not nonces.fresh("one", 10_000.0 + NONCE_LIFE + 2)
    assert nonces.fresh("one", 10_000.0 + 5 * NONCE_LIFE)


@given(
    end=st.sampled_from(["success", "fail", "cancelled", "unknown", "null", "forever", "SOMETHING"]),
    api=st.sampled_from(sorted(VOCABULARIES)),
    seconds=st.floats(0.0, 1e4),
    moments=st.lists(st.floats(0.0, 2e4), min_size=2, max_size=20),
)
def test_progress_only_grows_and_is_whole_only_for_a_success(
    end: str, api: str, seconds: float, moments: list[float]
) -> None:
    job = Job(api, "key", {}, script_for(api, [ScriptOverride(end=end)], seconds), 0.0)
    progress = [job.progress(moment) for moment in sorted(moments)]
    assert progress == sorted(progress)
    for moment, share in zip(sorted(moments), progress, strict=True):
        assert 0.0 <= share <= 1.0
        assert (share == 1.0) is job.succeeded(moment)
        if job.succeeded(moment):
            assert job.status(moment) == VOCABULARIES[api].success
