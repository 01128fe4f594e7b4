# SPDX-License-Identifier: Apache-2.0
"""A poller asks for what is due, together, once, and within its bounds; everybody who waits is answered."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import random
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polling_driving import (
    DONE,
    RUNNING,
    Answer,
    FakeCloud,
    cancelled,
    ending,
    new_limiter,
    new_poller,
    new_wait,
    refusal,
    settled,
    silent,
)
from polling_virtual import run_virtually, virtual_loop

from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.outcome import Outcome
from airflow_cloudjobs.jobs.spec import Observation
from airflow_cloudjobs.jobs.wait import LogLine
from airflow_cloudjobs.polling import poller as poller_module
from airflow_cloudjobs.polling import running_jobs
from airflow_cloudjobs.polling.limiter import Limiter
from airflow_cloudjobs.polling.pending import SLACK


def test_keys_that_are_due_together_go_out_in_one_call() -> None:
    async def work() -> None:
        cloud = FakeCloud(lambda key: DONE)
        poller = new_poller(cloud, batch=10)
        waits = [new_wait(f"job-{number}", resumed=False) for number in range(25)]
        await asyncio.gather(*(poller.wait(wait, silent) for wait in waits))
        assert sorted(len(keys) for keys in cloud.calls) == [5, 10, 10]
        assert {ending(wait) for wait in waits} == {Outcome.SUCCEEDED}

    run_virtually(work())


def test_jobs_that_become_due_while_a_call_is_held_back_go_with_it() -> None:
    async def work() -> None:
        cloud, limiter = FakeCloud(latency=1.0), new_limiter(1)
        poller = new_poller(cloud, batch=10, limiter=limiter)
        tasks = []
        for number in range(8):
            wait = new_wait(f"job-{number}", interval=60, resumed=False)
            tasks.append(asyncio.create_task(poller.wait(wait, silent)))
            await asyncio.sleep(0.1)
        await asyncio.sleep(3.0)
        assert [len(keys) for keys in cloud.calls] == [1, 7]
        await cancelled(*tasks)
        await settled()

    run_virtually(work())


def test_pauses_that_end_at_about_the_same_time_end_together_and_short_ones_as_they_are() -> None:
    async def work() -> None:
        moments: list[float] = []

        def answer(key: str) -> Answer:
            moments.append(virtual_loop().time() - cloud.latency)
            return RUNNING

        cloud = FakeCloud(answer)
        poller = new_poller(cloud)
        began = virtual_loop().time()
        resting = [asyncio.create_task(poller.wait(new_wait(f"job-{n}", interval=60.0), silent)) for n in range(500)]
        await asyncio.sleep(10.0)
        together = [moment - began for moment in moments if moment - began > 1.0]
        assert len(together) > 50
        assert max(abs(moment / SLACK - round(moment / SLACK)) for moment in together) < 1e-3
        await cancelled(*resting)

        moments.clear()
        wait = new_wait("job", interval=0.06)
        task = asyncio.create_task(poller.wait(wait, silent))
        await asyncio.sleep(2.0)
        pauses = [after - before for before, after in itertools.pairwise(moments)]
        assert max(pauses) <= 0.06 + 0.002, "the interval and the call"
        await cancelled(task)

    run_virtually(work())


def test_a_call_knows_nothing_of_the_task_that_happened_to_start_it() -> None:
    task_name: contextvars.ContextVar[str] = contextvars.ContextVar("task_name", default="nobody's")

    async def work() -> None:
        seen: list[str] = []

        def answer(key: str) -> Answer:
            seen.append(task_name.get())
            return DONE if len(seen) > 2 else RUNNING

        task_name.set("mine")
        await new_poller(FakeCloud(answer)).wait(new_wait("job"), silent)
        assert seen == ["nobody's"] * 3

    run_virtually(work())


def test_a_wait_that_comes_when_all_have_left_hears_nothing_of_the_call_that_was_cancelled() -> None:
    async def work() -> None:
        cloud = FakeCloud(latency=1.0)
        poller = new_poller(cloud)
        gone = asyncio.create_task(poller.wait(new_wait("job", resumed=False), silent))
        await asyncio.sleep(0.5)
        gone.cancel()
        await asyncio.sleep(0)
        cloud.answer, notes = (lambda key: DONE), list[LogLine]()
        wait = new_wait("job", resumed=False)
        await poller.wait(wait, notes.append)
        assert ending(wait) is Outcome.SUCCEEDED
        assert [note.level for note in notes] == [logging.INFO]
        assert cloud.asked("job") == 2

    run_virtually(work())


def test_jobs_in_progress_are_listed_and_the_others_asked_for_singly() -> None:
    async def work() -> None:
        keys = [f"job-{number}" for number in range(35)]
        cloud = FakeCloud(lambda key: DONE)
        cloud.listed = [*keys[:20], "someone's", *keys[20:30]]
        poller = new_poller(cloud, lists=True)
        waits = [new_wait(key, interval=60, resumed=False) for key in keys]
        tasks = [asyncio.create_task(poller.wait(wait, silent)) for wait in waits]
        await asyncio.sleep(0.3)
        assert cloud.pages == [1, 2, 3, 4]
        assert sorted(key for asked in cloud.calls for key in asked) == keys[30:]
        assert [ending(wait) for wait in waits if wait.over] == [Outcome.SUCCEEDED] * 5
        await cancelled(*tasks)

    run_virtually(work())


def test_a_list_that_tells_of_few_of_our_jobs_is_left_alone_for_a_while() -> None:
    async def work() -> None:
        cloud = FakeCloud()
        cloud.listed = [f"theirs-{number}" for number in range(100)]
        poller = new_poller(cloud, lists=True)
        waits = [new_wait(f"job-{number}", interval=0.05) for number in range(20)]
        tasks = [asyncio.create_task(poller.wait(wait, silent)) for wait in waits]
        await asyncio.sleep(0.5)
        assert cloud.pages == [1]
        assert all(cloud.asked(f"job-{number}") > 3 for number in range(20))
        await cancelled(*tasks)
        await settled()

    run_virtually(work())


def test_a_few_jobs_are_not_looked_up_in_a_list() -> None:
    async def work() -> None:
        cloud = FakeCloud()
        cloud.listed = [f"job-{number}" for number in range(4)]
        poller = new_poller(cloud, lists=True)
        tasks = [asyncio.create_task(poller.wait(new_wait(key, interval=0.05), silent)) for key in cloud.listed]
        await asyncio.sleep(0.5)
        assert cloud.pages == []
        assert all(5 <= cloud.asked(key) <= 13 for key in cloud.listed), "and each is asked for at its own pace"
        await cancelled(*tasks)

    run_virtually(work())


@pytest.mark.parametrize("trouble", [refusal(0.2), CloudApiError("not for you", kind=ErrorKind.DENIED), KeyError("x")])
def test_a_list_that_cannot_be_had_costs_no_wait(trouble: Exception) -> None:
    async def work() -> None:
        cloud = FakeCloud(lambda key: DONE)
        cloud.listed = trouble
        poller = new_poller(cloud, lists=True)
        waits = [new_wait(f"job-{number}", resumed=False) for number in range(20)]
        await asyncio.gather(*(poller.wait(wait, silent) for wait in waits))
        assert cloud.pages == [1]
        assert {ending(wait) for wait in waits} == {Outcome.SUCCEEDED}
        assert {cloud.asked(f"job-{number}") for number in range(20)} == {1}

    run_virtually(work())


@pytest.mark.parametrize("seed", range(3))
def test_lists_that_overtake_each_other_lose_no_wait(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """More jobs are due than a list is looked through for, its answers come in any order, and calls have to wait."""
    monkeypatch.setattr(running_jobs, "LISTED", 40)

    async def work() -> None:
        keys = [f"job-{number}" for number in range(120)]
        cloud = FakeCloud(latency=0.2, uneven=random.Random(seed).random)
        cloud.listed = keys[::2]
        limiter = new_limiter()
        limiter.adaptive.rate = 30.0
        limiter.adaptive.on_throttled(virtual_loop().time(), None)
        poller = new_poller(cloud, lists=True, limiter=limiter)
        waits = [new_wait(key, interval=0.3) for key in keys]
        tasks = [asyncio.create_task(poller.wait(wait, silent)) for wait in waits]
        await asyncio.sleep(1.0)
        cloud.answer, cloud.listed, limiter.adaptive.rate, cloud.latency = (lambda key: DONE), (), None, 0.001
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
        assert {ending(wait) for wait in waits} == {Outcome.SUCCEEDED}

    run_virtually(work())


def test_out_of_time_a_job_itself_is_asked_and_no_list() -> None:
    """A list may be late in noting that a job has ended."""

    async def work() -> None:
        keys = [f"job-{number}" for number in range(10)]
        cloud = FakeCloud(lambda key: DONE)
        cloud.listed = keys
        waits = [new_wait(key, interval=60, deadline=0.2) for key in keys]
        poller = new_poller(cloud, lists=True)
        await asyncio.wait_for(asyncio.gather(*(poller.wait(wait, silent) for wait in waits)), 5)
        assert {ending(wait) for wait in waits} == {Outcome.SUCCEEDED}

    run_virtually(work())


@pytest.mark.parametrize("lists", [False, True])
def test_a_call_that_is_cancelled_from_inside_is_made_again(lists: bool) -> None:
    async def work() -> None:
        class Struck(FakeCloud):
            async def fetch(self, keys: Sequence[str]) -> Mapping[str, Answer]:
                answers = await super().fetch(keys)
                if len(self.calls) <= 3:
                    raise asyncio.CancelledError
                return answers

            async def fetch_page(self, page: int) -> tuple[Mapping[str, Observation], bool]:
                await super().fetch_page(page)
                raise asyncio.CancelledError

        poller = new_poller(Struck(lambda key: DONE), lists=lists)
        waits = [new_wait(f"job-{number}") for number in range(8)]
        await asyncio.wait_for(asyncio.gather(*(poller.wait(wait, silent) for wait in waits)), 10)
        assert {ending(wait) for wait in waits} == {Outcome.SUCCEEDED}
        await settled()

    run_virtually(work())


def test_a_job_that_several_tasks_await_is_asked_for_once_and_answers_all() -> None:
    async def work() -> None:
        cloud = FakeCloud()
        poller = new_poller(cloud)
        waits = [new_wait("job", interval=0.2) for _ in range(20)]
        tasks = [asyncio.create_task(poller.wait(wait, silent)) for wait in waits]
        await asyncio.sleep(1.0)
        asked = cloud.asked("job")
        cloud.answer = lambda key: DONE
        await asyncio.gather(*tasks)
        assert asked <= 10, "about one call an interval, however many wait"
        assert {ending(wait) for wait in waits} == {Outcome.SUCCEEDED}
        assert poller.idle
        await settled()

    run_virtually(work())


def test_one_wait_for_several_jobs_ends_when_the_last_has() -> None:
    async def work() -> None:
        cloud = FakeCloud(lambda key: DONE if key == "a" else RUNNING)
        poller = new_poller(cloud, batch=10)
        wait = new_wait("a", "b", interval=0.05)
        task = asyncio.create_task(poller.wait(wait, silent))
        await asyncio.sleep(0.3)
        assert not task.done()
        asked = cloud.asked("a")
        await asyncio.sleep(0.2)
        assert cloud.asked("a") == asked, "a job that has ended is not asked for again"
        cloud.answer = lambda key: DONE
        await task
        assert [end.key for end in wait.results] == ["a", "b"]

    run_virtually(work())


def test_an_exception_reaches_every_wait_and_none_hangs() -> None:
    async def work() -> None:
        def broken(key: str) -> Answer:
            raise RuntimeError("a bug of ours")

        cloud = FakeCloud(broken)
        poller = new_poller(cloud, batch=10)
        waits = [new_wait(f"job-{number % 30}", interval=0.02) for number in range(60)]
        notes: list[LogLine] = []
        await asyncio.gather(*(poller.wait(wait, notes.append) for wait in waits))
        assert {ending(wait) for wait in waits} == {Outcome.ERROR}
        assert all("a bug of ours" in wait.results[0].reason for wait in waits)
        assert poller.idle
        await settled()

    run_virtually(work())


def test_no_more_calls_are_in_flight_than_there_is_room_for_over_all_pollers() -> None:
    async def work() -> None:
        cloud, limiter = FakeCloud(latency=0.02), new_limiter(7)
        pollers = [new_poller(cloud, limiter=limiter) for _ in range(5)]
        waits = [new_wait(f"job-{n}", interval=0.01) for n in range(50)]
        tasks = [asyncio.create_task(pollers[n % 5].wait(wait, silent)) for n, wait in enumerate(waits)]
        await asyncio.sleep(0.5)
        await cancelled(*tasks)
        assert cloud.most_in_flight == 7
        assert all(cloud.asked(f"job-{n}") for n in range(50)), "each gets its turn"

    run_virtually(work())


def test_few_tasks_stand_for_many_jobs_that_are_due() -> None:
    """One for each call in flight, and one that waits for the next."""

    async def work() -> None:
        poller = new_poller(FakeCloud(latency=3600), limiter=new_limiter(5))
        wait = new_wait(*(f"job-{n}" for n in range(500)), resumed=False)
        task = asyncio.create_task(poller.wait(wait, silent))
        await asyncio.sleep(1.0)
        assert sum("Poller._call" in repr(each) for each in asyncio.all_tasks()) == 6
        await cancelled(task)
        await settled()

    run_virtually(work())


def test_a_poller_that_hangs_does_not_hold_up_one_with_a_limiter_of_its_own() -> None:
    async def work() -> None:
        stuck, well = FakeCloud(latency=3600), FakeCloud(lambda key: DONE)
        hanging, poller = new_poller(stuck), new_poller(well)
        tasks = [asyncio.create_task(hanging.wait(new_wait(f"job-{n}"), silent)) for n in range(200)]
        await asyncio.sleep(0.1)
        wait = new_wait("job")
        await asyncio.wait_for(poller.wait(wait, silent), 5)
        assert ending(wait) is Outcome.SUCCEEDED
        await cancelled(*tasks)
        await settled()

    run_virtually(work())


def test_retry_after_holds_every_poller_of_the_api() -> None:
    """Even calls that were already in line when the refusal came."""

    async def work() -> None:
        cloud, limiter = FakeCloud(lambda key: refusal(1.0), latency=0.05), new_limiter(2)
        pollers = [new_poller(cloud, limiter=limiter) for _ in range(20)]
        waits = [new_wait(f"job-{n}", resumed=False) for n in range(20)]
        tasks = [asyncio.create_task(poller.wait(wait, silent)) for poller, wait in zip(pollers, waits, strict=True)]
        await asyncio.sleep(0.8)
        during = len(cloud.calls)
        await cancelled(*tasks)
        assert during <= 2, "those in flight when the refusal came, and no other"

    run_virtually(work())


@pytest.mark.usefixtures("short_overdue")
def test_a_wait_ends_soon_after_its_deadline_though_its_poller_is_held() -> None:
    async def work() -> None:
        cloud = FakeCloud(lambda key: refusal(3600.0))
        poller = new_poller(cloud)
        early, late = new_wait("a", deadline=0.3), new_wait("b")
        other = asyncio.create_task(poller.wait(late, silent))
        await asyncio.wait_for(poller.wait(early, silent), 5)
        assert ending(early) is Outcome.TIMED_OUT
        assert not other.done()
        await cancelled(other)
        await settled()

    run_virtually(work())


@pytest.mark.usefixtures("short_overdue")
def test_a_wait_ends_soon_after_its_deadline_though_no_call_comes_back() -> None:
    async def work() -> None:
        poller = new_poller(FakeCloud(latency=3600), limiter=new_limiter(1))
        waits = [new_wait(f"job-{n}", deadline=0.2) for n in range(5)]
        await asyncio.wait_for(asyncio.gather(*(poller.wait(wait, silent) for wait in waits)), 5)
        assert {ending(wait) for wait in waits} == {Outcome.TIMED_OUT}
        await settled()

    run_virtually(work())


@pytest.mark.parametrize("late", [1.0, 60.0, 86400.0])
def test_a_wait_that_resumes_after_its_deadline_takes_a_last_look(late: float) -> None:
    """No triggerer was there when the time ran out; the job has ended well meanwhile."""

    async def work() -> None:
        wait = new_wait("job", deadline=-late)
        await new_poller(FakeCloud(lambda key: DONE, latency=0.1)).wait(wait, silent)
        assert ending(wait) is Outcome.SUCCEEDED

    run_virtually(work())


@pytest.fixture
def short_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller_module, "OVERDUE", 0.2)


def test_each_line_is_told_in_the_context_of_its_own_wait() -> None:
    task_name: contextvars.ContextVar[str] = contextvars.ContextVar("task_name", default="nobody's")

    async def work() -> None:
        told: list[tuple[str, str]] = []
        cloud = FakeCloud()
        poller = new_poller(cloud, batch=10)

        async def task(name: str) -> None:
            task_name.set(name)
            await poller.wait(new_wait(name, "shared"), lambda note: told.append((task_name.get(), note.text)))

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

    run_virtually(work())


@pytest.mark.parametrize("seconds", [-86400.0, -3600.0, -2.0, 3600.0])
def test_a_clock_that_is_set_does_not_stop_a_wait(seconds: float) -> None:
    async def work() -> None:
        cloud = FakeCloud()
        poller = new_poller(cloud)
        wait = new_wait("job", interval=0.1)
        task = asyncio.create_task(poller.wait(wait, silent))
        await asyncio.sleep(0.3)
        while cloud.in_flight:
            await asyncio.sleep(0.001)
        asked = cloud.asked("job")
        virtual_loop().wall_clock_set_by = seconds
        cloud.answer = lambda key: DONE
        await asyncio.wait_for(task, 3)
        assert cloud.asked("job") > asked
        assert ending(wait) is Outcome.SUCCEEDED

    run_virtually(work())


def test_a_refused_call_is_not_a_failed_wait() -> None:
    async def work() -> None:
        answers = iter([refusal(0.1)])
        cloud = FakeCloud(lambda key: next(answers, DONE))
        notes: list[LogLine] = []
        wait = new_wait("job")
        await new_poller(cloud).wait(wait, notes.append)
        assert ending(wait) is Outcome.SUCCEEDED
        assert [note.level for note in notes].count(logging.WARNING) == 1

    run_virtually(work())


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

        cloud, limiter = FakeCloud(answer, latency=0.0005), new_limiter(room)
        cloud.listed = [f"job-{number}" for number in range(5)]
        pollers = [new_poller(cloud, batch=batch, lists=lists, limiter=limiter) for _ in range(2)]
        tasks: list[asyncio.Task[None]] = []
        for step, number in schedule:
            key = f"job-{number % 6}"
            if step == "join":
                wait = new_wait(key, f"job-{number // 2}", interval=0.001, resumed=bool(number % 2))
                tasks.append(asyncio.create_task(pollers[number % 2].wait(wait, silent)))
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
        assert all(poller.idle for poller in pollers)
        assert cloud.in_flight == 0
        await _all_room_is_free(limiter, room)

    run_virtually(work())


async def _all_room_is_free(limiter: Limiter, room: int) -> None:
    cloud = FakeCloud(lambda key: DONE, latency=0.01)
    poller = new_poller(cloud, limiter=limiter)
    waits = [new_wait(f"job-{number}", resumed=False) for number in range(2 * room)]
    await asyncio.wait_for(asyncio.gather(*(poller.wait(wait, silent) for wait in waits)), 5)
    assert cloud.most_in_flight == room


def test_a_crowd_that_comes_and_goes_leaves_nothing() -> None:
    async def work() -> None:
        draw = random.Random(4)
        cloud, limiter = FakeCloud(latency=0.002), new_limiter(10)
        poller = new_poller(cloud, batch=4, limiter=limiter)
        crowd: list[asyncio.Task[None]] = []
        for _ in range(1000):
            crowd.append(asyncio.create_task(poller.wait(new_wait(f"job-{draw.randrange(60)}", interval=0.01), silent)))
            if draw.random() < 0.5:
                crowd.pop(draw.randrange(len(crowd))).cancel()
            if draw.random() < 0.2:
                await asyncio.sleep(draw.random() * 0.004)
        await cancelled(*crowd)
        await settled()
        assert poller.idle
        await _all_room_is_free(limiter, 10)

    run_virtually(work())
