# SPDX-License-Identifier: Apache-2.0
"""How fast an API is called, on an injected clock: unlimited until refused, then near what the cloud takes."""

from __future__ import annotations

import pytest
from hub_simulated import Quota, simulate
from hypothesis import given
from hypothesis import strategies as st

from airflow_cloudjobs.http.pace import Pace

RATE = 20.0


def test_nothing_is_held_back_before_a_refusal() -> None:
    pace = Pace()
    for call in range(10_000):
        now = call / 5_000
        assert pace.delay(now) == 0.0
        pace.sent(now)
        pace.taken(now)


def test_after_a_refusal_it_goes_near_the_rate_that_was_taken() -> None:
    pace = Pace()
    for call in range(60):
        pace.sent(call / RATE)
        pace.taken(call / RATE)
    pace.refused(3.0, None)
    assert pace.rate is not None
    assert 0.6 * RATE <= pace.rate <= RATE


def test_retry_after_holds_every_call_until_then() -> None:
    pace = Pace()
    pace.sent(100.0)
    pace.refused(100.0, 30.0)
    assert pace.delay(100.0) == pytest.approx(30.0)
    assert pace.delay(129.9) == pytest.approx(0.1)
    pace.refused(110.0, 5.0)
    assert pace.delay(110.0) == pytest.approx(20.0), "a shorter one does not end a longer one"


def test_one_burst_of_refusals_is_one_cut() -> None:
    once, often = Pace(), Pace()
    for pace in (once, often):
        for call in range(60):
            pace.sent(call / RATE)
            pace.taken(call / RATE)
        pace.refused(3.0, None)
    for answer in range(49):
        often.refused(3.0 + answer / 100, None)
    assert often.rate == once.rate


def test_once_known_the_rate_grows_back_slowly_and_is_forgotten_in_the_end() -> None:
    pace, quota = Pace(), Quota(RATE, burst=20)
    simulate(pace, quota, waits=500, interval=10.0, seconds=30)
    known = pace.rate
    assert known is not None
    free = simulate(pace, Quota(1e9, burst=1e9), waits=500, interval=10.0, seconds=90, start=30.0)
    assert not free.refused
    assert pace.rate is not None
    assert known < pace.rate < 1.5 * known, "a minute and a half without refusals: a tenth more, not twice as much"
    moment = 120.0
    while pace.rate is not None and moment < 1e5:
        moment += 10.0
        pace.sent(moment)
    assert pace.rate is None, "a limit that nobody enforces is forgotten"


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
        Pace(),
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
    pace = Pace()
    before = simulate(pace, Quota(RATE, burst=20), waits=100, interval=2.0, seconds=30)
    outage = simulate(pace, Quota(1e-9, burst=0.0), waits=100, interval=2.0, seconds=60, start=30.0)
    after = simulate(pace, Quota(RATE, burst=20, filled_at=90.0), waits=100, interval=2.0, seconds=90, start=90.0)
    assert before.taken
    assert len(outage.refused) < 60 * RATE / 2, "while everything is refused it asks less"
    assert after.rate(45, 90) >= 0.6 * RATE, "and when the cloud is back it finds the rate again"


def test_another_caller_takes_half_of_the_quota_and_gives_it_back() -> None:
    pace = Pace()
    simulate(pace, Quota(RATE, burst=5), waits=100, interval=2.0, seconds=30)
    half = simulate(pace, Quota(RATE / 2, burst=5, filled_at=30.0), waits=100, interval=2.0, seconds=60, start=30.0)
    assert half.rate(20, 60) >= 0.6 * RATE / 2
    assert half.refusals(30, 60) <= 0.1 * half.rate(30, 60) * 30


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
    pace, now, held, ahead = Pace(), 0.0, 0.0, 0.0
    for event, passed, retry_after in history:
        now += passed
        if event == "sent":
            now += pace.delay(now)  # a lane sends no earlier
            pace.sent(now)
        elif event == "taken":
            pace.taken(now)
        else:
            pace.refused(now, retry_after)
            held = max(held, now + (retry_after or 0.0))
        ahead = max(0.0, held - now)
        assert 0.0 <= pace.delay(now) <= max(ahead, 5.0) + 5.0 + 1e-6
        assert pace.delay(now) >= ahead - 1e-6, "a hold is kept"
        assert pace.rate is None or pace.rate > 0


@given(answers, st.floats(1, 3600))
def test_a_clock_set_back_does_not_stop_the_calls(history: list[tuple[str, float, float | None]], back: float) -> None:
    pace, now = Pace(), 10_000.0
    for event, passed, _ in history:
        now += passed
        if event == "sent":
            now += pace.delay(now)
            pace.sent(now)
        elif event == "taken":
            pace.taken(now)
        else:
            pace.refused(now, None)
    now -= back
    assert pace.delay(now) <= back + 10.0, "it waits as much longer at most"
    pace.taken(now)
    pace.refused(now, None)
    assert pace.delay(now) <= back + 15.0
