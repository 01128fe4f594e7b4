# SPDX-License-Identifier: Apache-2.0
"""The words in which an API tells how its jobs go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The states of one API, from the vendor's page.

    :param running: states in progress in the order they come, each with its share of the job's time.
    :param success: the state of success.
    :param failure: the state of failure.
    :param cancelled: the state after a cancel; the one of failure where the API has no such state.
    :param breaks_in: the state in progress in which a failing job breaks off.
    :param ends: every documented state that is an end.
    :param reason: what the API says about a failure.
    :param missing: what the API says about a job whose input is not there; ``{thing}`` is what is missing.
    :param code: the error code of a failure, where the API has one.
    :param missing_code: the same where the input is not there.
    :param other_successes: further words for success.
    :param cancelling: the state of a job that is being cancelled; None where it keeps its own until the end.
    :param found_by: the field by which its jobs are found besides their key, where they are.
    :param numbered: whether the keys of its jobs are numbers.
    """

    running: tuple[tuple[Any, float], ...]
    success: Any
    failure: Any
    cancelled: Any
    breaks_in: Any
    ends: frozenset[Any]
    reason: str
    missing: str
    code: str = ""
    missing_code: str = ""
    other_successes: frozenset[Any] = frozenset()
    cancelling: Any = None
    found_by: str = ""
    numbered: bool = False
