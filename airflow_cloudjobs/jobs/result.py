# SPDX-License-Identifier: Apache-2.0
"""The one form of a result, in every mode, for operators and sensors."""

from __future__ import annotations

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
