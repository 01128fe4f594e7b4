# SPDX-License-Identifier: Apache-2.0
"""Which jobs are due: planned anew by each answer and by each wait that wants to know earlier."""

from __future__ import annotations

import pytest
from polling_driving import new_wait, silent
from polling_virtual import run_virtually, virtual_clock, virtual_loop

from airflow_cloudjobs.polling.pending import SLACK, PendingJobs, Waiter


def _in(seconds: float) -> float:
    return virtual_loop().wall_time() + seconds


def test_the_earliest_plan_counts_until_the_answer_and_none_of_them_after_it() -> None:
    async def work() -> None:
        pending, began = PendingJobs(virtual_clock()), virtual_loop().time()
        pending.add(Waiter(new_wait("job", interval=60.0, resumed=False), silent))
        assert pending.take_due(10) == ["job"]
        assert pending.next_due() is None, "it is in flight"
        assert pending.land("job")
        for seconds in (10.0, 2.0, 5.0):
            pending.plan({"job": _in(seconds)}, ["job"])
        assert pending.next_due() == pytest.approx(began + 2.0, abs=SLACK)
        virtual_loop().be_busy(3.0)
        assert pending.take_due(1) == ["job"]
        assert pending.land("job")
        pending.plan({"job": _in(20.0)}, ["job"])
        virtual_loop().be_busy(8.0)
        assert pending.next_due() == pytest.approx(began + 23.0, abs=SLACK)
        assert pending.take_due(10) == []

    run_virtually(work())


def test_jobs_that_are_put_back_are_due_as_before() -> None:
    async def work() -> None:
        pending = PendingJobs(virtual_clock())
        waiter = Waiter(new_wait("a", "b", "c", interval=60.0, resumed=False), silent)
        pending.add(waiter)
        taken = pending.take_due(10)
        assert sorted(taken) == ["a", "b", "c"]
        pending.put_back(taken[1:])
        assert sorted(pending.take_due(10)) == sorted(taken[1:])
        pending.remove(waiter)
        assert not pending
        assert pending.next_due() is None

    run_virtually(work())


def test_a_call_with_room_takes_along_what_is_nearly_due() -> None:
    async def work() -> None:
        pending = PendingJobs(virtual_clock())
        pending.add(Waiter(new_wait("due", "soon", "later", interval=60.0, resumed=False), silent))
        for key in pending.take_due(10):
            pending.land(key)
        pending.plan({"due": _in(10.0), "soon": _in(15.0), "later": _in(25.0)}, ["due", "soon", "later"])
        virtual_loop().be_busy(9.0)
        assert pending.take_due(10) == [], "nothing is due, so there is no call to go along with"
        virtual_loop().be_busy(1.1)
        assert pending.take_due(10) == ["due", "soon"]

    run_virtually(work())
