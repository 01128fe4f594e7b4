# SPDX-License-Identifier: Apache-2.0
"""Every API of the catalogue that the local clouds serve, in every mode, to every end."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from catalogue_matrix import CatalogueMatrix, submits, task
from support.catalogue_cases import FAILED as A_FAILURE
from support.catalogue_cases import GONE, REASON, REFUSED, SECRET, SERVED, Served
from support.jobapis import MODES
from taskbench import FAILED, RETRY, SUCCESS, run

from airflow_cloudjobs.apis import CATALOGUE
from airflow_cloudjobs.exceptions import (
    JobFailed,
    JobFailedForGood,
    JobOutcomeUnknown,
    JobTimedOut,
    TaskRefused,
)
from airflow_cloudjobs.jobs.many import as_list
from airflow_cloudjobs.localcloud import Control
from airflow_cloudjobs.localcloud.scripts import UNKNOWN_STATUS, VOCABULARIES
from airflow_cloudjobs.next_step import NEXT

pytestmark = pytest.mark.usefixtures("lucky", "impatient")

JOB_ENDS = ("succeeded", "failed", "cancelled")
SCHEMA = ["api", "console_url", "job_key", "outcome", "request_id", "result", "status"]

#: end -> what becomes of an operator, and of a sensor
BAD_END = {"operator": (RETRY, JobFailed), "sensor": (FAILED, JobFailedForGood)}
STATES: dict[str, dict[str, tuple[str, type | None]]] = {
    "succeeded": dict.fromkeys(BAD_END, (SUCCESS, None)),
    "failed": BAD_END,
    "cancelled": BAD_END,
    "unknown status": dict.fromkeys(BAD_END, (FAILED, JobOutcomeUnknown)),
    "unknown key": dict.fromkeys(BAD_END, (FAILED, JobOutcomeUnknown)),
    "time out": dict.fromkeys(BAD_END, (FAILED, JobTimedOut)),
}

CASES = [(row, mode, end) for row in SERVED for mode in MODES for end in row.ends]


def expected(row: Served, mode: str, end: str) -> tuple[str, type | None]:
    """State of the task, and what it raises."""
    if end == "unknown key" and row.nobody == A_FAILURE:
        end = "failed"  # the API says both in the same words
    return STATES[end][MODES[mode][0]]


def waits(row: Served, end: str) -> bool:
    """Whether the first look leaves it open how the job ends."""
    return end != "unknown key" or row.nobody == REFUSED


def outcome(row: Served, end: str) -> str:
    """What the result says."""
    if end == "unknown key":
        return "failed" if row.nobody == A_FAILURE else "submitted"
    return end if end in JOB_ENDS else "submitted"


def said(row: Served, end: str) -> str:
    """What the exception has to tell."""
    words = {
        "failed": f"{row.failure}: {'' if row.reason else 'the cloud gives no reason'}",
        "cancelled": f"{row.cancelled_word}: ",
        "unknown status": f"undocumented status '{UNKNOWN_STATUS}'",
        "time out": f"ran out while the job was {row.words.running[0][0]}",
        "unknown key": {
            GONE: "the cloud does not tell what became of the job",
            REFUSED: "the cloud does not tell what became of the job",
            A_FAILURE: "400: ",
        }[row.nobody],
    }
    return words[end]


def test_every_api_that_is_served_has_a_row() -> None:
    assert {row.api for row in SERVED} == set(CATALOGUE) & set(VOCABULARIES)


@pytest.mark.parametrize(("row", "mode", "end"), CASES, ids=lambda value: str(value).replace(" ", "_"))
def test_a_case(row: Served, mode: str, end: str, control: Control, catalogue: CatalogueMatrix) -> None:
    seen = catalogue.of(control, row, mode, end)
    ran = seen.ran

    assert (ran.state, ran.error and type(ran.error)) == expected(row, mode, end), ran.log
    assert seen.submits == submits(mode, end)
    assert not any(job["succeeded"] for job in seen.jobs) or ran.state == SUCCESS
    assert ran.deferrals == ("deferrable" in mode and waits(row, end))
    assert bool(ran.reschedules) == (mode == "reschedule" and waits(row, end))

    left = submits(mode, end) and end in ("unknown status", "time out")
    assert seen.cancel_calls == (left and row.cancels)
    assert seen.cancels == (seen.cancel_calls if not row.cancels_in or end == "time out" else 0)

    listed = bool(row.declared.many) and submits(mode, end)
    [key], [result] = as_list(ran.ti.xcoms["job_key"]), seen.results
    assert (type(ran.ti.xcoms["job_key"]), type(ran.result)) == ((list, list) if listed else (str, dict))
    assert [job["key"] for job in seen.jobs] == ([] if end == "unknown key" else [key])
    assert sorted(result) == SCHEMA
    assert (result["api"], result["job_key"], result["outcome"]) == (row.api, key, outcome(row, end))
    assert result["console_url"] == ran.ti.xcoms["console_url"] == row.console(key)
    if ran.error:
        text = str(ran.error)
        assert [word for word in (said(row, end), row.api, key, row.console(key), NEXT) if word not in text] == []
        assert (REASON in text) == (end == "failed" and row.reason)


@pytest.mark.parametrize(("row", "end"), [(row, end) for row in SERVED for end in JOB_ENDS if end in row.ends], ids=str)
def test_the_result_has_the_same_form_in_every_mode(
    row: Served, end: str, control: Control, catalogue: CatalogueMatrix
) -> None:
    results = {mode: catalogue.of(control, row, mode, end).results for mode in MODES}
    forms = {mode: (form(one), form(one["result"]), one["status"]) for mode, [one] in results.items()}
    assert forms == dict.fromkeys(MODES, forms["blocking"])


def form(value: dict[str, Any]) -> dict[str, str]:
    """The fields of an object, each with its kind."""
    return {name: type(item).__name__ for name, item in value.items()}


@pytest.mark.parametrize(("mode", "end"), [(mode, end) for mode in MODES for end in ("succeeded", "failed")])
@pytest.mark.parametrize("row", [row for row in SERVED if row.declared.secret], ids=str)
def test_a_secret_parameter_is_nowhere(
    row: Served, mode: str, end: str, control: Control, catalogue: CatalogueMatrix
) -> None:
    seen = catalogue.of(control, row, mode, end)
    ran = seen.ran
    kept = [ran.log, ran.error, ran.result, ran.ti.xcoms, ran.store, ran.triggers, ran.events]
    command = str(row.submitting()["parameters"].get("CommandContent")).encode()
    shown = json.dumps(kept, default=str)
    assert [word for word in (SECRET, base64.b64encode(command).decode()) if word in shown] == []
    assert (SECRET in json.dumps(seen.jobs)) == submits(mode, end)


@pytest.mark.parametrize("row", SERVED, ids=str)
def test_no_word_but_that_of_success_is_success(row: Served, control: Control) -> None:
    """Every word that the API has, and what is near the word of success."""
    api, success, number = row.declared, row.success.split(), isinstance(row.words.success, int)
    near = [None, "", *(f"{word}{more}" for word in success for more in ("_", "X", " 1"))]
    for word in (*api.running, *api.failed, *api.cancelled, *near, *api.succeeded, *success):
        shown = int(word) if number and word and word.isdecimal() else word
        control.create_job(row.api, row.key(), steps=[[shown, 0]])
        ran = run(lambda: task(row, "poke", row.waiting(row.key()), interval=0.01, limit=0.05))
        assert (ran.state == SUCCESS) == (word in success), (word, ran.log)


@pytest.mark.parametrize("row", SERVED, ids=str)
def test_a_refusal_is_told_in_the_vendor_s_words(row: Served, control: Control) -> None:
    control.fault("http", "submit", status=400, code="Not.Today", message="the quota is used up")
    ran = run(lambda: task(row, "deferrable", row.submitting()))
    assert (ran.state, type(ran.error)) == (FAILED, TaskRefused)
    assert "Not.Today" in str(ran.error)
    assert "the quota is used up" in str(ran.error)
    assert control.jobs(row.api) == []


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
@pytest.mark.parametrize("row", [row for row in SERVED if row.bad], ids=str)
def test_a_submit_that_is_refused_in_a_200(row: Served, mode: str, control: Control) -> None:
    arguments = row.submitting()
    arguments["parameters"] |= row.bad or {}
    ran = run(lambda: task(row, mode, arguments))
    assert (ran.state, type(ran.error)) == (FAILED, TaskRefused)
    [path] = row.declared.refused
    assert "; no job was started" in str(ran.error)
    assert f"the answer says {path} = " in str(ran.error)
    assert (control.jobs(row.api), ran.store, ran.deferrals) == ([], {}, 0)
    assert "job_key" not in ran.ti.xcoms
    looks = control.stats()["operations"].get(row.declared.calls["poll"].operation, {"calls": 0})["calls"]
    assert looks == row.keyed  # where the key is known, what is shown before the submit is looked at
