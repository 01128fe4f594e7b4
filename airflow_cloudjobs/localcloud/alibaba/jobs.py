# SPDX-License-Identifier: Apache-2.0
"""What the job APIs share: a job is started once, found by its key, says why it failed, and stands in a list.

No page says with which code each product refuses a token that was used for something else; ECS's is taken for all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from airflow_cloudjobs.localcloud.alibaba.rpc import invalid, long
from airflow_cloudjobs.localcloud.answers import Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.state import TokenReused


def start(call: Call, api: str, key: str, fields: dict[str, Any], subject: Any, token: str = "") -> Job:
    """Start a job, or give the one that a submit with the same token has started.

    :param call: the submit.
    :param api: id of the API.
    :param key: the key of a new job.
    :param fields: what it is submitted with, under the API's names, the token left out; marks in it count.
    :param subject: what the job works on, in which the word ``missing`` counts.
    :param token: the token; empty if there is none.
    :raises Refused: ``IdempotentParameterMismatch`` if the token was used with other fields.
    """
    try:
        job = call.state.tokens.job(api, token, fields)
    except TokenReused:
        message = "The request uses the same client token as a previous, but non-identical request."
        raise Refused(400, "IdempotentParameterMismatch", message) from None
    if job is None:
        job = call.state.submit(api, key, fields, call.state.script(api, _text(subject), _text(fields)))
        call.state.tokens.take(token, fields, job)
    call.keys.append(job.key)
    return job


def find(call: Call, api: str, key: str, refused: Refused, **parents: str) -> Job:
    """The job of a key; its parents need not be known of a job that nobody submitted.

    :param call: the call.
    :param api: id of the API.
    :param key: the key.
    :param refused: the error if there is none.
    :param parents: what else names the job, by the names of its fields.
    :raises Refused: there is none, or it has other parents.
    """
    call.keys.append(key)
    job = call.state.jobs.get(api, key)
    if job is None or not has(job, **parents):
        raise refused
    return job


def has(job: Job, **values: str) -> bool:
    """Whether fields of a job have these values; those that it has not are passed over, and so is an empty value.

    :param job: the job.
    :param values: the values by the names of the fields.
    """
    return job.fits({name: value for name, value in values.items() if value})


def why(job: Job, now: float) -> tuple[str, str]:
    """Code and reason of a job that has ended badly, both empty for any other.

    :param job: the job.
    :param now: seconds since the epoch.
    """
    failed = job.ended(now) and not job.script.succeeds
    return (job.script.code, job.script.reason) if failed else ("", "")


def page(
    call: Call, jobs: Sequence[Job], usual: int, most: int, names: tuple[str, str] = ("MaxResults", "NextToken")
) -> tuple[list[Job], dict[str, Any]]:
    """A page of a list, and what the answer says of it.

    :param call: the call.
    :param jobs: the whole list.
    :param usual: jobs on a page unless the call says how many.
    :param most: jobs on a page at most.
    :param names: the parameters, and the fields of the answer, that have the size of a page and the token of the next.
    :raises Refused: ``InvalidParameter``.
    """
    size, start_of_next = names
    asked, begin = long(call, size), long(call, start_of_next) or 0
    count = usual if asked is None else asked
    if not 1 <= count <= most:
        raise invalid(size, f"it is a number from 1 to {most}")
    told: dict[str, Any] = {size: count}
    if begin + count < len(jobs):
        told[start_of_next] = str(begin + count)
    return list(jobs[begin : begin + count]), told


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
