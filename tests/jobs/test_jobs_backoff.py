# SPDX-License-Identifier: Apache-2.0
"""Properties of the pauses after trouble, for any figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_cloudjobs.jobs.backoff import Backoff

SECONDS = st.floats(0.0, 1e4)
ATTEMPTS = st.integers(0, 10_000)
DRAWN = st.floats(0.0, 1.0)
ASKED = st.none() | SECONDS


@st.composite
def backoffs(draw: Any) -> Backoff:
    floor, first, cap = sorted(draw(st.lists(SECONDS, min_size=3, max_size=3)))
    return Backoff(first, cap, draw(st.floats(1.0, 10.0)), draw(st.floats(0.0, 1.0)), floor)


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-9 * max(1.0, one, other)


@given(backoffs(), ATTEMPTS, ASKED, DRAWN)
def test_a_pause_is_within_its_bounds(backoff: Backoff, attempt: int, asked: float | None, drawn: float) -> None:
    pause = backoff.after(attempt, asked, lambda: drawn)
    least = (asked or 0.0) + backoff.floor
    most = (asked or 0.0) + backoff.cap
    assert pause >= 0.0
    assert least <= pause or _near(least, pause)
    assert pause <= most or _near(pause, most)


@given(backoffs(), st.integers(0, 400), ASKED, DRAWN)
def test_pauses_grow(backoff: Backoff, attempt: int, asked: float | None, drawn: float) -> None:
    pause, later = (backoff.after(number, asked, lambda: drawn) for number in (attempt, attempt + 1))
    assert pause <= later
    assert _near(later, pause * backoff.factor) or later < pause * backoff.factor


@given(backoffs(), ATTEMPTS, ASKED, DRAWN)
def test_jitter_only_shortens(backoff: Backoff, attempt: int, asked: float | None, drawn: float) -> None:
    """By up to its part, and not at all where nothing is drawn."""
    drawn_pause = backoff.after(attempt, None, lambda: drawn)
    whole = replace(backoff, jitter=0.0).after(attempt, None, lambda: drawn)
    assert drawn_pause <= whole or _near(drawn_pause, whole)
    shortest = max(backoff.floor, whole * (1.0 - backoff.jitter))
    assert shortest <= drawn_pause or _near(shortest, drawn_pause)
    assert _near(backoff.after(attempt, None, lambda: 1.0), whole)


@given(backoffs(), ATTEMPTS, SECONDS, DRAWN)
def test_what_the_cloud_asks_is_waited_first(backoff: Backoff, attempt: int, asked: float, drawn: float) -> None:
    own = backoff.after(attempt, None, lambda: drawn)
    assert _near(backoff.after(attempt, asked, lambda: drawn), asked + own)


def test_figures() -> None:
    backoff = Backoff(first=1.0, cap=20.0)
    assert [backoff.after(attempt, None, lambda: 1.0) for attempt in range(7)] == [1, 2, 4, 8, 16, 20, 20]
    assert [backoff.after(attempt, 3.0, lambda: 0.5) for attempt in range(3)] == [3.5, 4, 5]
    assert [replace(backoff, jitter=0.0).after(attempt, None, lambda: 0.5) for attempt in range(3)] == [1, 2, 4]
    assert replace(backoff, floor=0.1).after(3, None, lambda: 0.0) == 0.1
    assert backoff.after(1_000_000, None, lambda: 1.0) == 20
