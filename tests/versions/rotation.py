# SPDX-License-Identifier: Apache-2.0
"""The pairs of Airflow and Python that are run, and whose turn it is; no more than the standard library is needed."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""The Pythons that the package is for."""

AIRFLOWS = {
    "2.11.2": ("3.11", "3.12"),
    "3.0.6": ("3.11", "3.12"),
    "3.1.8": ("3.11", "3.12", "3.13"),
    "3.2.2": PYTHONS,
    "3.3.2": PYTHONS,
}
"""The newest release of each minor of Airflow, and the Pythons of ours that it is for, by its metadata."""

WHOLE = (list(AIRFLOWS)[-1], PYTHONS[0])
"""The pair of the development's own venv, with which the whole suite is run at each commit."""


def commits() -> int:
    """How many commits lead here; 0 where there is no history. A shallow one only takes its turns otherwise."""
    command = ["git", "rev-list", "--count", "HEAD"]
    try:
        answer = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except FileNotFoundError:
        return 0
    return 0 if answer.returncode else int(answer.stdout)


def turn(count: int, pythons: Sequence[str]) -> tuple[str, str | None]:
    """Whose turn it is: five commits in a row have all five Airflows, and each takes its Pythons in turn.

    :param count: how many commits there are.
    :param pythons: those that this machine has.
    :return: Airflow and Python; None for the Python if none here is one that this Airflow is for, or :data:`WHOLE` is.
    """
    airflow = list(AIRFLOWS)[count % len(AIRFLOWS)]
    there = [python for python in AIRFLOWS[airflow] if python in pythons and (airflow, python) != WHOLE]
    return airflow, there[count // len(AIRFLOWS) % len(there)] if there else None
