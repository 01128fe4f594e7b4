# SPDX-License-Identifier: Apache-2.0
"""Elastic Compute Service (ECS) 2014-05-26: commands of Cloud Assistant, and the regions.

A stop here ends the command on every instance; the real one lets it go on where it has begun. That the stop of a
command that has ended is refused is a guess; the code for it is in the vendor's table.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

from airflow_cloudjobs.localcloud.alibaba.jobs import find, has, page, start, why
from airflow_cloudjobs.localcloud.alibaba.rpc import answer, given, invalid, missing, one_of, required
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.clock import iso
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.operation import Operation

VERSION = "2014-05-26"
API = "ecs.command"

_TYPES = ("RunBatScript", "RunPowerShellScript", "RunShellScript")
_REGIONS = {"cn-hangzhou": "华东1 杭州", "cn-shanghai": "华东2 上海", "ap-southeast-1": "新加坡"}
#: Those that are served beside these; what DescribeRegions lists depends on the account.
_FURTHER = frozenset(
    """
    cn-qingdao cn-beijing cn-zhangjiakou cn-huhehaote cn-wulanchabu cn-nanjing cn-fuzhou cn-wuhan-lr cn-shenzhen
    cn-heyuan cn-guangzhou cn-chengdu ap-southeast-3 ap-southeast-5 ap-southeast-6 ap-southeast-7 ap-northeast-1
    cn-hongkong ap-northeast-2 eu-central-1 eu-west-1 us-west-1 us-east-1 na-south-1 me-east-1 me-central-1
    """.split()  # noqa: SIM905 - a list of words is easier to read
)


def describe_regions(call: Call) -> Answer:
    """DescribeRegions: the regions, by their names."""
    regions = [
        {"RegionId": region, "LocalName": name, "RegionEndpoint": f"ecs.{region}.aliyuncs.com", "Status": "available"}
        for region, name in _REGIONS.items()
    ]
    return answer(call, {"Regions": {"Region": regions}})


def _region(call: Call) -> str:
    """The region of a call, which must be one of the cloud's."""
    region = required(call, "RegionId")
    if region not in _REGIONS and region not in _FURTHER:
        raise Refused(404, "InvalidRegionId.NotFound", "The specified RegionId does not exist.")
    return region


def run_command(call: Call) -> Answer:
    """RunCommand: run a script on instances, which the call names or finds by their tags."""
    _region(call)
    one_of(call, "Type", _TYPES)
    content, fields = required(call, "CommandContent"), given(call)
    if not (fields.get("InstanceId") or fields.get("ResourceTag")):
        raise missing("InstanceId")
    if call.parameters.get("ContentEncoding", "").lower() == "base64":
        try:
            content = base64.b64decode(content, validate=True).decode()
        except ValueError:
            raise invalid("CommandContent", "it is not Base64") from None
    fields["CommandContent"] = content
    job = start(call, API, f"t-{secrets.token_hex(10)}", fields, content, call.parameters.get("ClientToken", ""))
    return answer(call, {"CommandId": _command(job), "InvokeId": job.key})


def describe_invocations(call: Call) -> Answer:
    """DescribeInvocations: the newest first, by id, status, name, instance and tags; no other filter is looked at."""
    region, wanted, asked = _region(call), given(call), call.parameters.get("InvokeId", "")
    jobs = [
        job
        for job in call.state.jobs.of(API)
        if has(job, RegionId=region, Name=wanted.get("CommandName", ""))
        and asked in ("", job.key)
        and wanted.get("InvokeStatus") in (None, "", job.status(call.now))
        and wanted.get("InstanceId") in (None, "", *_instances(job))
        and all(tag in job.fields.get("Tag", []) for tag in wanted.get("Tag", []))
    ]
    shown, told = page(call, jobs[::-1], 10, 50)
    call.keys.extend([asked] if asked else [job.key for job in shown])
    invocations = [_described(call, job) for job in shown]
    return answer(call, {"Invocations": {"Invocation": invocations}, "TotalCount": len(jobs), **told})


def stop_invocation(call: Call) -> Answer:
    """StopInvocation: stop a command that has not ended."""
    region, key = _region(call), required(call, "InvokeId")
    refused = Refused(404, "InvalidInvokeId.NotFound", "The specified invoke ID does not exist.")
    job = find(call, API, key, refused, RegionId=region)
    if job.ended(call.now):
        raise Refused(403, "Operation.Forbidden", "The operation is not permitted.")
    call.state.cancel(job)
    return answer(call, {})


OPERATIONS = (
    Operation("alibaba", "ecs", "DescribeRegions", "read", describe_regions),
    Operation("alibaba", "ecs", "RunCommand", "submit", run_command, API),
    Operation("alibaba", "ecs", "DescribeInvocations", "poll", describe_invocations, API),
    Operation("alibaba", "ecs", "StopInvocation", "cancel", stop_invocation, API),
)


def _command(job: Job) -> str:
    return f"c-{job.key.removeprefix('t-')}"


def _instances(job: Job) -> list[str]:
    instances: list[str] = job.fields.get("InstanceId", ["i-localcloud"])
    return instances


def _described(call: Call, job: Job) -> dict[str, Any]:
    now, fields = call.now, job.fields
    status, content = call.status(job, now), fields.get("CommandContent", "")
    plain = call.parameters.get("ContentEncoding", "").lower() == "plaintext"
    code, reason = why(job, now)
    instance = {
        "CreationTime": iso(job.started),
        "InvocationStatus": "Failed" if status == "PartialFailed" else status,
        "ErrorCode": code,
        "ErrorInfo": reason,
        "ExitCode": 1 if reason else 0,
        "FinishTime": iso(job.ended_at()) if job.ended(now) else "",
    }
    return {
        "InvokeId": job.key,
        "InvocationStatus": status,
        "InvokeStatus": status,
        "CommandId": _command(job),
        "CommandName": fields.get("Name", ""),
        "CommandType": fields.get("Type", "RunShellScript"),
        "CommandContent": content if plain else base64.b64encode(content.encode()).decode(),
        "CreationTime": iso(job.started),
        "Tags": {"Tag": [{"TagKey": tag.get("Key"), "TagValue": tag.get("Value")} for tag in fields.get("Tag", [])]},
        "InvokeInstances": {"InvokeInstance": [{"InstanceId": each, **instance} for each in _instances(job)]},
    }
