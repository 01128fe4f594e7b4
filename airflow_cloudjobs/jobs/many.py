# SPDX-License-Identifier: Apache-2.0
"""One or many: what a DAG author gives as one value or as a list."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from typing import Any


def is_sequence(value: Any) -> bool:
    """True for a list of whatever kind: Airflow gives a mapped task's output as a sequence of its own."""
    return isinstance(value, Collection) and not isinstance(value, (str, bytes, Mapping))


def as_list(value: Any) -> list[Any]:
    """One or many, as a list: the same one in every attempt, so a set is sorted."""
    if isinstance(value, Set):
        return sorted(value, key=str)
    return list(value) if is_sequence(value) else [value]
