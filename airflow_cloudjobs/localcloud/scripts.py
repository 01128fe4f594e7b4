# SPDX-License-Identifier: Apache-2.0
"""Which life a new job gets: each API's documented states, and the three ways to choose another end.

In order of strength: a plan made through the control API; marks in the job's own input (``localcloud=fail``,
``localcloud.seconds=2``); the word ``missing`` in the input, which fails as the real thing would. Without any
of them a job passes through the documented states in progress and succeeds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from airflow_cloudjobs.localcloud.accounts import Cloud
from airflow_cloudjobs.localcloud.alibaba import states as alibaba
from airflow_cloudjobs.localcloud.huawei import states as huawei
from airflow_cloudjobs.localcloud.jobs import Script
from airflow_cloudjobs.localcloud.vocabulary import Vocabulary

#: A status that no page of either cloud knows.
UNKNOWN_STATUS = "ARCHIVING"
_NEVER = float("inf")
_MARK = re.compile(r"localcloud=([A-Za-z_]+)")
_SECONDS = re.compile(r"localcloud\.seconds=(\d+(?:\.\d+)?)")
_MISSING = re.compile(r"[^\s,;'\"`()&?=]*missing[^\s,;'\"`()&?=]*", re.IGNORECASE)


VOCABULARIES: Mapping[str, Vocabulary] = {**alibaba.STATES, **huawei.STATES}
"""By API."""


def cloud_of(api: str) -> Cloud:
    """Which cloud an API belongs to.

    :param api: its id.
    """
    return "alibaba" if api in alibaba.STATES else "huawei"


@dataclass(frozen=True, slots=True)
class ScriptOverride:
    """How a job shall go; what is None is left to the API's custom.

    :param end: ``success``, ``fail``, ``cancelled``, ``unknown`` (a status nobody knows), ``null`` (no
        status), ``forever`` (never ends), or any other word: that word becomes the last status as it is.
    :param seconds: time until the end.
    :param steps: pairs of raw status and seconds, instead of ``end`` and ``seconds``.
    :param reason: the API's explanation of the end.
    :param code: the API's error code of the end.
    :param result: what the job yields, in the API's own form: ``schema`` and ``rows`` of a query on DLI.
    """

    end: str | None = None
    seconds: float | None = None
    steps: Sequence[Sequence[Any]] | None = None
    reason: str | None = None
    code: str | None = None
    result: Mapping[str, Any] | None = None


def read_marks(text: str) -> ScriptOverride:
    """The override that a job's input carries: ``localcloud=<end>`` and ``localcloud.seconds=<float>``.

    :param text: the input: SQL, URL, file name; percent-encoding is seen through.
    """
    text = unquote(text)
    end, seconds = _MARK.search(text), _SECONDS.search(text)
    return ScriptOverride(end=end.group(1) if end else None, seconds=float(seconds.group(1)) if seconds else None)


def missing_thing(text: str) -> str | None:
    """The word of a job's input that contains ``missing``, or None.

    :param text: the input: SQL, URL, file name.
    """
    found = _MISSING.search(unquote(text))
    return found.group(0) if found else None


def natural_failure(api: str, text: str) -> ScriptOverride | None:
    """The failure that the word ``missing`` in a job's input brings, with the API's own kind of reason.

    :param api: id of the API.
    :param text: the input: SQL, URL, file name.
    """
    thing = missing_thing(text)
    if thing is None:
        return None
    states = VOCABULARIES[api]
    return ScriptOverride(end="fail", reason=states.missing.replace("{thing}", thing), code=states.missing_code)


def script_for(api: str, overrides: Sequence[ScriptOverride | None], job_seconds: float) -> Script:
    """The script of a job: what the first override that says something asks for, else the API's custom.

    :param api: id of the API.
    :param overrides: strongest first; a field that one leaves open is taken from the next.
    :param job_seconds: time until the end if no override says so.
    :raises ValueError: steps that are not pairs of status and seconds, a result without rows.
    """

    def first(name: str) -> Any:
        values = (getattr(override, name) for override in overrides if override is not None)
        return next((value for value in values if value is not None), None)

    result = first("result")
    if result is not None and not (isinstance(result, Mapping) and {"schema", "rows"} <= result.keys()):
        raise ValueError(f"a result has 'schema' and 'rows', and {result!r} has not")
    return replace(_life(api, first, job_seconds), result=result)


def _life(api: str, first: Callable[[str], Any], job_seconds: float) -> Script:
    states = VOCABULARIES[api]
    end, seconds = first("end") or "success", first("seconds")
    reason, code, steps = first("reason"), first("code"), first("steps")
    if steps:
        pairs = tuple((_status(step), _duration(step)) for step in steps)
        return finish(api, pairs, reason, code)
    seconds = job_seconds if seconds is None else seconds
    running = states.running
    last = {
        "success": states.success,
        "fail": states.failure,
        "cancelled": states.cancelled,
        "unknown": UNKNOWN_STATUS,
        "null": None,
    }.get(end, end)
    if end == "forever":
        return Script(tuple((status, share * seconds) for status, share in running), succeeds=True, ends=False)
    if end in {"fail", "cancelled"}:
        kept = [status for status, _ in running].index(states.breaks_in) + 1
        running = running[:kept]
    whole = sum(share for _, share in running)
    pairs = (*((status, share / whole * seconds) for status, share in running), (last, _NEVER))
    return finish(api, pairs, reason, code)


def finish(
    api: str,
    pairs: tuple[tuple[Any, float], ...],
    reason: str | None = None,
    code: str | None = None,
) -> Script:
    """The script of these steps: whether the last is an end, a success, and what the API says of it.

    :param api: id of the API.
    :param pairs: raw status and seconds, the last one included.
    :param reason: the API's explanation; its usual one if None and the end is a failure.
    :param code: the API's error code; its usual one if None and the end is a failure.
    """
    states = VOCABULARIES[api]
    last = pairs[-1][0]
    succeeds = last == states.success or last in states.other_successes
    ends = last in states.ends or last == states.cancelled
    failed = ends and not succeeds and (last == states.failure or last != states.cancelled)
    return Script(
        pairs,
        succeeds=succeeds,
        ends=ends,
        reason=(states.reason if failed else "") if reason is None else reason,
        code=(states.code if failed else "") if code is None else code,
    )


def _status(step: Sequence[Any]) -> Any:
    if isinstance(step, str) or not step:
        raise ValueError(f"a step is a pair of status and seconds, not {step!r}")
    return step[0]


def _duration(step: Sequence[Any]) -> float:
    return float(step[1]) if len(step) > 1 and step[1] is not None else 0.0
