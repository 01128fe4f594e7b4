# SPDX-License-Identifier: Apache-2.0
"""When calls are let go: in turn, so many at a time; unlimited until refused, then near what the cloud takes."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polling_driving import cancelled, new_limiter, refusal
from polling_simulated import Quota, simulate
from polling_virtual import run_virtually, virtual_loop

from airflow_cloudjobs.polling.limiter import AdaptiveRateLimiter

RATE = 20.0


def test_nothing_is_held_back_before_a_refusal() -> None:
    limiter = AdaptiveRateLimiter()
    for call in range(10_000):
        now = call / 5_000
        assert limiter.delay(now) == 0.0
        limiter.on_sent(now)
        limiter.on_success(now)


def test_after_a_refusal_it_goes_near_the_rate_that_was_taken() -> None:
    limiter = AdaptiveRateLimiter()
    for call in range(60):
        limiter.on_sent(call / RATE)
        limiter.on_success(call / RATE)
    limiter.on_throttled(3.0, None)
    assert limiter.rate is not None
    assert 0.6 * RATE <= limiter.rate <= RATE


def test_retry_after_holds_every_call_until_then() -> None:
    limiter = AdaptiveRateLimiter()
    limiter.on_sent(100.0)
    limiter.on_throttled(100.0, 30.0)
    assert limiter.delay(100.0) == pytest.approx(30.0)
    assert limiter.delay(129.9) == pytest.approx(0.1)
    limiter.on_throttled(110.0, 5.0)
    assert limiter.delay(110.0) == pytest.approx(20.0), "a shorter one does not end a longer one"


def test_one_burst_of_refusals_is_one_cut() -> None:
    once, often = AdaptiveRateLimiter(), AdaptiveRateLimiter()
    for limiter in (once, often):
        for call in range(60):
            limiter.on_sent(call / RATE)
            limiter.on_success(call / RATE)
        limiter.on_throttled(3.0, None)
    for answer in range(49):
        often.on_throttled(3.0 + answer / 100, None)
    assert often.rate == once.rate


def test_once_known_the_rate_grows_back_slowly_and_is_forgotten_in_the_end() -> None:
    limiter, quota = AdaptiveRateLimiter(), Quota(RATE, burst=20)
    simulate(limiter, quota, waits=500, interval=10.0, seconds=30)
    known = limiter.rate
    assert known is not None
    free = simulate(limiter, Quota(1e9, burst=1e9), waits=500, interval=10.0, seconds=90, start=30.0)
    assert not free.refused
    assert limiter.rate is not None
    assert known < limiter.rate < 1.5 * known, "a minute and a half without refusals: a tenth more, not twice as much"
    moment = 120.0
    while limiter.rate is not None and moment < 1e5:
        moment += 10.0
        limiter.on_sent(moment)
    assert limiter.rate is None, "a limit that nobody enforces is forgotten"


@pytest.mark.parametrize("waits", [50, 500])
@pytest.mark.parametrize("burst", [1, 5, 20, 100])
@pytest.mark.parametrize("latency", [0.02, 0.3])
@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_it_converges_to_what_the_cloud_takes(
    waits: int, burst: int, latency: float, retry_after: float | None
) -> None:
    """All are due at once, and want more than the quota gives; whatever the first burst said of it."""
    interval = waits / RATE / 2
    course = simulate(
        AdaptiveRateLimiter(),
        Quota(RATE, burst),
        waits=waits,
        interval=interval,
        seconds=90,
        latency=latency,
        retry_after=retry_after,
    )
    assert course.rate(15, 30) >= 0.6 * RATE, "the quota is used within seconds"
    assert course.rate(30, 90) >= 0.65 * RATE
    assert course.refusals(30, 90) <= 0.02 * RATE * 60, "refusals have stopped but for a probe now and then"


def test_an_outage_does_not_leave_it_slow() -> None:
    limiter = AdaptiveRateLimiter()
    before = simulate(limiter, Quota(RATE, burst=20), waits=100, interval=2.0, seconds=30)
    outage = simulate(limiter, Quota(1e-9, burst=0.0), waits=100, interval=2.0, seconds=60, start=30.0)
    after = simulate(limiter, Quota(RATE, burst=20, filled_at=90.0), waits=100, interval=2.0, seconds=90, start=90.0)
    assert before.taken
    assert len(outage.refused) < 60 * RATE / 2, "while everything is refused it asks less"
    assert after.rate(45, 90) >= 0.6 * RATE, "and when the cloud is back it finds the rate again"


def test_another_caller_takes_half_of_the_quota_and_gives_it_back() -> None:
    limiter = AdaptiveRateLimiter()
    simulate(limiter, Quota(RATE, burst=5), waits=100, interval=2.0, seconds=30)
    half = simulate(limiter, Quota(RATE / 2, burst=5, filled_at=30.0), waits=100, interval=2.0, seconds=60, start=30.0)
    assert half.rate(20, 60) >= 0.6 * RATE / 2
    assert half.refusals(30, 60) <= 0.1 * half.rate(30, 60) * 30


def test_calls_are_let_go_in_the_order_in_which_they_came() -> None:
    async def work() -> None:
        limiter, order, in_flight = new_limiter(2), list[int](), set[int]()

        async def call(number: int) -> None:
            async with limiter:
                order.append(number)
                in_flight.add(number)
                assert len(in_flight) <= 2
                await asyncio.sleep(1.0)
                in_flight.remove(number)

        began = virtual_loop().time()
        await asyncio.gather(*(call(number) for number in range(10)))
        assert order == list(range(10))
        assert virtual_loop().time() - began == pytest.approx(5.0)

    run_virtually(work())


def test_nobody_overtakes_who_was_held_back_though_the_loop_was_too_busy_to_let_him_go() -> None:
    async def work() -> None:
        limiter, order = new_limiter(), list[str]()

        async def call(name: str) -> None:
            async with limiter:
                order.append(name)

        limiter.on_answer(refusal(1.0))
        held = asyncio.create_task(call("held"))
        await asyncio.sleep(0)
        virtual_loop().be_busy(2.0)
        await asyncio.gather(held, call("new"))
        assert order == ["held", "new"]

    run_virtually(work())


@pytest.mark.parametrize("turns", range(4))
def test_who_is_cancelled_at_any_moment_keeps_no_place(turns: int) -> None:
    """Not even if it is cancelled in the very moment when it is let go."""

    async def work() -> None:
        limiter, done = new_limiter(1), list[str]()

        async def call(name: str) -> None:
            async with limiter:
                await asyncio.sleep(0)
                done.append(name)

        first, second, third = (asyncio.create_task(call(name)) for name in ("first", "second", "third"))
        for _ in range(turns):
            await asyncio.sleep(0)
        await cancelled(second)
        await asyncio.gather(first, third)
        assert [name for name in done if name != "second"] == ["first", "third"]
        async with limiter:
            assert limiter.ready == 0
        assert limiter.ready == 1

    run_virtually(work())


def test_who_is_held_back_goes_when_the_hold_is_over_and_leaves_no_timer_if_it_does_not() -> None:
    async def work() -> None:
        limiter = new_limiter()

        async def call() -> float:
            async with limiter:
                return virtual_loop().time()

        began = virtual_loop().time()
        assert limiter.ready == 50
        limiter.on_answer(refusal(30.0))
        assert limiter.ready == 0
        calls = [asyncio.create_task(call()) for _ in range(2)]
        await asyncio.sleep(1.0)
        await cancelled(calls[0])
        assert await calls[1] - began == pytest.approx(30.0)
        limiter.on_answer(refusal(3600.0))
        gone = asyncio.create_task(call())
        await asyncio.sleep(1.0)
        await cancelled(gone)
        assert virtual_loop().timers == 1, "the limit of the test itself"

    run_virtually(work(), limit=60)


answers = st.lists(
    st.tuples(
        st.sampled_from(["sent", "taken", "refused"]),
        st.floats(0, 5),
        st.none() | st.floats(0.001, 100),
    ),
    max_size=200,
)


@given(answers)
def test_no_history_makes_a_call_wait_longer_than_it_must(history: list[tuple[str, float, float | None]]) -> None:
    """Whatever was answered: the next call goes out within the slowest rate's pause after the last hold."""
    limiter, now, held, ahead = AdaptiveRateLimiter(), 0.0, 0.0, 0.0
    for event, passed, retry_after in history:
        now += passed
        if event == "sent":
            now += limiter.delay(now)  # nobody sends no earlier
            limiter.on_sent(now)
        elif event == "taken":
            limiter.on_success(now)
        else:
            limiter.on_throttled(now, retry_after)
            held = max(held, now + (retry_after or 0.0))
        ahead = max(0.0, held - now)
        assert 0.0 <= limiter.delay(now) <= max(ahead, 5.0) + 5.0 + 1e-6
        assert limiter.delay(now) >= ahead - 1e-6, "a hold is kept"
        assert limiter.rate is None or limiter.rate > 0


@given(answers, st.floats(1, 3600))
def test_a_clock_set_back_does_not_stop_the_calls(history: list[tuple[str, float, float | None]], back: float) -> None:
    limiter, now = AdaptiveRateLimiter(), 10_000.0
    for event, passed, _ in history:
        now += passed
        if event == "sent":
            now += limiter.delay(now)
            limiter.on_sent(now)
        elif event == "taken":
            limiter.on_success(now)
        else:
            limiter.on_throttled(now, None)
    now -= back
    assert limiter.delay(now) <= back + 10.0, "it waits as much longer at most"
    limiter.on_success(now)
    limiter.on_throttled(now, None)
    assert limiter.delay(now) <= back + 15.0
