# SPDX-License-Identifier: Apache-2.0
"""The wait by example: endings, pauses, patience, deadlines, earlier ends, log lines, hand-over."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from wait_driving import (
    START,
    Answer,
    error,
    handed_over,
    plan,
    poll,
    polled_until,
    seen,
    the_end,
    through_json,
    wait_for,
)

from airflow_cloudjobs.apis import SPECS, spec_of
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome
from airflow_cloudjobs.jobs.submission import Submission
from airflow_cloudjobs.jobs.wait import WaitPlan


class TestEndings:
    @pytest.mark.parametrize(
        ("status", "ending"),
        [
            ("FINISHED", Outcome.SUCCEEDED),
            ("FINISH", Outcome.SUCCEEDED),
            ("FAILED", Outcome.FAILED),
            ("CANCELLED", Outcome.CANCELLED),
        ],
    )
    def test_a_listed_end_ends_the_wait(self, status: str, ending: Outcome) -> None:
        wait = wait_for()
        poll(wait, seen("RUNNING"), START)
        poll(wait, seen(status, message="why it is so"), START + 5)
        end = the_end(wait)
        assert (end.outcome, end.status, end.reason, end.key) == (ending, status, "why it is so", "k")
        assert end.record == {"status": status, "message": "why it is so"}
        assert end.request_id == "request-1"
        assert end.error is None

    @pytest.mark.parametrize("status", ["LAUNCHING", "RUNNING", "SCALING"])
    def test_a_listed_progress_does_not(self, status: str) -> None:
        wait = wait_for(the_plan=plan(10.0))
        polled_until(wait, seen(status), 100_000)
        assert not wait.over
        assert wait.unknown_since == {}

    @pytest.mark.parametrize("status", ["", "finished", "Finished", " FINISHED", "SUCCESS", "WHATEVER", "FINISHED\n"])
    def test_what_only_resembles_success_is_none(self, status: str) -> None:
        wait = wait_for()
        polled_until(wait, seen(status), 10_000)
        assert the_end(wait).outcome is Outcome.UNREADABLE

    def test_an_ended_job_stays_as_it_ended(self) -> None:
        wait = wait_for(("a", "b"))
        poll(wait, {"a": seen("FAILED"), "b": seen("RUNNING")}, START)
        assert wait.due(START + 100) == ["b"]
        wait.take({"a": seen("FINISHED"), "b": seen("FINISHED")}, START + 100)
        assert [end.outcome for end in wait.results] == [Outcome.FAILED, Outcome.SUCCEEDED]

    @pytest.mark.parametrize("keys", [("a", "b", "c"), ("c", "a", "b")])
    def test_ends_stand_in_the_order_of_the_keys(self, keys: tuple[str, ...]) -> None:
        wait = wait_for(keys)
        for place, key in enumerate(sorted(keys)):
            wait.take({key: seen("FINISHED")}, START + place)
        assert [end.key for end in wait.results] == list(keys)
        assert wait.keys == list(keys)


class TestPauses:
    def test_the_first_look_is_at_once(self) -> None:
        wait = wait_for()
        assert wait.due(START) == ["k"]
        assert wait.pause(START) == 0

    def test_pauses_grow_from_a_second_by_a_tenth_of_the_time_to_the_interval(self) -> None:
        wait = wait_for(the_plan=plan(30.0))
        now, pauses = START, []
        while now < START + 1000:
            poll(wait, seen("RUNNING"), now)
            pauses.append((now - START, wait.pause(now)))
            now += wait.pause(now)
        for waited, pause in pauses:
            assert pause == pytest.approx(min(30.0, max(1.0, waited / 10)))
        assert pauses[-1][1] == 30.0

    @pytest.mark.parametrize("drawn", [0.0, 0.5, 0.999])
    def test_jitter_only_shortens_and_not_by_much(self, drawn: float) -> None:
        wait = wait_for(random=lambda: drawn)
        poll(wait, seen("RUNNING"), START)
        assert 0.8 <= wait.pause(START) <= 1.0

    def test_a_short_interval_is_kept(self) -> None:
        wait = wait_for(the_plan=plan(0.2))
        poll(wait, seen("RUNNING"), START)
        assert wait.pause(START) == pytest.approx(0.2)

    def test_many_waits_begun_together_do_not_poll_together(self) -> None:
        draws = iter(x / 100 for x in range(100))
        waits = [wait_for(random=lambda: next(draws)) for _ in range(50)]
        for wait in waits:
            poll(wait, seen("RUNNING"), START)
        assert len({wait.pause(START) for wait in waits}) == 50

    def test_a_resumed_wait_looks_within_one_pause(self) -> None:
        draws = iter(x / 100 for x in range(100))
        now = START + 400
        waits = [wait_for(the_plan=plan(20.0), resumed=now, random=lambda: next(draws)) for _ in range(50)]
        pauses = [wait.pause(now) for wait in waits]
        assert all(0 <= pause <= 20.0 for pause in pauses)
        assert max(pauses) - min(pauses) > 5

    def test_errors_double_the_pause_up_to_a_minute(self) -> None:
        wait = wait_for(the_plan=plan(5.0), random=lambda: 0.999999)
        now, pauses = START, []
        for _ in range(12):
            poll(wait, error(), now)
            pauses.append(wait.pause(now))
            now += wait.pause(now)
        assert pauses == pytest.approx([2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60, 60], rel=1e-3)

    def test_a_good_answer_forgets_the_errors(self) -> None:
        wait = wait_for(random=lambda: 0.999999)
        for at in range(6):
            wait.take({"k": error()}, START + at)
        wait.take({"k": seen("RUNNING")}, START + 6)
        assert wait.pause(START + 6) <= 1.0
        wait.take({"k": error()}, START + 7)
        assert wait.pause(START + 7) == pytest.approx(2.0, rel=1e-3)

    @pytest.mark.parametrize("kind", [ErrorKind.THROTTLED, ErrorKind.TRANSIENT])
    @pytest.mark.parametrize("asked", [0.5, 7.0, 300.0])
    def test_retry_after_is_respected(self, kind: ErrorKind, asked: float) -> None:
        wait = wait_for()
        poll(wait, error(kind, retry_after=asked), START)
        assert wait.pause(START) >= asked
        assert wait.due(START + asked * 0.99) == []

    def test_those_told_to_come_again_later_do_not_come_together(self) -> None:
        pauses = set()
        for number in range(20):
            wait = wait_for(random=lambda number=number: number / 20)  # type: ignore[misc]
            poll(wait, error(ErrorKind.THROTTLED, retry_after=30.0), START)
            pauses.add(round(wait.pause(START), 1))
        assert len(pauses) > 10


class TestDeadline:
    def test_the_last_look_is_at_the_deadline(self) -> None:
        wait = wait_for(the_plan=plan(60.0, deadline=100.0))
        now, _ = polled_until(wait, seen("RUNNING"), 1000)
        assert now == START + 100
        end = the_end(wait)
        assert (end.outcome, end.status) == (Outcome.TIMED_OUT, "RUNNING")
        assert "RUNNING" in end.reason
        assert "1 min 40 s" in end.reason

    def test_a_job_that_ends_in_the_last_moment_has_ended(self) -> None:
        wait = wait_for(the_plan=plan(60.0, deadline=100.0))
        poll(wait, seen("RUNNING"), START + 99)
        poll(wait, seen("FINISHED"), START + 100)
        assert the_end(wait).outcome is Outcome.SUCCEEDED

    def test_retry_after_does_not_outlast_it(self) -> None:
        wait = wait_for(the_plan=plan(10.0, deadline=20.0))
        poll(wait, error(ErrorKind.THROTTLED, retry_after=3600), START)
        assert wait.pause(START) == 20.0
        poll(wait, error(ErrorKind.THROTTLED, retry_after=3600), START + 20)
        assert the_end(wait).outcome is Outcome.TIMED_OUT

    def test_it_tells_why_it_could_not_see(self) -> None:
        wait = wait_for(the_plan=plan(10.0, deadline=20.0))
        poll(wait, seen("RUNNING"), START)
        poll(wait, error(message="bad gateway"), START + 20)
        end = the_end(wait)
        assert end.outcome is Outcome.TIMED_OUT
        assert end.error is not None
        assert "bad gateway" in end.reason
        assert end.status == "RUNNING"

    def test_a_slow_answer_about_one_job_does_not_end_another_unseen(self) -> None:
        """The deadline is enforced after one last look at each job, not at one of them."""
        wait = wait_for(("a", "b"), plan(30.0, deadline=100.0))
        wait.take({"a": seen("RUNNING"), "b": error(ErrorKind.THROTTLED, retry_after=30)}, START + 80)
        assert wait.due(START + 95) == ["a"]
        wait.take({"a": seen("RUNNING")}, START + 101)
        assert not wait.over
        assert wait.due(START + 101) == ["b"]
        wait.take({"b": seen("FINISHED")}, START + 101)
        assert [end.outcome for end in wait.results] == [Outcome.TIMED_OUT, Outcome.SUCCEEDED]

    def test_waking_too_early_does_not_end_a_job_unseen(self) -> None:
        """A sleep may end a hair before a look is due, and the clock may pass the deadline meanwhile."""
        wait = wait_for(the_plan=plan(30.0, deadline=100.0))
        wait.take({"k": seen("RUNNING")}, START + 95)
        assert wait.due(START + 99.999) == []
        wait.take({}, START + 100.001)
        assert not wait.over
        poll(wait, seen("FINISHED"), START + 100.001)
        assert the_end(wait).outcome is Outcome.SUCCEEDED

    def test_none_is_for_ever(self) -> None:
        wait = wait_for(the_plan=plan(3600.0))
        polled_until(wait, seen("RUNNING"), 30 * 86400)
        assert not wait.over


class TestDoubt:
    @pytest.mark.parametrize(("interval", "patience"), [(1.0, 10.0), (10.0, 100.0), (60.0, 600.0), (3600.0, 600.0)])
    @pytest.mark.parametrize("status", ["", "HUH"])
    def test_an_unlisted_status_is_waited_out_for_ten_intervals_or_ten_minutes(
        self, interval: float, patience: float, status: str
    ) -> None:
        wait = wait_for(the_plan=plan(interval))
        at = START + 5000
        wait.take({"k": seen(status)}, at)
        wait.take({"k": seen(status)}, at + patience - 0.1)
        assert not wait.over
        wait.take({"k": seen(status)}, at + patience)
        end = the_end(wait)
        assert (end.outcome, end.status) == (Outcome.UNREADABLE, status)
        assert repr(status) in end.reason

    def test_a_listed_status_in_between_clears_it(self) -> None:
        wait = wait_for()
        wait.take({"k": seen("HUH")}, START)
        wait.take({"k": seen("RUNNING")}, START + 90)
        wait.take({"k": seen("HUH")}, START + 95)
        wait.take({"k": seen("HUH")}, START + 190)
        assert not wait.over
        wait.take({"k": seen("FINISHED")}, START + 191)
        assert the_end(wait).outcome is Outcome.SUCCEEDED

    def test_another_unlisted_status_does_not_begin_anew(self) -> None:
        wait = wait_for()
        for step in range(11):
            wait.take({"k": seen(f"HUH{step}")}, START + step * 10)
        assert the_end(wait).outcome is Outcome.UNREADABLE

    def test_it_is_said_once_with_the_raw_value(self) -> None:
        wait = wait_for()
        _, notes = polled_until(wait, seen("Hm"), 1000)
        warnings = [note.text for note in notes if note.level == logging.WARNING]
        assert len(warnings) == 1
        assert "'Hm'" in warnings[0]

    def test_a_refusal_that_no_table_lists_is_waited_out_too(self) -> None:
        wait = wait_for()
        now, notes = polled_until(wait, error(ErrorKind.UNKNOWN, message="odd"), 1000)
        end = the_end(wait)
        assert end.outcome is Outcome.ERROR
        assert "odd" in end.reason
        assert 100 <= now - START <= 100 + 60
        assert len([note for note in notes if note.level == logging.WARNING]) == 1


class TestErrors:
    @pytest.mark.parametrize("kind", [ErrorKind.DENIED, ErrorKind.INVALID, ErrorKind.EXPIRED, ErrorKind.CLOCK])
    def test_what_nothing_can_help_ends_at_once(self, kind: ErrorKind) -> None:
        wait = wait_for()
        poll(wait, seen("RUNNING"), START)
        poll(wait, error(kind, message="why"), START + 1)
        end = the_end(wait)
        assert end.outcome is Outcome.ERROR
        assert end.status == "RUNNING"
        assert end.error is not None
        assert end.error.kind is kind
        assert "why" in end.reason

    @pytest.mark.parametrize("kind", [ErrorKind.TRANSIENT, ErrorKind.THROTTLED])
    def test_what_passes_never_ends_it(self, kind: ErrorKind) -> None:
        wait = wait_for(random=lambda: 0.5)
        polled_until(wait, error(kind), 7 * 86400)
        assert not wait.over

    def test_an_unknown_key_ends_at_once(self) -> None:
        wait = wait_for()
        poll(wait, error(ErrorKind.NOT_FOUND), START)
        assert the_end(wait).outcome is Outcome.ERROR

    def test_a_key_that_was_seen_before_the_wait_moved_may_be_seen_again(self) -> None:
        wait = wait_for(the_plan=plan(looked=True))
        poll(wait, error(ErrorKind.NOT_FOUND), START)
        assert not wait.over
        now, _ = polled_until(wait, error(ErrorKind.NOT_FOUND), 1000)
        assert 100 <= now - START <= 160
        assert "does not show it any more" in the_end(wait).reason

    def test_a_doubt_does_not_grow_while_nothing_can_be_read(self) -> None:
        for doubt in (error(ErrorKind.UNKNOWN), seen("HUH")):
            wait = wait_for()
            poll(wait, doubt, START)
            poll(wait, error(), START + 5)
            poll(wait, doubt, START + 1000)
            assert not wait.over
            poll(wait, error(), START + 1010)
            poll(wait, error(), START + 1015)
            poll(wait, doubt, START + 2000)
            assert not wait.over
            poll(wait, doubt, START + 2090)
            assert wait.over

    def test_a_submit_gives_its_key_time_to_appear(self) -> None:
        submitted = plan().after(Submission(0, START, ("k",), baseline=OLD), 30.0)
        assert (submitted.not_found_until, submitted.baseline) == (START + 30, OLD)
        assert submitted.trusted_after == Submission(0, START, ("k",), baseline=OLD).trusted_after > START

    def test_a_key_of_our_own_may_take_its_time_to_appear(self) -> None:
        wait = wait_for(the_plan=plan(not_found_until=START + 60))
        wait.take({"k": error(ErrorKind.NOT_FOUND)}, START)
        wait.take({"k": error(ErrorKind.NOT_FOUND)}, START + 59.9)
        assert not wait.over
        wait.take({"k": error(ErrorKind.NOT_FOUND)}, START + 60)
        assert the_end(wait).outcome is Outcome.ERROR

    def test_one_job_in_trouble_does_not_disturb_the_others(self) -> None:
        wait = wait_for(("a", "b", "c"))
        poll(wait, {"a": error(ErrorKind.DENIED), "b": error(), "c": seen("FINISHED")}, START)
        assert [end.key for end in wait.results] == ["a", "c"]
        assert wait.due(START + 100) == ["b"]


OLD = {"process_status": "success", "parsed_success_number": "10"}
TEMPLATE = spec_of("drs.object_template")


def drs(status: str, number: str = "10") -> object:
    return seen(status, TEMPLATE, parsed_success_number=number)


class TestAHostThatIsNone:
    """A mistake in the connection and an outage look alike; whether there ever was an answer tells them apart."""

    def test_a_wait_without_any_answer_ends_after_five_minutes(self) -> None:
        wait = wait_for(the_plan=plan(10.0, deadline=7 * 86400.0))
        now, notes = polled_until(wait, error(misdirected=True, message="no such host"), 3600)
        ended = the_end(wait)
        assert (ended.outcome, ended.error is not None) == (Outcome.ERROR, True)
        assert START + 300 <= now < START + 300 + 2 * 60
        assert "no answer since 5 min" in ended.reason
        assert "no such host" in ended.reason
        assert "will ask again for 5 min 0 s" in notes[0].text
        assert notes[0].level == logging.WARNING

    @pytest.mark.parametrize("answer", [seen("RUNNING"), CloudApiError("m", kind=ErrorKind.TRANSIENT, http_status=503)])
    def test_after_an_answer_it_is_ridden_out(self, answer: Answer) -> None:
        wait = wait_for()
        poll(wait, answer, START)
        polled_until(wait, error(misdirected=True), 3600, START)
        assert not wait.over

    def test_an_answer_had_elsewhere_counts(self) -> None:
        first = wait_for()
        poll(first, seen("RUNNING"), START)
        rest = handed_over(first, START + 50)
        polled_until(rest, error(misdirected=True), 3600, START + 50)
        assert not rest.over

    def test_the_answer_to_a_submit_counts(self) -> None:
        wait = wait_for(the_plan=plan().after(Submission(0, START, ("k",)), 30.0))
        polled_until(wait, error(misdirected=True), 3600)
        assert not wait.over

    def test_a_hand_over_does_not_begin_anew(self) -> None:
        first = wait_for()
        poll(first, error(misdirected=True), START)
        rest = handed_over(first, START + 299)
        poll(rest, error(misdirected=True), START + 310)
        assert the_end(rest).outcome is Outcome.ERROR

    def test_an_outage_from_the_beginning_is_none(self) -> None:
        wait = wait_for()
        polled_until(wait, error(), 3600)
        assert not wait.over

    def test_other_trouble_in_between_begins_anew(self) -> None:
        wait = wait_for()
        for minute in range(60):
            poll(wait, error(misdirected=bool(minute % 4)), START + 61.0 * minute)
        assert not wait.over

    def test_one_job_that_is_seen_saves_the_others(self) -> None:
        wait = wait_for(("a", "b"), misdirected_since=START - 300)
        poll(wait, {"a": error(misdirected=True), "b": seen("RUNNING")}, START)
        assert not wait.over

    def test_a_plan_of_the_release_before_is_taken_for_answered(self) -> None:
        stored = through_json(plan(looked=True, answered=True).as_dict())
        del stored["answered"]
        assert WaitPlan.from_dict(stored).answered
        assert not WaitPlan.from_dict({**stored, "looked": False}).answered


class TestEarlierEnd:
    """DRS tells the progress of a template by its job: right after an upload an older end may still show."""

    plan = plan(10.0, baseline=OLD, trusted_after=START + 30)

    def test_it_is_not_believed_right_after_the_submit(self) -> None:
        wait = wait_for(the_plan=self.plan, spec=TEMPLATE)
        notes = poll(wait, seen("success", TEMPLATE, parsed_success_number="10"), START)
        assert not wait.over
        assert "not believed yet" in notes[0].text
        assert wait.unknown_since == {}

    def test_another_record_is_ours(self) -> None:
        wait = wait_for(the_plan=self.plan, spec=TEMPLATE)
        poll(wait, seen("success", TEMPLATE, parsed_success_number="11"), START)
        assert the_end(wait).outcome is Outcome.SUCCEEDED

    def test_after_some_progress_the_same_record_is_ours(self) -> None:
        wait = wait_for(the_plan=self.plan, spec=TEMPLATE)
        poll(wait, seen("success", TEMPLATE, parsed_success_number="10"), START)
        poll(wait, seen("", TEMPLATE), START + 2)
        poll(wait, seen("success", TEMPLATE, parsed_success_number="10"), START + 4)
        assert the_end(wait).outcome is Outcome.SUCCEEDED

    def test_it_is_believed_after_a_while(self) -> None:
        wait = wait_for(the_plan=self.plan, spec=TEMPLATE)
        now, _ = polled_until(wait, seen("success", TEMPLATE, parsed_success_number="10"), 100)
        assert the_end(wait).outcome is Outcome.SUCCEEDED
        assert now >= START + 30

    def test_it_is_no_success_at_the_deadline_either(self) -> None:
        short = plan(10.0, deadline=20.0, baseline=OLD, trusted_after=START + 30)
        wait = wait_for(the_plan=short, spec=TEMPLATE)
        polled_until(wait, seen("success", TEMPLATE, parsed_success_number="10"), 100)
        assert the_end(wait).outcome is Outcome.TIMED_OUT

    def test_progress_seen_before_a_hand_over_still_counts_after_it(self) -> None:
        """The first look is made on the worker, the rest on the triggerer: what was seen is not forgotten."""
        wait = wait_for(the_plan=self.plan, spec=TEMPLATE)
        poll(wait, seen("", TEMPLATE), START)
        rest = handed_over(wait, START + 1)
        rest.take({"k": seen("success", TEMPLATE, parsed_success_number="10")}, START + 3)
        assert the_end(rest).outcome is Outcome.SUCCEEDED


class TestNotes:
    def test_a_line_for_each_change_and_none_for_a_poll(self) -> None:
        wait = wait_for(("k-1",))
        notes = []
        for at, status in enumerate(["LAUNCHING"] * 3 + ["RUNNING"] * 5 + ["SCALING"] + ["RUNNING"] * 2 + ["FINISHED"]):
            notes += wait.take({"k-1": seen(status)}, START + at)
        assert [note.level for note in notes] == [logging.INFO] * 5
        changes = ["LAUNCHING after", "LAUNCHING -> RUNNING", "RUNNING -> SCALING", "SCALING -> RUNNING"]
        for note, change in zip(notes, [*changes, "RUNNING -> FINISHED"], strict=True):
            assert change in note.text
            assert "dli.sql_job k-1" in note.text

    def test_a_sign_of_life_every_five_minutes_with_progress(self) -> None:
        spec = spec_of("dms.file_upload")
        wait = wait_for(spec=spec, the_plan=plan(10.0))
        notes = []
        for at in range(0, 3600, 10):
            look = seen("RUNNING", spec, UploadedSize=at, FileSize=5000)
            notes += [(at, note) for note in wait.take({"k": look}, START + at)]
        assert [at for at, _ in notes] == list(range(0, 3600, 300))
        assert all(note.level == logging.INFO for _, note in notes)
        assert "still RUNNING after 5 min 0 s, 300 of 5000 bytes" in notes[1][1].text

    def test_one_warning_on_the_first_error_and_one_line_when_it_is_over(self) -> None:
        wait = wait_for()
        notes = wait.take({"k": seen("RUNNING")}, START)
        for at in range(1, 100, 10):
            notes += wait.take({"k": error(message="bad gateway")}, START + at)
        notes += wait.take({"k": seen("RUNNING")}, START + 101)
        assert [note.level for note in notes] == [logging.INFO, logging.WARNING, logging.INFO]
        assert "bad gateway" in notes[1].text
        assert "readable again after 1 min 40 s" in notes[2].text

    @pytest.mark.parametrize("kind", [ErrorKind.TRANSIENT, ErrorKind.THROTTLED, ErrorKind.UNKNOWN])
    def test_a_sign_of_life_while_nothing_can_be_read(self, kind: ErrorKind) -> None:
        wait = wait_for(the_plan=plan(60.0))
        notes = []
        for at in range(0, 600, 10):
            notes += [(at, note) for note in wait.take({"k": error(kind)}, START + at)]
        assert [at for at, _ in notes] == [0, 300]
        assert {note.level for _, note in notes} == {logging.WARNING}

    def test_a_change_of_the_kind_of_trouble_is_no_new_trouble(self) -> None:
        wait = wait_for()
        notes = []
        for at, kind in enumerate([ErrorKind.TRANSIENT, ErrorKind.THROTTLED] * 5):
            notes += wait.take({"k": error(kind)}, START + at)
        assert len(notes) == 1

    @pytest.mark.parametrize("api", SPECS)
    def test_every_api_can_be_told_of(self, api: str) -> None:
        spec = spec_of(api)
        wait = wait_for(spec=spec)
        status = sorted(spec.states.in_progress)[0]
        notes = poll(wait, seen(status, spec), START)
        assert notes[0].text.startswith(f"{api} k: ")


class TestTravel:
    def test_a_plan_of_another_version(self) -> None:
        old = {"started": 1.0, "interval": 2.0}
        assert WaitPlan.from_dict(old) == WaitPlan(1.0, 2.0, None, 0.0, None, 0.0)
        assert WaitPlan.from_dict({**old, "of tomorrow": 5}) == WaitPlan(1.0, 2.0)

    def test_a_plan_of_the_release_before(self) -> None:
        guarded = {"started": 1.0, "interval": 2.0, "earlier": OLD, "earlier_until": 31.0}
        assert WaitPlan.from_dict(guarded) == WaitPlan(1.0, 2.0, baseline=OLD, trusted_after=31.0)

    @pytest.mark.parametrize("word", ["outcome", "ending"])
    def test_a_result_of_another_version(self, word: str) -> None:
        """The release before said ``ending``."""
        data = {"key": "k", word: "failed", "of tomorrow": 5}
        assert JobResult.from_dict(data) == JobResult("k", Outcome.FAILED)
        richer = {**data, "error": {"message": "m", "kind": "denied", "of tomorrow": 5}}
        end = JobResult.from_dict(richer)
        assert isinstance(end.error, CloudApiError)
        assert end.error.kind is ErrorKind.DENIED

    @pytest.mark.parametrize("word", ["outcome", "ending"])
    @pytest.mark.parametrize("outcome", ["of tomorrow", "", None])
    def test_an_outcome_nobody_knows_is_not_taken_for_one(self, word: str, outcome: str | None) -> None:
        with pytest.raises(ValueError, match=r".*"):
            JobResult.from_dict({"key": "k", word: outcome})

    def test_a_result_without_an_outcome_is_none(self) -> None:
        with pytest.raises(KeyError):
            JobResult.from_dict({"key": "k"})

    def test_what_is_not_told_of_a_job_is_not_its_end(self) -> None:
        assert {outcome: outcome.public for outcome in Outcome} == {
            Outcome.SUCCEEDED: "succeeded",
            Outcome.FAILED: "failed",
            Outcome.CANCELLED: "cancelled",
            **dict.fromkeys((Outcome.SUBMITTED, Outcome.TIMED_OUT, Outcome.UNREADABLE, Outcome.ERROR), "submitted"),
        }

    def test_the_rest_of_a_wait_elsewhere(self) -> None:
        """What a wait was given does not change while it learns."""
        given = WaitPlan(START, 10.0, baseline=OLD, trusted_after=START + 30)
        wait = wait_for(the_plan=given, spec=TEMPLATE)
        poll(wait, seen("", TEMPLATE), START)
        assert wait.plan == given
        assert wait.continued(START) == replace(
            given, baseline=None, not_before=START + 1.0, looked=True, answered=True, handed_over=START
        )

    def test_doubts_survive_a_hand_over(self) -> None:
        wait = wait_for(("a", "b"))
        wait.take({"a": seen("HUH"), "b": seen("RUNNING")}, START + 7)
        assert wait.unknown_since == {"a": START + 7}
        rest = handed_over(wait, START + 50)
        rest.take({"a": seen("HUH"), "b": seen("RUNNING")}, START + 106)
        assert not rest.over
        rest.take({"a": seen("HUH"), "b": seen("FINISHED")}, START + 107)
        assert [end.outcome for end in rest.results] == [Outcome.UNREADABLE, Outcome.SUCCEEDED]

    def test_doubts_about_a_strange_key_are_ignored(self) -> None:
        assert wait_for(unknown_since={"stranger": 1.0}).unknown_since == {}

    def test_a_hand_over_keeps_the_deadline(self) -> None:
        wait = wait_for(the_plan=plan(60.0, deadline=100.0))
        poll(wait, seen("RUNNING"), START)
        rest = handed_over(wait, START + 99)
        now, _ = polled_until(rest, seen("RUNNING"), 1000, START + 99)
        assert now == START + 100
        assert the_end(rest).outcome is Outcome.TIMED_OUT

    def test_a_hand_over_after_the_deadline_looks_once(self) -> None:
        wait = wait_for(the_plan=plan(60.0, deadline=100.0))
        poll(wait, seen("RUNNING"), START)
        rest = handed_over(wait, START + 500)
        assert rest.due(START + 500) == ["k"]
        poll(rest, seen("FINISHED"), START + 500)
        assert the_end(rest).outcome is Outcome.SUCCEEDED

    def test_an_end_survives_the_database(self) -> None:
        wait = wait_for()
        poll(wait, seen("FAILED", message="why", rows=["ü", 1, None]), START)
        end = the_end(wait)
        assert JobResult.from_dict(through_json(end.as_dict())) == end


class TestAJobThatVanishes:
    """One answer without a job that was there is a replica's lag until it has lasted."""

    def test_it_may_come_back(self) -> None:
        wait = wait_for()
        poll(wait, seen("RUNNING"), START)
        now = START + wait.pause(START)
        [note] = poll(wait, error(ErrorKind.NOT_FOUND), now)
        assert note.level == logging.WARNING
        assert "does not show it any more" in note.text
        now += wait.pause(now)
        poll(wait, seen("RUNNING"), now)
        now += wait.pause(now)
        poll(wait, seen("FINISHED"), now)
        assert the_end(wait).outcome is Outcome.SUCCEEDED

    def test_not_for_ever(self) -> None:
        wait = wait_for()
        poll(wait, seen("RUNNING"), START)
        polled_until(wait, error(ErrorKind.NOT_FOUND), 1000.0)
        assert the_end(wait).outcome is Outcome.ERROR
        assert the_end(wait).seconds >= 10 * 10.0

    def test_one_that_never_was_there_ends_the_wait_at_once(self) -> None:
        wait = wait_for()
        poll(wait, error(ErrorKind.NOT_FOUND), START)
        assert the_end(wait).outcome is Outcome.ERROR
