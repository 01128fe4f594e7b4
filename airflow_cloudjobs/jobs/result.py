# SPDX-License-Identifier: Apache-2.0
"""The one form of a result, in every mode, for operators and sensors."""

from __future__ import annotations

from typing import Any

from airflow_cloudjobs.jobs.spec import JobSpec, Outcome
from airflow_cloudjobs.jobs.wait import Ending, JobEnd

_OUTCOMES = {
    Ending.SUCCEEDED: Outcome.SUCCEEDED,
    Ending.FAILED: Outcome.FAILED,
    Ending.CANCELLED: Outcome.CANCELLED,
}


def result_of(spec: JobSpec, end: JobEnd, *, console_url: str, signed_urls: bool = False) -> dict[str, Any]:
    """What a task returns about a job.

    :param spec: the job's API.
    :param end: how the wait for it ended; where that does not tell the job's own end, ``outcome`` is
        ``submitted``.
    :param console_url: where the vendor's console shows it.
    :param signed_urls: True keeps addresses that grant access.
    """
    return {
        "api": spec.api,
        "job_key": end.key,
        "outcome": _OUTCOMES.get(end.ending, Outcome.SUBMITTED).value,
        "status": end.status,
        "result": spec.result_of(end.record, signed_urls=signed_urls),
        "request_id": end.request_id,
        "console_url": console_url,
    }
