# SPDX-License-Identifier: Apache-2.0
"""The state maps against the words of the vendors' own SDKs.

A status that a vendor adds to its documentation, or takes away, fails here until somebody has decided what
it means.
"""

from __future__ import annotations

import inspect
import re
from types import ModuleType

import pytest
from alibabacloud_dms_enterprise20181101.models import (
    _get_user_upload_file_job_response_body as upload_model,
)
from alibabacloud_dms_enterprise20181101.models import (
    _query_data_track_result_download_status_response_body as export_model,
)
from alibabacloud_ice20201109.models import _get_url_upload_infos_response_body as ice_model
from huaweicloudsdkdli.v1 import ListSqlJobsRequest, ShowSqlJobStatusResponse
from huaweicloudsdkdrs.v5 import ShowDbObjectTemplateProgressResponse, ShowUpdateObjectSavingStatusResponse

from airflow_cloudjobs.apis import SPECS, spec_of
from airflow_cloudjobs.jobs.outcome import Outcome
from airflow_cloudjobs.jobs.spec import StateMap

GOING, GOOD, BAD, OFF = None, Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CANCELLED


def comment_above(model: ModuleType, attribute: str) -> str:
    """The comment that stands directly above ``self.<attribute> = <attribute>`` in a Tea model."""
    lines = inspect.getsource(model).splitlines()
    at = next(n for n, line in enumerate(lines) if line.strip() == f"self.{attribute} = {attribute}")
    first = at
    while lines[first - 1].strip().startswith("#"):
        first -= 1
    return "\n".join(line.strip().lstrip("# ") for line in lines[first:at])


def parameter_text(model: type, name: str) -> str:
    """The text of ``:param <name>:`` in the constructor of a Huawei Cloud model."""
    found = re.search(rf":param {name}: (.*?)(?=\n\s*:type )", model.__init__.__doc__ or "", re.DOTALL)
    assert found, f"{model.__name__} has no {name} any more"
    return found.group(1)


def bold(text: str) -> set[str]:
    return set(re.findall(r"\*\*\s*([^*]+?)\s*\*\*", text))


DOCUMENTED = {
    "dms.file_upload": (
        bold(comment_above(upload_model, "job_status")),
        {
            "INIT": GOING,
            "PENDING": GOING,
            "BE_SCHEDULED": GOING,
            "RUNNING": GOING,
            "SUCCESS": GOOD,
            "FAIL": BAD,
        },
    ),
    "dms.data_track_export": (
        bold(comment_above(export_model, "download_status")),
        {
            "INIT": GOING,
            "LISTING": GOING,
            "DOWNLOADING": GOING,
            "DOWNLOAD_SUCCESS": GOOD,
            "DOWNLOAD_FAIL": BAD,
        },
    ),
    # The SDK refers to a page for these (see below); the words are that page's.
    "ice.url_upload": (
        {"PENDING", "PROCESSING", "DOWNLOADING", "DOWNLOAD_SUCCESS", "UPLOADING", "UPLOAD_SUCCESS", "SUCCESS"}
        | {"DOWNLOAD_FAIL", "UPLOAD_FAIL"},
        {
            "PENDING": GOING,
            "PROCESSING": GOING,
            "DOWNLOADING": GOING,
            "DOWNLOAD_SUCCESS": GOING,
            "UPLOADING": GOING,
            "UPLOAD_SUCCESS": GOING,
            "SUCCESS": GOOD,
            "DOWNLOAD_FAIL": BAD,
            "UPLOAD_FAIL": BAD,
        },
    ),
    "dli.sql_job": (
        set(re.findall(r"[A-Z]{3,}", parameter_text(ShowSqlJobStatusResponse, "status"))),
        {"LAUNCHING": GOING, "RUNNING": GOING, "FINISH": GOOD, "FAILED": BAD, "CANCELLED": OFF},
    ),
    "drs.object_template": (
        set(re.findall(r"[a-z]+", parameter_text(ShowDbObjectTemplateProgressResponse, "process_status"))),
        {"success": GOOD, "failed": BAD},
    ),
}

# What other pages and samples of the vendors show, and what stands in the map beyond any page.
FURTHER: dict[str, dict[str, Outcome | None]] = {
    "dms.file_upload": {},
    "dms.data_track_export": {},
    # A sample shows the media status Normal; a cancelled job must have some word.
    "ice.url_upload": {
        "NORMAL": GOOD,
        "UPLOADFAIL": BAD,
        "FAIL": BAD,
        "FAILED": BAD,
        "CANCELED": OFF,
        "CANCELLED": OFF,
    },
    "dli.sql_job": {"SCALING": GOING, "SUBMITTING": GOING, "FINISHED": GOOD},
    "drs.object_template": {"": GOING, "pending": GOING, "processing": GOING, "parsing": GOING, "running": GOING},
}


@pytest.mark.parametrize("api", SPECS)
def test_the_vendors_text_lists_just_the_statuses_that_were_judged(api: str) -> None:
    documented, judged = DOCUMENTED[api]
    assert documented == set(judged)


@pytest.mark.parametrize("api", SPECS)
def test_every_documented_status_is_in_its_bucket(api: str) -> None:
    states = spec_of(api).states
    for status, outcome in (DOCUMENTED[api][1] | FURTHER[api]).items():
        assert states.knows(status), status
        assert states.outcome(status) is outcome, status


@pytest.mark.parametrize("api", SPECS)
def test_no_other_status_is_in_the_map(api: str) -> None:
    judged = DOCUMENTED[api][1] | FURTHER[api]
    states = spec_of(api).states
    assert words_of(states) == set(judged)


def words_of(states: StateMap) -> set[str]:
    return set(states.in_progress | states.succeeded | states.failed | states.cancelled)


def test_ice_still_refers_to_the_page_its_words_come_from() -> None:
    text = comment_above(ice_model, "status")
    assert "URL-based upload job" in text
    assert "52839" in text
    assert bold(text) == set()


@pytest.mark.parametrize(
    "status", ["Success", "success", "Normal", "Pending", "Upload_Fail", "UploadFail", "Uploading"]
)
def test_ice_words_are_compared_without_regard_to_case(status: str) -> None:
    states = spec_of("ice.url_upload").states
    assert states.knows(status)
    assert states.outcome(status) is states.outcome(status.upper())


@pytest.mark.parametrize("api", [api for api in SPECS if not api.startswith("ice.")])
def test_the_other_words_are_compared_as_they_are(api: str) -> None:
    states = spec_of(api).states
    for word in states.succeeded:
        assert not states.knows(word.swapcase())


def test_what_the_list_filter_of_dli_knows_beside_is_no_end_of_a_sql_job() -> None:
    """The filter of the job list documents words that no status page has: they are waited out, never believed."""
    text = parameter_text(ListSqlJobsRequest, "job_status").split("取值范围")[1]
    words = set(re.findall(r"[A-Z]{3,}", text))
    states = spec_of("dli.sql_job").states
    assert words - words_of(states) == {"COMPUTED", "SUSPENDED", "ACTIVE", "DELETED", "CREATING"}


def test_drs_in_progress_is_taken_from_its_sibling() -> None:
    text = str(ShowUpdateObjectSavingStatusResponse.__init__.__doc__)
    assert {"pending", "failed", "success"} <= set(re.findall(r"[a-z]+", text))


def test_one_word_means_two_things_in_two_apis_of_dms() -> None:
    """DOWNLOAD_SUCCESS ends an export and is a step of an ICE upload: no table is shared."""
    assert spec_of("dms.data_track_export").states.outcome("DOWNLOAD_SUCCESS") is GOOD
    assert spec_of("ice.url_upload").states.outcome("DOWNLOAD_SUCCESS") is None
