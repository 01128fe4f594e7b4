# SPDX-License-Identifier: Apache-2.0
"""A few operations of services that run none of our jobs, one of each style in which Alibaba Cloud is called.

They keep nothing. Names and places of parameters are those of the vendor's SDK packages for ECS 2014-05-26 (RPC,
query), green 2022-03-02 (RPC, form) and EMR Serverless Spark 2023-08-08 (ROA, path, query and JSON).
"""

from __future__ import annotations

import json
from typing import Any

from airflow_cloudjobs.localcloud.alibaba.rpc import answer, invalid, missing, request_id, required, structured
from airflow_cloudjobs.localcloud.answers import Answer, Refused, encode
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.operation import Operation

ECS, GREEN, SPARK = "2014-05-26", "2022-03-02", "2023-08-08"

_REGIONS = {"cn-hangzhou": "华东1 杭州", "cn-shanghai": "华东2 上海", "ap-southeast-1": "新加坡"}


def describe_regions(call: Call) -> Answer:
    """DescribeRegions of ECS: the regions, by their names."""
    regions = [
        {"RegionId": region, "LocalName": name, "RegionEndpoint": f"ecs.{region}.aliyuncs.com", "Status": "available"}
        for region, name in _REGIONS.items()
    ]
    return answer(call, {"Regions": {"Region": regions}})


def text_moderation_plus(call: Call) -> Answer:
    """TextModerationPlus of green: whether a text is all right; one that says "forbidden" is not."""
    required(call, "Service")
    text = (structured(call, "ServiceParameters", dict) or {}).get("content")
    if not isinstance(text, str):
        raise invalid("ServiceParameters", "it has no content")
    label, risk = ("contraband", "high") if "forbidden" in text else ("nonLabel", "none")
    return answer(call, {"Code": 200, "Message": "OK", "Data": {"Result": [{"Label": label}], "RiskLevel": risk}})


def grant_role_to_users(call: Call) -> Answer:
    """GrantRoleToUsers of EMR Serverless Spark: users get a role."""
    body = _json_object(call)
    for name in ("roleArn", "userArns"):
        if not body.get(name):
            raise missing(name)
    return _answer(call, {})


def get_cu_hours(call: Call) -> Answer:
    """GetCuHours of EMR Serverless Spark: what a queue of a workspace has used between two times."""
    for name in ("startTime", "endTime"):
        required(call, name)
    if not call.path["workspaceId"].startswith("w-"):
        raise Refused(404, "Workspace.NotFound", f"The workspace {call.path['workspaceId']} does not exist.")
    return _answer(call, {"data": {"cuHours": {call.path["queue"]: 1.5}}})


RPC = {
    ECS: (Operation("alibaba", "ecs", "DescribeRegions", "read", describe_regions),),
    GREEN: (Operation("alibaba", "green", "TextModerationPlus", "read", text_moderation_plus),),
}
"""By version, what is called by its name alone."""

ROA = (
    (
        SPARK,
        "POST",
        "/api/v1/auth/roles/grant",
        Operation("alibaba", "emr-serverless-spark", "GrantRoleToUsers", "read", grant_role_to_users),
    ),
    (
        SPARK,
        "GET",
        "/api/v1/workspaces/{workspaceId}/metric/cuHours/{queue}",
        Operation("alibaba", "emr-serverless-spark", "GetCuHours", "read", get_cu_hours),
    ),
)
"""Version, method and path of what has a path of its own."""


def _answer(call: Call, fields: dict[str, Any]) -> Answer:
    """A success of a ROA service, whose names begin small."""
    identifier = request_id(call.received)
    body = encode({"requestId": identifier, **fields})
    return Answer(200, body, "application/json;charset=utf-8", {"x-acs-request-id": identifier})


def _json_object(call: Call) -> dict[str, Any]:
    if not call.received.header("content-type").startswith("application/json"):
        raise Refused(400, "UnsupportedMediaType", "The request body must be JSON.")
    try:
        body = json.loads(call.received.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise invalid("body", "it is not a JSON object")
    return body
