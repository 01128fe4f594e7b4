# SPDX-License-Identifier: Apache-2.0
"""An operation as one text, and the request that a call of it makes."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cloudjobs.jobs.operation import Operation, request_for

CLUSTER = "ShowClusterDetails GET /v1.1/{project_id}/cluster_infos/{cluster_id}"
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["../../x", "..", ".", "a/b", "a?b=c", "a#b", "{project_id}", "%2e%2e", "日", " ", "\r\nHost: x"]
)


@pytest.mark.parametrize(
    ("text", "name", "method", "path"),
    [
        ("RunInstances", "RunInstances", "POST", "/"),
        ("  RunInstances ", "RunInstances", "POST", "/"),
        ("DescribeX GET /", "DescribeX", "GET", "/"),
        (CLUSTER, "ShowClusterDetails", "GET", "/v1.1/{project_id}/cluster_infos/{cluster_id}"),
        ("StartJob POST /api/jobs%3Astart", "StartJob", "POST", "/api/jobs%3Astart"),
    ],
)
def test_what_a_text_says(text: str, name: str, method: str, path: str) -> None:
    made = Operation.of(text)
    assert (made.name, made.method, made.path) == (name, method, path)


@pytest.mark.parametrize(
    "text",
    [
        *("", "GET /v1/x", "A b", "A GET", "A GET x", "A TRACE /x", "A GET /x y"),
        *("A GET /x?y=1", "A GET /x#y", "A GET /{x", "A GET /字", "A GET /{a b}"),
    ],
)
def test_a_text_that_is_no_operation(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"operation {text!r} is none")):
        Operation.of(text)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("DescribeInstances", True),
        ("GetJob", True),
        ("ListJobs", True),
        ("QueryJobList", True),
        ("DescribeX GET /", True),
        (CLUSTER, True),
        ("DeleteX GET /", False),
        ("Getaway", False),
        ("RunInstances", False),
        ("ListTrainingJobs POST /v2/{project_id}/training-job-searches", False),
    ],
)
def test_whether_a_second_call_is_known_to_do_no_harm(text: str, reads: bool) -> None:
    assert Operation.of(text).reads is reads
    assert request_for("x", text, cluster_id="c").idempotent is reads
    assert request_for("x", text, cluster_id="c", idempotent=not reads).idempotent is not reads


@given(values, values)
def test_a_value_cannot_leave_its_place_in_the_path(one: str, two: str) -> None:
    operation = Operation.of("Get GET /v1/{project_id}/a/{one}/b/{two}")
    if {one, two} & {"", ".", ".."}:
        with pytest.raises(ValueError, match=r"'(one|two)' is .* cannot be a part of a path"):
            operation.filled({"one": one, "two": two})
        return
    path = operation.filled({"one": one, "two": two})
    parts = path.split("/")
    assert parts[:4] == ["", "v1", "{project_id}", "a"]
    assert [unquote(parts[4]), parts[5], unquote(parts[6])] == [one, "b", two]
    assert len(parts) == 7
    assert re.fullmatch(r"/v1/\{project_id\}/[A-Za-z0-9%~._/-]+", path)


def test_a_part_of_the_path_that_is_missing() -> None:
    for given_ in ({}, {"cluster_id": None}):
        with pytest.raises(ValueError, match=r"ShowClusterDetails needs 'cluster_id': it is a part of its path /v1"):
            request_for("mrs", CLUSTER, **given_)


@pytest.mark.parametrize("service", ["", "evil.com/", "a.b", "A", "-a", "a@b", "a_b", "ecs\n"])
def test_what_is_no_service(service: str) -> None:
    with pytest.raises(ValueError, match=r"service .* is none"):
        request_for(service, "DescribeInstances")


def test_where_everything_goes() -> None:
    request = request_for(
        "dayu-dlf",
        "RunOnce POST /v1/{project_id}/jobs/{job_name}/run-immediate",
        **{"job_name": "a job", "limit": 10, "all": True, "ids": ["a", "ü"], "none": None, "page-size": 5},
        version="v",
        form={"one": {"a": 1}, "two": None},
        headers={"workspace": "w"},
    )
    assert request.path == "/v1/{project_id}/jobs/a%20job/run-immediate"
    assert request.query == {"limit": "10", "all": "true", "ids": '["a","ü"]', "page-size": "5"}
    assert (request.version, request.headers, request.form) == ("v", {"workspace": "w"}, {"one": '{"a":1}'})
    assert (request.operation, request.method, request.body, request.lax) == ("RunOnce", "POST", None, True)


@pytest.mark.parametrize("body", [{}, [], {"a": None}, "text", 0, False])
def test_a_body_goes_as_it_is(body: Any) -> None:
    assert request_for("x", "A POST /a", body=body).body == body


def test_what_is_sent_is_not_shown() -> None:
    """A request's text may stand in a traceback, and what it carries may be a secret."""
    secret = "s3cr3t"
    body = request_for("x", "A POST /a", body={"password": secret}, headers={"X-Key": secret})
    form = request_for("x", "A", form={"password": secret})
    assert secret not in f"{body!r}{form!r}"
