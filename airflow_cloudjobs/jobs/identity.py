# SPDX-License-Identifier: Apache-2.0
"""Whose job a job is: the task instance that it belongs to, and the marks by which it is known in the cloud."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """The task instance that a job belongs to.

    :param epoch: the same for all retries of a task, another one after a user has cleared it: a retry goes on
        with the job of the attempt before, a clear asks for a new one.
    :param generation: how many jobs of this epoch were abandoned before: cancelled, since an attempt ran out of time.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    epoch: int
    generation: int = 0

    @property
    def marker(self) -> str:
        """A short text that no other task instance and epoch has, to find the job by."""
        parts = [self.dag_id, self.run_id, self.task_id, str(self.map_index), str(self.epoch)]
        parts += [str(self.generation)] if self.generation else []
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    def token(self, failed: int) -> str:
        """A text by which the cloud takes a submit once, however often it is made.

        :param failed: how many jobs of this identity have failed: after one a new job is wanted, and not that again.
        """
        return f"{self.marker}-{failed}" if failed else self.marker

    def tags(self) -> dict[str, str]:
        """The identity as tags, for people who look at the job in the cloud; the marker for us."""
        values = {
            "airflow_dag_id": self.dag_id,
            "airflow_run_id": self.run_id,
            "airflow_task_id": self.task_id,
            "airflow_map_index": str(self.map_index),
            "airflow_epoch": str(self.epoch),
        }
        return {MARKER: self.marker} | {name: _tag_value(value) for name, value in values.items()}


MARKER = "airflow_job"
"""Name of the tag, or field, that holds the marker."""


def _tag_value(text: str) -> str:
    """What tags of the cloud may hold: letters of any language, digits and a few signs, without outer blanks."""
    return re.sub(r"[^\w .:+=@-]", "_", text)[:255].strip()
