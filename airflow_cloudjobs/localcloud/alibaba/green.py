# SPDX-License-Identifier: Apache-2.0
"""Content Moderation (green) 2022-03-02: videos, which are jobs, and texts.

Answers are HTTP 200, and ``Code`` says how it really is: what is refused and how a job goes. An unknown task is refused
with 400, which is a guess. A submit has no token, and nothing can be cancelled.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from airflow_cloudjobs.localcloud.alibaba.jobs import find, start, why
from airflow_cloudjobs.localcloud.alibaba.rpc import answer, invalid, required, structured
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.operation import Operation

VERSION = "2022-03-02"
API = "green.video"

_MESSAGES = {200: "OK", 280: "PROCESSING"}


def text_moderation_plus(call: Call) -> Answer:
    """TextModerationPlus: whether a text is all right; one that says "forbidden" is not."""
    required(call, "Service")
    text = (structured(call, "ServiceParameters", dict) or {}).get("content")
    if not isinstance(text, str):
        raise invalid("ServiceParameters", "it has no content")
    label, risk = ("contraband", "high") if "forbidden" in text else ("nonLabel", "none")
    return answer(call, {"Code": 200, "Message": "OK", "Data": {"Result": [{"Label": label}], "RiskLevel": risk}})


def video_moderation(call: Call) -> Answer:
    """VideoModeration: look at the video of a URL."""
    service, parameters = required(call, "Service"), _parameters(call)
    url = parameters.get("url")
    if not isinstance(url, str) or not re.match(r"https?://[^/]", url):
        raise Refused(200, "400", "The parameter url is required and must be an HTTP or HTTPS URL.")
    fields = {"Service": service, "ServiceParameters": parameters}
    job = start(call, API, f"vi_f_{uuid.uuid4().hex}", fields, url)
    return answer(call, {"Code": 200, "Message": "OK", "Data": {"TaskId": job.key, **_data_id(parameters)}})


def video_moderation_result(call: Call) -> Answer:
    """VideoModerationResult: what was found in a video, once its task has ended."""
    service, key = required(call, "Service"), str(_parameters(call).get("taskId") or "")
    job = find(call, API, key, Refused(200, "400", f"The task {key} does not exist."), Service=service)
    now = call.now
    code = call.status(job, now)
    told: dict[str, Any] = {"Code": code, "Message": why(job, now)[1] or _MESSAGES.get(code, "")}
    data: dict[str, Any] = {"TaskId": key, **_data_id(job.fields.get("ServiceParameters", {}))}
    if job.succeeded(now):
        data.update(RiskLevel="none", FrameResult={"FrameNum": 10, "FrameSummarys": [], "RiskLevel": "none"})
    return answer(call, {**told, "Data": data})


OPERATIONS = (
    Operation("alibaba", "green", "TextModerationPlus", "read", text_moderation_plus),
    Operation("alibaba", "green", "VideoModeration", "submit", video_moderation, API),
    Operation("alibaba", "green", "VideoModerationResult", "poll", video_moderation_result, API),
)


def _parameters(call: Call) -> dict[str, Any]:
    try:
        parameters: dict[str, Any] = structured(call, "ServiceParameters", dict) or {}
    except Refused as refused:
        raise Refused(200, "400", refused.message) from None
    return parameters


def _data_id(parameters: dict[str, Any]) -> dict[str, Any]:
    return {"DataId": parameters["dataId"]} if "dataId" in parameters else {}
