# SPDX-License-Identifier: Apache-2.0
"""FunctionGraph v2: asynchronous invocations of functions.

The key of an invocation is the id of the request that made it, and it is read from the list of the function's
invocations, which shows those of the last hour unless the request says otherwise. One that is cancelled has failed with
4208. Every function exists except those whose URN says "missing". Guesses: an unknown id gives an empty list, a cancel
is answered with 204, a failure has the code 500.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.clock import parse
from airflow_cloudjobs.localcloud.huawei.kept import KeptJobs, reason
from airflow_cloudjobs.localcloud.huawei.rest import answer, number, one_of, request_header
from airflow_cloudjobs.localcloud.jobs import Job

JOBS = KeptJobs(
    "functiongraph.async", "functiongraph", bad="FSS.0400", unknown="FSS.0404", late="FSS.0400", unknown_status=404
)

_STATES = ("WAIT", "RUNNING", "SUCCESS", "FAIL", "DISCARD")
_TIME = "%Y-%m-%dT%H:%M:%S"


def async_invoke_function(call: Call) -> Answer:
    """AsyncInvokeFunction: call a function in the background."""
    _function(call)
    job = JOBS.submit(call, str(uuid.uuid4()), {"payload": JOBS.body(call)})
    return answer(call, {"request_id": job.key}, 202)


def list_async_invocations(call: Call) -> Answer:
    """ListAsyncInvocations: the invocations of a function that pass the filters, a page of them, the latest first."""
    _function(call)
    asked, now = call.parameters, call.now
    first = number(call, "marker", 0, 0, 2**31, JOBS.bad)
    limit = number(call, "limit", 100, 1, 500, JOBS.bad)
    state = one_of(call, "status", _STATES, JOBS.bad) if asked.get("status") else None
    begin, end = _moment(call, "query_begin_time", now - 3600), _moment(call, "query_end_time", now)
    key = asked.get("request_id")
    jobs = [JOBS.get(call, key)] if key else JOBS.all(call)[::-1]
    chosen = [job for job in jobs if job and begin <= job.started <= end and state in {None, job.status(now)}]
    page = [_described(call, job) for job in chosen[first : first + limit]]
    return answer(call, {"invocations": page, "count": len(chosen), "next_marker": first + len(page)})


def cancel_async_invocation(call: Call) -> Answer:
    """CancelAsyncInvocation: cancel an invocation that has not ended."""
    _function(call)
    body = JOBS.body(call, request_id=str)
    if body.get("type", "force") not in {"force", "recursive"}:
        raise JOBS.refused("Invalid parameter: type.")
    JOBS.cancel(call, JOBS.find(call, body["request_id"]), reason="function invocation canceled", code="4208")
    return Answer(204, b"", "application/json", request_header(call))


_FUNCTION = "/v2/{project_id}/fgs/functions/{function_urn}"
ROUTES = (
    JOBS.route("GET", _FUNCTION + "/async-invocations", "ListAsyncInvocations", "poll", list_async_invocations),
    JOBS.route("POST", _FUNCTION + "/invocations-async", "AsyncInvokeFunction", "submit", async_invoke_function),
    JOBS.route("POST", _FUNCTION + "/cancel", "CancelAsyncInvocation", "cancel", cancel_async_invocation),
)


def _function(call: Call) -> None:
    if "missing" in call.path["function_urn"]:
        raise Refused(404, JOBS.unknown, "The specified resource was not found.")


def _moment(call: Call, name: str, default: float) -> float:
    text = call.parameters.get(name)
    moment = parse(text, _TIME) if text else default
    if moment is None:
        raise JOBS.refused(f"Invalid parameter: {name}.")
    return moment


def _described(call: Call, job: Job) -> dict[str, Any]:
    now = call.now
    ended = job.ended(now)
    return {
        "request_id": job.key,
        "status": call.status(job, now),
        "error_code": int(job.script.code or 0) if ended else 0,
        "error_message": reason(call, job),
        "start_time": _written(job.started),
        "end_time": _written(job.started + job.lasted(now)) if ended else "",
    }


def _written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime(_TIME)
