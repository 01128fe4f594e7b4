# SPDX-License-Identifier: Apache-2.0
"""From the JSON of an answer to what it says of each job that was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.jobs.spec import JobSpec, Listing, Observation, fields_in, request_id_of

Answers = Mapping[str, Observation | CloudApiError]
"""What was seen of each key, or why nothing was."""

ODD_FORM, BUG = "<form>", "<bug>"
"""Codes of what is wrong on our side of the wire: an answer that cannot be read, a call that could not be made."""

_ODD_FORM = (AttributeError, KeyError, TypeError, ValueError)
"""What reading raises where an answer is not as the API's pages say."""


def polled(spec: JobSpec, keys: Sequence[str], request: ApiRequest, answer: Mapping[str, Any]) -> Answers:
    """What the answer to a poll says of each key; one that it does not tell of does not exist.

    :raises CloudApiError: if the answer does not have the documented form.
    """
    try:
        seen = spec.observe(answer, keys)
    except _ODD_FORM as error:
        raise _odd(request, error) from error
    return {key: seen.get(key) or _missing(request, answer) for key in keys}


def running_jobs(
    spec: JobSpec, listing: Listing, request: ApiRequest, answer: Mapping[str, Any]
) -> tuple[Mapping[str, Observation], bool]:
    """What a page of a list says of the jobs in progress, and whether there may be another page.

    :raises CloudApiError: if the answer does not have the documented form.
    """
    try:
        records = listing.records(answer)
        seen = spec.seen(answer, records).items()
    except _ODD_FORM as error:
        raise _odd(request, error) from error
    going = {key: one for key, one in seen if spec.states.knows(one.status) and not spec.states.outcome(one.status)}
    return going, len(records) >= listing.size


def first_error(answers: Answers) -> CloudApiError | None:
    """The first error among answers."""
    for answer in answers.values():
        if isinstance(answer, CloudApiError):
            return answer
    return None


def refused_together(answers: Answers) -> bool:
    """True if a call for several jobs failed as a whole, and the reason may be one of them."""
    if len(answers) < 2:
        return False
    problem, *others = answers.values()
    return (
        isinstance(problem, CloudApiError)
        and (problem.http_status > 0 or problem.code in (ODD_FORM, BUG))
        and problem.kind in (ErrorKind.NOT_FOUND, ErrorKind.INVALID, ErrorKind.UNKNOWN)
        and all(other is problem for other in others)
    )


def _missing(request: ApiRequest, answer: Mapping[str, Any]) -> CloudApiError:
    return CloudApiError(
        f"the cloud does not know this job (its answer has {fields_in(answer)})",
        kind=ErrorKind.NOT_FOUND,
        operation=request.operation,
        code="<not found>",
        request_id=request_id_of(answer),
        http_status=200,
    )


def _odd(request: ApiRequest, error: Exception) -> CloudApiError:
    return CloudApiError(
        f"the answer does not have the documented form: {error!r}",
        kind=ErrorKind.UNKNOWN,
        operation=request.operation,
        code=ODD_FORM,
    )
