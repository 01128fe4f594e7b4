# SPDX-License-Identifier: Apache-2.0
"""One or several: what a DAG author gives as one value or as a list."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from typing import Any


def is_several(value: Any) -> bool:
    """True for a list of whatever kind: Airflow gives a mapped task's output as a sequence of its own."""
    return isinstance(value, Collection) and not isinstance(value, (str, bytes, Mapping))


def listed(value: Any) -> list[Any]:
    """One or several, as a list: the same one in every attempt, so a set is sorted."""
    if isinstance(value, Set):
        return sorted(value, key=str)
    return list(value) if is_several(value) else [value]
