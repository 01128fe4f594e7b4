# SPDX-License-Identifier: Apache-2.0
"""Specs: what cannot be a spec is refused when it is made; results hold what may be shown and no more."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cloudjobs.apis import SPECS, spec_of
from airflow_cloudjobs.jobs.answers import polled, refused_together
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.outcome import Outcome
from airflow_cloudjobs.jobs.request import as_text, parameters
from airflow_cloudjobs.jobs.spec import StateMap

FILE_UPLOAD = spec_of("dms.file_upload")
EXPORT = spec_of("dms.data_track_export")
URL_UPLOAD = spec_of("ice.url_upload")
SQL_JOB = spec_of("dli.sql_job")
TEMPLATE = spec_of("drs.object_template")

NAMES = ("in_progress", "succeeded", "failed", "cancelled")


def buckets(**changes: set[str]) -> dict[str, frozenset[str]]:
    own = {"in_progress": {"RUN"}, "succeeded": {"GOOD"}, "failed": {"BAD"}, "cancelled": {"OFF"}, **changes}
    return {name: frozenset(words) for name, words in own.items()}


class TestStateMap:
    @pytest.mark.parametrize("one", NAMES)
    @pytest.mark.parametrize("other", NAMES)
    def test_a_status_in_two_buckets_is_refused(self, one: str, other: str) -> None:
        if one == other:
            return
        words = buckets()
        words[one] |= {"TWICE"}
        words[other] |= {"TWICE"}
        with pytest.raises(ValueError, match="'TWICE'"):
            StateMap(**words)

    def test_a_status_in_two_buckets_in_another_case(self) -> None:
        words = buckets(succeeded={"done"}, failed={"DONE"})
        assert StateMap(**words).outcome("done") is Outcome.SUCCEEDED
        with pytest.raises(ValueError, match=r"(?i)'done'"):
            StateMap(**words, ignore_case=True)

    @pytest.mark.parametrize("bucket", ["succeeded", "failed"])
    def test_success_and_failure_are_needed(self, bucket: str) -> None:
        with pytest.raises(ValueError, match="success"):
            StateMap(**buckets(**{bucket: set()}))

    def test_each_bucket_has_its_meaning(self) -> None:
        states = StateMap(**buckets())
        assert [states.outcome(word) for word in ("RUN", "GOOD", "BAD", "OFF")] == [
            None,
            Outcome.SUCCEEDED,
            Outcome.FAILED,
            Outcome.CANCELLED,
        ]
        assert all(map(states.knows, ("RUN", "GOOD", "BAD", "OFF")))

    @given(st.text())
    def test_what_is_not_listed_is_neither_known_nor_an_end(self, word: str) -> None:
        states = StateMap(**buckets())
        listed = word in {"RUN", "GOOD", "BAD", "OFF"}
        assert states.knows(word) is listed
        if not listed:
            assert states.outcome(word) is None

    def test_case_counts_unless_told(self) -> None:
        assert not StateMap(**buckets()).knows("good")
        assert StateMap(**buckets(), ignore_case=True).outcome("Good") is Outcome.SUCCEEDED


class TestSpec:
    @pytest.mark.parametrize("api", ["dms", "", "dms.", ".upload"])
    def test_an_api_id_names_product_and_job(self, api: str) -> None:
        with pytest.raises(ValueError, match=r"product\.job"):
            replace(FILE_UPLOAD, api=api)

    @pytest.mark.parametrize("batch", [0, -1])
    def test_a_batch_holds_a_job(self, batch: int) -> None:
        with pytest.raises(ValueError, match="batch"):
            replace(FILE_UPLOAD, batch=batch)

    @pytest.mark.parametrize("interval", [0, -0.5])
    def test_an_interval_is_some_time(self, interval: float) -> None:
        with pytest.raises(ValueError, match="interval"):
            replace(FILE_UPLOAD, interval=interval)

    def test_there_are_five_and_their_ids_are_public(self) -> None:
        assert list(SPECS) == [
            "dms.file_upload",
            "dms.data_track_export",
            "ice.url_upload",
            "dli.sql_job",
            "drs.object_template",
        ]
        for api in SPECS:
            assert spec_of(api).api == api

    def test_an_unknown_api_is_answered_with_the_known_ones(self) -> None:
        with pytest.raises(ValueError, match=r"'dms\.x'.*dms\.file_upload.*drs\.object_template"):
            spec_of("dms.x")

    def test_only_dli_can_cancel(self) -> None:
        assert [api for api in SPECS if spec_of(api).cancel] == ["dli.sql_job"]

    def test_ice_asks_for_ten_jobs_at_once_and_the_others_for_one(self) -> None:
        assert {api: spec_of(api).batch for api in SPECS} == {**dict.fromkeys(SPECS, 1), "ice.url_upload": 10}

    def test_polls_are_idempotent_and_submits_are_not(self, tmp_path: Path) -> None:
        template = tmp_path / "x.json"
        template.write_text("{}")
        for api in SPECS:
            spec = spec_of(api)
            assert spec.poll(["k"], dict.fromkeys(spec.scope, "1")).idempotent
        assert not FILE_UPLOAD.submit(file_name="a.txt", file_source="x", upload_url="https://h").idempotent
        assert not SQL_JOB.submit(sql="x").idempotent
        assert not TEMPLATE.submit(job_id="j", file_path=str(template)).idempotent


class TestObserve:
    def test_dms(self) -> None:
        seen = FILE_UPLOAD.observe({"RequestId": "r", "UploadFileJobDetail": {"JobStatus": "INIT"}}, ["k"])
        assert (seen["k"].status, seen["k"].request_id) == ("INIT", "r")

    @pytest.mark.parametrize("answer", [{}, {"UploadFileJobDetail": None}, {"UploadFileJobDetail": {}}])
    def test_dms_without_the_object_has_no_job(self, answer: dict[str, Any]) -> None:
        assert FILE_UPLOAD.observe(answer, ["k"]) == {}

    @pytest.mark.parametrize("record", [{"a": 1}, {"a": 1, "JobStatus": None}, {"a": 1, "JobStatus": ""}])
    def test_no_status_is_the_empty_word(self, record: dict[str, Any]) -> None:
        assert FILE_UPLOAD.observe({"UploadFileJobDetail": record}, ["k"])["k"].status == ""

    def test_ice_sorts_its_list_by_key_and_gives_only_what_was_asked_for(self) -> None:
        answer = {
            "URLUploadInfoList": [
                {"JobId": "b", "Status": "SUCCESS"},
                {"JobId": "stranger", "Status": "SUCCESS"},
                {"JobId": "a", "Status": "PENDING"},
            ],
            "NonExists": ["['c']"],
        }
        seen = URL_UPLOAD.observe(answer, ["a", "b", "c"])
        assert {key: each.status for key, each in seen.items()} == {"a": "PENDING", "b": "SUCCESS"}

    def test_huawei_records_are_the_answer_itself(self) -> None:
        seen = SQL_JOB.observe({"request_id": "r", "is_success": True, "status": "FINISHED"}, ["k"])["k"]
        assert (seen.status, seen.request_id) == ("FINISHED", "r")
        assert "request_id" not in seen.record


class TestSubmitted:
    """The keys that an answer names, where the arguments have to be known for it."""

    def test_the_key_of_a_template_is_the_job_it_is_for(self) -> None:
        assert TEMPLATE.submitted({"send_success": True}, {"job_id": "a b%"}) == ["a b%"]

    def test_keys_come_in_the_order_of_the_addresses(self) -> None:
        urls = ["https://h/a,b.mp4", "https://h/c%2Cd.mp4", "https://h/a,b.mp4"]
        jobs = [{"SourceURL": url, "JobId": key} for url, key in zip(reversed(urls), "321", strict=True)]
        assert URL_UPLOAD.submitted({"UploadJobs": jobs}, {"upload_urls": urls}) == ["3", "2", "1"]
        assert URL_UPLOAD.submitted({"UploadJobs": jobs[1:2]}, {"upload_urls": urls[1]}) == ["2"]

    def test_an_address_without_a_job(self) -> None:
        jobs = [{"SourceURL": "https://h/a", "JobId": "1"}]
        with pytest.raises(CloudApiError, match=r"UploadMediaByURL: no job was started for https://h/b"):
            URL_UPLOAD.submitted({"UploadJobs": jobs}, {"upload_urls": ["https://h/a", "https://h/b"]})


SIGNED = "https://bucket.oss-cn-hangzhou.aliyuncs.com/a.zip?Expires=1&OSSAccessKeyId=k&Signature=s%3D"


class TestResult:
    def test_a_signed_address_is_only_given_where_asked_for(self) -> None:
        record = {"DownloadStatus": "DOWNLOAD_SUCCESS", "DownloadUrl": f"{SIGNED}\n", "TotalCount": 3}
        assert EXPORT.public_fields(record) == {"DownloadStatus": "DOWNLOAD_SUCCESS", "TotalCount": 3}
        asked = EXPORT.public_fields(record, signed_urls=True)
        assert asked["DownloadUrl"] == SIGNED  # without the newline that DMS sends after it

    def test_a_signed_address_anywhere_else_is_made_harmless(self) -> None:
        result = URL_UPLOAD.public_fields(
            {"Status": "SUCCESS", "UploadURL": SIGNED, "UserData": json.dumps({"u": SIGNED})}
        )
        assert "Signature" not in json.dumps(result)
        assert result["UploadURL"] == "https://bucket.oss-cn-hangzhou.aliyuncs.com/a.zip?***"

    def test_the_statement_is_left_out(self) -> None:
        result = SQL_JOB.public_fields({"status": "FINISHED", "statement": "select secret", "result_path": "obs://b/r"})
        assert result == {"status": "FINISHED", "result_path": "obs://b/r"}

    def test_reasons_are_the_vendors_words_once(self) -> None:
        assert URL_UPLOAD.reason_of({"ErrorCode": "E", "ErrorMessage": "why"}) == "E: why"
        assert URL_UPLOAD.reason_of({"ErrorCode": "same", "ErrorMessage": "same"}) == "same"
        assert FILE_UPLOAD.reason_of({"JobStatusDesc": None}) == ""
        assert SQL_JOB.reason_of({"message": ""}) == ""

    @pytest.mark.parametrize("api", SPECS)
    def test_progress_can_be_said_of_any_record(self, api: str) -> None:
        assert spec_of(api).progress({}) == ""


class TestParameters:
    def test_absent_ones_are_left_out_and_structures_are_compact_json(self) -> None:
        assert parameters(a=None, b="x", c=5, d=True, e={"k": [1, "ü"]}, f=["a", "b"], g="") == {
            "b": "x",
            "c": "5",
            "d": "true",
            "e": '{"k":[1,"ü"]}',
            "f": '["a","b"]',
            "g": "",
        }

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s), max_leaves=5))
    def test_every_value_becomes_text(self, value: Any) -> None:
        assert isinstance(as_text(value), str)

    def test_dli_is_always_asynchronous(self) -> None:
        for conf in (None, {"a": 1}, ["a=1"], {"dli.sql.sqlasync.enabled": "true"}, {"dli.sql.sqlasync.enabled": True}):
            sent = SQL_JOB.submit(sql="x", conf=conf).body["conf"]
            assert [line for line in sent if line.startswith("dli.sql.sqlasync.enabled=")] == [
                "dli.sql.sqlasync.enabled=true"
            ]


def test_one_odd_record_has_the_jobs_asked_for_one_by_one() -> None:
    """Ten jobs are asked for together, of several tasks maybe; what one of them shows must not end the others."""
    request = URL_UPLOAD.poll(["a", "b"], {})
    records = [{"JobId": "a", "Status": "SUCCESS"}, {"JobId": "b", "Status": {"no": "text"}}]
    with pytest.raises(CloudApiError, match="documented form") as odd:
        polled(URL_UPLOAD, ["a", "b"], request, {"URLUploadInfoList": records})
    assert refused_together(dict.fromkeys(["a", "b"], odd.value))
    unread = CloudApiError("the connection could not be read", kind=ErrorKind.UNKNOWN, code="<connection>")
    assert not refused_together(dict.fromkeys(["a", "b"], unread))
