# SPDX-License-Identifier: Apache-2.0
"""Intelligent Media Services (ICE) 2020-11-09: media producing jobs.

Nothing can be cancelled. How an unknown job is refused the SDK does not say.
"""

from __future__ import annotations

import secrets
from typing import Any

from airflow_cloudjobs.localcloud.alibaba.ice import VERSION
from airflow_cloudjobs.localcloud.alibaba.jobs import find, start, why
from airflow_cloudjobs.localcloud.alibaba.rpc import answer, given, invalid, required, structured
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.clock import iso
from airflow_cloudjobs.localcloud.operation import Operation

API = "ice.media_producing"

_SOURCES = ("ProjectId", "Timeline", "TemplateId")


def submit_media_producing_job(call: Call) -> Answer:
    """SubmitMediaProducingJob: cut and compose media after a project, a timeline or a template."""
    required(call, "OutputMediaConfig")
    for name in ("OutputMediaConfig", "Timeline", "UserData"):
        structured(call, name, dict)
    if sum(bool(call.parameters.get(name)) for name in _SOURCES) != 1:
        raise invalid("Timeline", f"exactly one of {', '.join(_SOURCES)} is given")
    subject = " ".join(call.parameters.get(name, "") for name in (*_SOURCES, "ClipsParam"))
    token = call.parameters.get("ClientToken", "")
    job = start(call, API, secrets.token_hex(16), given(call), subject, token)
    return answer(call, {"JobId": job.key, "ProjectId": job.fields.get("ProjectId", ""), "MediaId": _media(job.key)})


def get_media_producing_job(call: Call) -> Answer:
    """GetMediaProducingJob: how far a job is."""
    key = required(call, "JobId")
    job = find(call, API, key, Refused(404, "JobNotFound", f"The job {key} does not exist."))
    now = call.now
    code, reason = why(job, now)
    described: dict[str, Any] = {
        "JobId": key,
        "ProjectId": job.fields.get("ProjectId", ""),
        "MediaId": _media(key),
        "Status": call.status(job, now),
        "Code": code,
        "Message": reason,
        "Progress": int(100 * job.progress(now)),
        "CreateTime": iso(job.started),
        "UserData": job.fields.get("UserData", ""),
    }
    if job.ended(now):
        described["CompleteTime"] = iso(job.ended_at())
    if job.succeeded(now):
        described.update(Duration=60.0, MediaURL=f"https://localcloud.oss-cn-shanghai.aliyuncs.com/{key}.mp4")
    return answer(call, {"MediaProducingJob": described})


OPERATIONS = (
    Operation("alibaba", "ice", "SubmitMediaProducingJob", "submit", submit_media_producing_job, API),
    Operation("alibaba", "ice", "GetMediaProducingJob", "poll", get_media_producing_job, API),
)

__all__ = ["API", "OPERATIONS", "VERSION"]


def _media(key: str) -> str:
    return f"media-{key}"
