# SPDX-License-Identifier: Apache-2.0
"""A lane asks for what is due, together, once, and within its bounds; everybody who waits is answered."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import time
from collections.abc import Mapping, Sequence

import pytest
from hub_driving import (
    DONE,
    RUNNING,
    Answer,
    FakeCloud,
    cancelled,
    ending,
    new_gate,
    new_lane,
    new_wait,
    refusal,
    run,
    settled,
    silent,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_cloudjobs.http import lane as lane_module
from airflow_cloudjobs.http.gate import Gate
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.outcome import Outcome
from airflow_cloudjobs.jobs.spec import Observation
from airflow_cloudjobs.jobs.wait import Note


def test_keys_that_are_due_together_go_out_in_one_call() -> None:
    async def work() -> None:
        cloud = FakeCloud(lambda key: DONE)
        lane = new_lane(cloud, batch=10)
        waits = [new_wait(f"job-{number}", resumed=False) for number in range(25)]
        await asyncio.gather(*(lane.watch(wait, silent) for wait in waits))
        assert sorted(len(keys) for _, keys in cloud.calls) == [5, 10, 10]
        assert {ending(wait) for wait in waits} == {Outcome.SUCCEEDED}

    run(work())


def test_jobs_in_progress_are_listed_and_the_others_asked_for_singly() -> None:
    async def work() -> None:
        keys = [f"job-{number}" for number in range(35)]
        cloud = FakeCloud(lambda key: DONE)
        cloud.listed = [*keys[:20], "someone's", *keys[20:30]]
        lane = new_lane(cloud, lists=True)
        waits = [new_wait(key, interval=60, resumed=False) for key in keys]
        tasks = [asyncio.create_task(lane.watch(wait, silent)) for wait in waits]
        await asyncio.sleep(0.3)
        assert cloud.pages == [1, 2, 3, 4]
        assert sorted(key for _, asked in cloud.calls for key in asked) == keys[30:]
        assert [ending(wait) for wait in waits if wait.over] == [Outcome.SUCCEEDED] * 5
        await cancelled(*tasks)

    run(work())


def test_a_list_that_tells_of_few_of_our_jobs_is_left_alone_for_a_while() -> None:
    async def work() -> None:
        cloud = FakeCloud()
        cloud.listed = [f"theirs-{number}" for number in range(100)]
        lane = new_lane(cloud, lists=True)
        waits = [new_wait(f"job-{number}", interval=0.05) for number in range(20)]
        tasks = [asyncio.create_task(lane.watch(wait, silent)) for wait in waits]
        await asyncio.sleep(0.5)
        assert cloud.pages == [1]
        assert all(cloud.asked(f"job-{number}") > 3 for number in range(20))
        await cancelled(*tasks)
        await settled()

    run(work())


def test_a_few_jobs_are_not_looked_up_in_a_list() -> None:
    async def work() -> None:
        cloud = FakeCloud()
        cloud.listed = [f"job-{number}" for number in range(4)]
        lane = new_lane(cloud, lists=True)
        tasks = [asyncio.create_task(lane.watch(new_wait(key, interval=0.05), silent)) for key in cloud.listed]
        await asyncio.sleep(0.5)
        assert cloud.pages == []
        assert all(5 <= cloud.asked(key) <= 13 for key in cloud.listed), "and each is asked for at its own pace"
        await cancelled(*tasks)

    run(work())


@pytest.mark.parametrize("trouble", [refusal(0.2), CloudApiError("not for you", kind=ErrorKind.DENIED), KeyError("x")])
def test_a_list_that_cannot_be_had_costs_no_wait(trouble: Exception) -> None:
    async def work() -> None:
        cloud = FakeCloud(lambda key: DONE)
        cloud.listed = trouble
        lane = new_lane(cloud, lists=True)
        waits = [new_wait(f"job-{number}", resumed=False) for number in range(20)]
        await asyncio.gather(*(lane.watch(wait, silent) for wait in waits))
        assert cloud.pages == [1]
        assert {ending(wait) for wait in waits} == {Outcome.SUCCEEDED}
        assert {cloud.asked(f"job-{number}") for number in range(20)} == {1}

    run(work())


@pytest.mark.parametrize("seed", range(3))
def test_lists_that_overtake_each_other_lose_no_wait(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """More jobs are due than a list is looked through for, its answers come in any order, and calls have to wait."""
    monkeypatch.setattr(lane_module, "LISTED", 40)

    async def work() -> None:
        keys = [f"job-{number}" for number in range(120)]
        cloud = FakeCloud(latency=0.2, uneven=random.Random(seed).random)
        cloud.listed = keys[::2]
        gate = new_gate()
        gate.pace.rate = 30.0
        gate.pace.refused(time.monotonic(), None)
        lane = new_lane(cloud, lists=True, gate=gate)
        waits = [new_wait(key, interval=0.3) for key in keys]
        tasks = [asyncio.create_task(lane.watch(wait, silent)) for wait in waits]
        await asyncio.sleep(1.0)
        cloud.answer, cloud.listed, gate.pace.rate, cloud.latency = (lambda key: DONE), (), None, 0.001
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
        assert {ending(wait) for wait in waits} == {Outcome.SUCCEEDED}

    run(work())


def test_out_of_time_a_job_itself_is_asked_and_no_list() -> None:
    """A list may be late in noting that a job has ended."""

    async def work() -> None:
        keys = [f"job-{number}" for number in range(10)]
        cloud = FakeCloud(lambda key: DONE)
        cloud.listed = keys
        waits = [new_wait(key, interval=60, deadline=0.2) for key in keys]
        lane = new_lane(cloud, lists=True)
        await asyncio.wait_for(asyncio.gather(*(lane.watch(wait, silent) for wait in waits)), 5)
        assert {ending(wait) for wait in waits} == {Outcome.SUCCEEDED}

    run(work())


@pytest.mark.parametrize("lists", [False, True])
def test_a_call_that_is_cancelled_from_inside_is_made_again(lists: bool) -> None:
    async def work() -> None:
        class Struck(FakeCloud):
            async def ask(self, keys: Sequence[str]) -> Mapping[str, Answer]:
                answers = await super().ask(keys)
                if len(self.calls) <= 3:
                    raise asyncio.CancelledError
                return answers

            async def list_page(self, page: int) -> tuple[Mapping[str, Observation], bool]:
                await super().list_page(page)
                raise asyncio.CancelledError

        lane = new_lane(Struck(lambda key: DONE), lists=lists)
        waits = [new_wait(f"job-{number}") for number in range(8)]
        await asyncio.wait_for(asyncio.gather(*(lane.watch(wait, silent) for wait in waits)), 10)
        assert {ending(wait) for wait in waits} == {Outcome.SUCCEEDED}
        await settled()

    run(work())


def test_a_job_that_several_tasks_await_is_asked_for_once_and_answers_all() -> None:
    async def work() -> None:
        cloud = FakeCloud()
        lane = new_lane(cloud)
        waits = [new_wait("job", interval=0.2) for _ in range(20)]
        tasks = [asyncio.create_task(lane.watch(wait, silent)) for wait in waits]
        await asyncio.sleep(1.0)
        asked = cloud.asked("job")
        cloud.answer = lambda key: DONE
        await asyncio.gather(*tasks)
        assert asked <= 10, "about one call an interval, however many wait"
        assert {ending(wait) for wait in waits} == {Outcome.SUCCEEDED}
        assert lane.idle
        await settled()

    run(work())


def test_one_wait_for_several_jobs_ends_when_the_last_has() -> None:
    async def work() -> None:
        cloud = FakeCloud(lambda key: DONE if key == "a" else RUNNING)
        lane = new_lane(cloud, batch=10)
        wait = new_wait("a", "b", interval=0.05)
        task = asyncio.create_task(lane.watch(wait, silent))
        await asyncio.sleep(0.3)
        assert not task.done()
        asked = cloud.asked("a")
        await asyncio.sleep(0.2)
        assert cloud.asked("a") == asked, "a job that has ended is not asked for again"
        cloud.answer = lambda key: DONE
        await task
        assert [end.key for end in wait.results] == ["a", "b"]

    run(work())


def test_an_exception_reaches_every_wait_and_none_hangs() -> None:
    async def work() -> None:
        def broken(key: str) -> Answer:
            raise RuntimeError("a bug of ours")

        cloud = FakeCloud(broken)
        lane = new_lane(cloud, batch=10)
        waits = [new_wait(f"job-{number % 30}", interval=0.02) for number in range(60)]
        notes: list[Note] = []
        await asyncio.gather(*(lane.watch(wait, notes.append) for wait in waits))
        assert {ending(wait) for wait in waits} == {Outcome.ERROR}
        assert all("a bug of ours" in wait.results[0].reason for wait in waits)
        assert lane.idle
        await settled()

    run(work())


def test_no_more_calls_are_in_flight_than_there_is_room_for_over_all_lanes() -> None:
    async def work() -> None:
        cloud, gate = FakeCloud(latency=0.02), new_gate(7)
        lanes = [new_lane(cloud, gate=gate) for _ in range(5)]
        waits = [new_wait(f"job-{n}", interval=0.01) for n in range(50)]
        tasks = [asyncio.create_task(lanes[n % 5].watch(wait, silent)) for n, wait in enumerate(waits)]
        await asyncio.sleep(0.5)
        await cancelled(*tasks)
        assert cloud.most_flying == 7
        assert all(cloud.asked(f"job-{n}") for n in range(50)), "each gets its turn"

    run(work())


def test_a_lane_that_hangs_does_not_hold_up_one_with_a_gate_of_its_own() -> None:
    async def work() -> None:
        stuck, well = FakeCloud(latency=3600), FakeCloud(lambda key: DONE)
        hanging, lane = new_lane(stuck), new_lane(well)
        tasks = [asyncio.create_task(hanging.watch(new_wait(f"job-{n}"), silent)) for n in range(200)]
        await asyncio.sleep(0.1)
        wait = new_wait("job")
        await asyncio.wait_for(lane.watch(wait, silent), 5)
        assert ending(wait) is Outcome.SUCCEEDED
        await cancelled(*tasks)
        await settled()

    run(work())


def test_retry_after_holds_every_lane_of_the_api() -> None:
    """Even calls that were already in line when the refusal came."""

    async def work() -> None:
        cloud, gate = FakeCloud(lambda key: refusal(1.0), latency=0.05), new_gate(2)
        lanes = [new_lane(cloud, gate=gate) for _ in range(20)]
        waits = [new_wait(f"job-{n}", resumed=False) for n in range(20)]
        tasks = [asyncio.create_task(lane.watch(wait, silent)) for lane, wait in zip(lanes, waits, strict=True)]
        await asyncio.sleep(0.8)
        during = len(cloud.calls)
        await cancelled(*tasks)
        assert during <= 2, "those in flight when the refusal came, and no other"

    run(work())


@pytest.mark.usefixtures("short_overdue")
def test_a_wait_ends_soon_after_its_deadline_though_its_lane_is_held() -> None:
    async def work() -> None:
        cloud = FakeCloud(lambda key: refusal(3600.0))
        lane = new_lane(cloud)
        early, late = new_wait("a", deadline=0.3), new_wait("b")
        other = asyncio.create_task(lane.watch(late, silent))
        await asyncio.wait_for(lane.watch(early, silent), 5)
        assert ending(early) is Outcome.TIMED_OUT
        assert not other.done()
        await cancelled(other)
        await settled()

    run(work())


@pytest.mark.usefixtures("short_overdue")
def test_a_wait_ends_soon_after_its_deadline_though_no_call_comes_back() -> None:
    async def work() -> None:
        lane = new_lane(FakeCloud(latency=3600), gate=new_gate(1))
        waits = [new_wait(f"job-{n}", deadline=0.2) for n in range(5)]
        await asyncio.wait_for(asyncio.gather(*(lane.watch(wait, silent) for wait in waits)), 5)
        assert {ending(wait) for wait in waits} == {Outcome.TIMED_OUT}
        await settled()

    run(work())


@pytest.mark.parametrize("late", [1.0, 60.0, 86400.0])
def test_a_wait_that_resumes_after_its_deadline_takes_a_last_look(late: float) -> None:
    """No triggerer was there when the time ran out; the job has ended well meanwhile."""

    async def work() -> None:
        wait = new_wait("job", deadline=-late)
        await new_lane(FakeCloud(lambda key: DONE, latency=0.1)).watch(wait, silent)
        assert ending(wait) is Outcome.SUCCEEDED

    run(work())


@pytest.fixture
def short_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "OVERDUE", 0.2)


def test_each_line_is_told_in_the_context_of_its_own_wait() -> None:
    task_name: contextvars.ContextVar[str] = contextvars.ContextVar("task_name", default="nobody's")

    async def work() -> None:
        told: list[tuple[str, str]] = []
        cloud = FakeCloud()
        lane = new_lane(cloud, batch=10)

        async def task(name: str) -> None:
            task_name.set(name)
            await lane.watch(new_wait(name, "shared"), lambda note: told.append((task_name.get(), note.text)))

        tasks = [asyncio.create_task(task(f"task-{number}")) for number in range(5)]
        await asyncio.sleep(0.2)
        await cancelled(tasks[0])  # whoever came first, and gave its context to what it started, leaves first
        cloud.answer = lambda key: DONE
        await asyncio.gather(*tasks, return_exceptions=True)
        for number in range(1, 5):
            lines = [text for name, text in told if name == f"task-{number}"]
            assert sum(f" task-{number}:" in text for text in lines) == 2
            assert sum(" shared:" in text for text in lines) == 2
        assert all(name != "nobody's" for name, _ in told)

    run(work())


@pytest.mark.parametrize("seconds", [-86400.0, -3600.0, -2.0, 3600.0])
def test_a_clock_that_is_set_does_not_stop_a_wait(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        cloud = FakeCloud()
        lane = new_lane(cloud)
        wait = new_wait("job", interval=0.1)
        task = asyncio.create_task(lane.watch(wait, silent))
        await asyncio.sleep(0.3)
        while cloud.flying:
            await asyncio.sleep(0.001)
        asked, real = cloud.asked("job"), time.time
        monkeypatch.setattr(time, "time", lambda: real() + seconds)
        cloud.answer = lambda key: DONE
        await asyncio.wait_for(task, 3)
        assert cloud.asked("job") > asked
        assert ending(wait) is Outcome.SUCCEEDED

    run(work())


def test_a_refused_call_is_not_a_failed_wait() -> None:
    async def work() -> None:
        answers = iter([refusal(0.1)])
        cloud = FakeCloud(lambda key: next(answers, DONE))
        notes: list[Note] = []
        wait = new_wait("job")
        await new_lane(cloud).watch(wait, notes.append)
        assert ending(wait) is Outcome.SUCCEEDED
        assert [note.level for note in notes].count(logging.WARNING) == 1

    run(work())


steps = st.lists(
    st.tuples(
        st.sampled_from(["join", "leave", "leave many", "rest", "yield", "fail", "end"]),
        st.integers(0, 11),
    ),
    min_size=5,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(1, 3), st.integers(1, 4), st.booleans())
def test_waits_may_come_and_go_at_any_moment(
    schedule: list[tuple[str, int]], batch: int, room: int, lists: bool
) -> None:
    async def work() -> None:
        ends: set[str] = set()
        fails: set[str] = set()

        def answer(key: str) -> Answer:
            if key in fails:
                return CloudApiError("trouble", kind=ErrorKind.TRANSIENT)
            return DONE if key in ends else RUNNING

        cloud, gate = FakeCloud(answer, latency=0.0005), new_gate(room)
        cloud.listed = [f"job-{number}" for number in range(5)]
        lanes = [new_lane(cloud, batch=batch, lists=lists, gate=gate) for _ in range(2)]
        tasks: list[asyncio.Task[None]] = []
        for step, number in schedule:
            key = f"job-{number % 6}"
            if step == "join":
                wait = new_wait(key, f"job-{number // 2}", interval=0.001, resumed=bool(number % 2))
                tasks.append(asyncio.create_task(lanes[number % 2].watch(wait, silent)))
            elif step == "leave" and tasks:
                tasks[number % len(tasks)].cancel()
            elif step == "leave many":
                for task in tasks[::2]:
                    task.cancel()
            elif step == "rest":
                await asyncio.sleep(number / 5000)
            elif step == "yield":
                await asyncio.sleep(0)
            elif step == "fail":
                fails ^= {key}
            elif step == "end":
                ends.add(key)
        await cancelled(*tasks)
        await settled()
        assert all(lane.idle for lane in lanes)
        assert cloud.flying == 0
        await _all_room_is_free(gate, room)

    run(work())


async def _all_room_is_free(gate: Gate, room: int) -> None:
    cloud = FakeCloud(lambda key: DONE, latency=0.01)
    lane = new_lane(cloud, gate=gate)
    waits = [new_wait(f"job-{number}", resumed=False) for number in range(2 * room)]
    await asyncio.wait_for(asyncio.gather(*(lane.watch(wait, silent) for wait in waits)), 5)
    assert cloud.most_flying == room


def test_a_crowd_that_comes_and_goes_leaves_nothing() -> None:
    async def work() -> None:
        draw = random.Random(4)
        cloud, gate = FakeCloud(latency=0.002), new_gate(10)
        lane = new_lane(cloud, batch=4, gate=gate)
        crowd: list[asyncio.Task[None]] = []
        for _ in range(1000):
            crowd.append(asyncio.create_task(lane.watch(new_wait(f"job-{draw.randrange(60)}", interval=0.01), silent)))
            if draw.random() < 0.5:
                crowd.pop(draw.randrange(len(crowd))).cancel()
            if draw.random() < 0.2:
                await asyncio.sleep(draw.random() * 0.004)
        await cancelled(*crowd)
        await settled()
        assert lane.idle
        await _all_room_is_free(gate, 10)

    run(work())
