# SPDX-License-Identifier: Apache-2.0
"""What the local clouds have seen of one task's jobs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

Json = Mapping[str, Any]


def jobs_of(jobs: Iterable[Json], word: str, key: str) -> list[Any]:
    """The jobs of a task; of the uploads to a DRS task only the last.

    :param jobs: those of the API, as ``control.jobs`` lists them.
    :param word: what only this task's jobs have in their input.
    :param key: the key, of a job that was there before the task.
    """
    return [job for job in jobs if job["key"] == key or word in json.dumps(job["fields"])]


def taken(requests: Iterable[Json], operation: str, keys: Collection[str]) -> list[Json]:
    """The calls of an operation that the cloud has taken for some jobs.

    :param requests: as ``control.stats`` lists them.
    :param operation: the vendor's name of it.
    :param keys: the jobs.
    """
    wanted = frozenset(keys)
    # The fault "slow" is no error: the cloud has taken what it answers late.
    return [
        each for each in requests if each["operation"] == operation and wanted & set(each["keys"]) and not each["code"]
    ]
