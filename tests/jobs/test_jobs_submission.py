# SPDX-License-Identifier: Apache-2.0
"""What is remembered of a submit: how it is stored and read, by this release and after the one before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cloudjobs.jobs.submission import Step, Submission, first_step

keys = st.lists(st.text(max_size=3), max_size=3).map(tuple)
submissions = st.builds(
    Submission,
    epoch=st.integers(0, 3),
    at=st.floats(0, 2e9),
    keys=keys,
    superseded=keys,
    baseline=st.none() | st.dictionaries(st.text(max_size=3), st.text(max_size=3)),
    abandoned=st.booleans(),
    generation=st.integers(0, 3),
)


@given(submissions)
def test_what_is_stored_is_read(submission: Submission) -> None:
    stored = json.loads(json.dumps(submission.as_dict()))
    assert Submission.from_dict(stored) == submission
    assert Submission.from_dict({**stored, "of tomorrow": 1}) == submission


def test_what_the_release_before_has_stored_is_read() -> None:
    old = {
        "epoch": 2,
        "at": 5.0,
        "keys": ["a"],
        "past": ["b"],
        "earlier": {"process_status": "success"},
        "given_up": True,
        "turn": 1,
    }
    now = Submission(
        2, 5.0, ("a",), superseded=("b",), baseline={"process_status": "success"}, abandoned=True, generation=1
    )
    assert Submission.from_dict(old) == now
    assert first_step(now, epoch=2, retried=True, findable=True) is Step.SUBMIT


@pytest.mark.parametrize("data", [None, "x", {}, {"epoch": 1}, {"at": 1.0}])
def test_what_is_no_submission(data: Any) -> None:
    assert Submission.from_dict(data) is None
