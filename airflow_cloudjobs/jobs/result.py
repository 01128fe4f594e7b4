# SPDX-License-Identifier: Apache-2.0
"""The one form of a result, in every mode, for operators and sensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_cloudjobs.jobs.outcome import JobResult
from airflow_cloudjobs.jobs.spec import JobSpec


def result_of(spec: JobSpec, result: JobResult, *, console_url: str, signed_urls: bool = False) -> dict[str, Any]:
    """What a task returns about a job.

    :param spec: the job's API.
    :param result: what was found out about it.
    :param console_url: where the vendor's console shows it.
    :param signed_urls: True keeps addresses that grant access.
    """
    return {
        "api": spec.api,
        "job_key": result.key,
        "outcome": result.outcome.public,
        "status": result.status,
        "result": spec.public_fields(result.record, signed_urls=signed_urls),
        "request_id": result.request_id,
        "console_url": console_url,
    }


MOST_KEYS = 100
"""How many of its jobs' keys the event of an asset names."""


def asset_extra(values: Sequence[Mapping[str, Any]], counts: Iterable[str], *, several: bool) -> dict[str, Any]:
    """What the event of an asset says of the jobs that made it.

    :param values: their results, as :func:`result_of` makes them, at least one.
    :param counts: the fields of ``result`` that say how much there is; those that are no numbers are left out.
    :param several: True names a list of keys, of :data:`MOST_KEYS` at most, and how many jobs there were.
    """
    keys = [value["job_key"] for value in values]
    extra = {
        "api": values[0]["api"],
        "job_key": keys[:MOST_KEYS] if several else keys[0],
        "status": ", ".join(dict.fromkeys(value["status"] for value in values)),
        "counts": {
            name: sum(numbers)
            for name in counts
            if (numbers := [found for value in values if (found := _number(value["result"].get(name))) is not None])
        },
    }
    return {**extra, "jobs": len(keys)} if several else extra


def _number(value: Any) -> float | None:
    """A number, also one that stands in a text, as some APIs have it."""
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
