# SPDX-License-Identifier: Apache-2.0
"""Huawei Cloud DLI (v1.0): the export of a query's result to OBS, a job of its own that follows the query.

Source: ExportSqlJobResult, https://support.huaweicloud.com/intl/en-us/api-dli/dli_02_0024.html. It takes no tags, so a
job whose submit was not answered is known by its path: ListSqlJobs lists the exports since the query began,
ShowSqlJobDetail says where each goes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from airflow_cloudjobs.jobs.arguments import Arguments
from airflow_cloudjobs.jobs.finder import Finder, Unclear
from airflow_cloudjobs.jobs.identity import Identity
from airflow_cloudjobs.jobs.request import ApiRequest, path_part

JOBS = "/v1.0/{project_id}/jobs"

PARAMETERS = ("output_path", "output_format", "output_options", "queue_name")
"""The arguments of the operator that the export takes."""

FORMATS = ("csv", "json")
OPTIONS: Mapping[str, Collection[Any] | None] = {
    "compress": ("none", "gzip", "bzip2", "deflate"),
    "export_mode": ("ErrorIfExists", "Overwrite"),
    "with_column_header": (True, False),
    "encoding_type": ("utf-8", "gb2312", "gbk"),
    "limit_num": None,
    "quote_char": None,
    "escape_char": None,
    "queue_name": None,
}
"""What the API takes beside path and format, with the values that its page allows; None where it names none."""

_PATH = re.compile(r"obs://(?![a-z0-9.-]*\.[0-9][^./]*/)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\s,/]+)+/?")
"""The page allows no commas, and no digit after the last dot of the bucket's name."""

MOST = 100
"""Exports that are looked through; the API gives no more on a page."""


def check(arguments: Arguments) -> None:
    """Refuse what the export does not take.

    :param arguments: the operator's.
    :raises InvalidArgument: naming the argument.
    """
    if not arguments.given("output_path"):
        if arguments.given("output_options"):
            raise arguments.refuse("output_options", "is for an export: give 'output_path' too")
        return
    arguments.is_text("output_path")
    if arguments.known("output_path") and not _PATH.fullmatch(arguments.values["output_path"]):
        raise arguments.refuse(
            "output_path",
            f"is {arguments.values['output_path']!r}; its form is obs://bucket/directory, without blanks and commas",
        )
    arguments.required("output_format")
    arguments.one_of("output_format", FORMATS)
    arguments.has_fields("output_options", (), tuple(OPTIONS))
    if arguments.known("output_options"):
        for name, value in arguments.values["output_options"].items():
            allowed = OPTIONS[name]
            if allowed is not None and value not in allowed:
                words = ", ".join(map(repr, allowed))
                raise arguments.refuse("output_options", f"has {value!r} as {name!r}; allowed are {words}")


def submit(
    *,
    job_key: str,
    output_path: str,
    output_format: str,
    output_options: Mapping[str, Any] | None,
    queue_name: str | None,
    record: Mapping[str, Any],
) -> ApiRequest:
    """The request that exports what a query has found.

    :param job_key: the query.
    :param output_path: the directory in OBS.
    :param output_format: the format of the files.
    :param output_options: further fields of the request.
    :param queue_name: the queue, unless the options name one; None for the default one.
    :param record: the query as it was seen; not sent.
    """
    body = {"data_path": output_path, "data_type": output_format, "queue_name": queue_name, **(output_options or {})}
    return ApiRequest(
        "dli",
        "ExportSqlJobResult",
        "POST",
        f"{JOBS}/{path_part('job_id', job_key)}/export-result",
        body={name: value for name, value in body.items() if value is not None},
    )


def _exports(arguments: Mapping[str, Any], identity: Identity) -> list[ApiRequest]:
    """The list of the exports that began after the query: by the cloud's own clock, that of ``start_time``."""
    began = arguments["record"].get("start_time")
    query = {"job-type": "EXPORT", "page-size": str(MOST), "order": "start_time_desc", "start": str(began)}
    return [ApiRequest("dli", "ListSqlJobs", "GET", JOBS, query=query, idempotent=True)] if began else []


def _details(lists: Sequence[Mapping[str, Any]]) -> list[ApiRequest]:
    keys = [path_part("job_id", job["job_id"]) for listed in lists for job in listed.get("jobs") or ()]
    return [ApiRequest("dli", "ShowSqlJobDetail", "GET", f"{JOBS}/{key}/detail", idempotent=True) for key in keys]


def _found(
    details: Sequence[Mapping[str, Any]],
    arguments: Mapping[str, Any],
    identity: Identity,
    superseded: Collection[str],
) -> list[str]:
    """The newest export into our directory."""
    ours = arguments["output_path"].rstrip("/")
    for job in details:
        if str(job.get("data_path") or "").rstrip("/") == ours and job["job_id"] not in superseded:
            return [str(job["job_id"])]
    if len(details) >= MOST:
        raise Unclear(f"ListSqlJobs lists {MOST} exports at most, and ours may be another")
    return []


FINDER = Finder(mark=lambda arguments, identity: dict(arguments), requests=_exports, found=_found, details=_details)
