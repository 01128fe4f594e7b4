# SPDX-License-Identifier: Apache-2.0
"""A result that is too long for an XCom: cut where it is longest, of the same form as before, and it says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_cloudjobs.jobs.limit import CUT, LEAST_BYTES, MAX_XCOM_BYTES, shortened, size, within

BESIDE = {
    "api": "dli.sql_job",
    "job_key": "208b08d4-0dc2-4dd7-8879-ddd4c020d7aa",
    "outcome": "succeeded",
    "status": "FINISHED",
    "request_id": "5a6b",
    "console_url": "https://console.test/",
}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=9), inner, max_size=9),
    max_leaves=20,
)


def result(**fields: Any) -> dict[str, Any]:
    return {**BESIDE, "result": fields}


def bytes_of(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def test_a_short_result_is_itself() -> None:
    short = result(message="well", rows=[[1]])
    assert within(short, MAX_XCOM_BYTES) == (short, [])
    assert CUT not in short


def test_the_longest_text_is_cut_and_the_others_are_whole() -> None:
    short, cut = within(result(message="x" * 100_000, owner="me", detail="y" * 500), 2000)
    assert cut == [f"{BESIDE['job_key']}: result.message"]
    assert short[CUT] == ["result.message"]
    assert short["result"]["owner"], short["result"]["detail"] == ("me", "y" * 500)
    assert set(short["result"]["message"]) == {"x"}
    assert 1900 < bytes_of(short) <= 2000
    assert {name: short[name] for name in BESIDE} == BESIDE


def test_rows_lose_the_last_ones() -> None:
    rows = [[number, f"city {number}"] for number in range(5000)]
    short, _ = within(result(rows=rows, columns=["n", "city"], truncated=False), 4096)
    kept = short["result"]["rows"]
    assert 100 < len(kept) < 5000
    assert kept == rows[: len(kept)]
    assert short["result"]["truncated"] is True
    assert short["result"]["columns"] == ["n", "city"]
    assert bytes_of(short) <= 4096


def test_chinese_is_counted_in_bytes_and_never_halved() -> None:
    short, _ = within(result(message="云" * 1000), 1500)
    kept = short["result"]["message"]
    assert set(kept) == {"云"}
    assert 1450 < bytes_of(short) <= 1500


def test_long_names_of_what_was_cut_have_room_too() -> None:
    draw = Random(5)
    for _ in range(500):
        lengths = [draw.choice((3, 40, 200, 300)) for _ in range(draw.randint(1, 9))]
        fields = {f"{draw.randint(1, 30) * 'k'}{number}": "云" * length for number, length in enumerate(lengths)}
        assert size(within(result(**fields), LEAST_BYTES)[0]) <= LEAST_BYTES


def test_several_results_share_the_room() -> None:
    values = [{**result(message="x" * length), "job_key": f"k{length}"} for length in (10, 5000, 6000)]
    short, cut = within(values, 3000)
    assert [one["job_key"] for one in short] == ["k10", "k5000", "k6000"]
    assert short[0] == values[0]
    assert cut == ["k5000: result.message", "k6000: result.message"]
    assert abs(len(short[1]["result"]["message"]) - len(short[2]["result"]["message"])) < 5
    assert bytes_of(short) <= 3000


def test_what_is_needed_to_act_is_whole_however_many_jobs_there_are() -> None:
    values = [{**result(message="x" * 100), "job_key": f"k{number}"} for number in range(500)]
    short, _ = within(values, LEAST_BYTES)
    assert [{name: one[name] for name in BESIDE} for one in short] == [
        {name: one[name] for name in BESIDE} for one in values
    ]
    assert all(one["result"] == {} for one in short)


def test_what_is_no_json_counts_as_airflow_stores_it() -> None:
    rows = [[Decimal("1.5"), datetime(2026, 1, 1, tzinfo=UTC)]] * 1000
    short, _ = within(result(rows=rows), 4096)
    kept = short["result"]["rows"]
    assert 5 < len(kept) < 40
    assert kept[0] == rows[0]


def test_many_names_are_one() -> None:
    short, _ = within(result(**{f"field_{number}": "x" * 400 for number in range(50)}), 2000)
    assert short[CUT] == ["result"]
    assert bytes_of(short) <= 2000


@given(fields=st.dictionaries(st.text(max_size=30), VALUES, max_size=9), most=st.integers(LEAST_BYTES, 3000))
@settings(max_examples=50)
def test_it_fits_and_keeps_its_form(fields: dict[str, Any], most: int) -> None:
    value = {**BESIDE, "result": fields}
    short, cut = within(value, most)
    assert size(short) <= most
    assert bool(cut) == (size(value) > most) == (CUT in short)
    assert {name: short[name] for name in BESIDE} == BESIDE
    assert_same_form(fields, short["result"])


@given(value=VALUES, most=st.integers(2, 400))
@settings(max_examples=50)
def test_a_value_that_is_shortened(value: Any, most: int) -> None:
    short = shortened(value, most)
    assert size(short) <= max(most, 4)
    assert_same_form(value, short)
    assert short is value or size(value) > most


def assert_same_form(before: Any, after: Any) -> None:
    if isinstance(before, str):
        assert before.startswith(after)
    elif isinstance(before, list):
        assert before[: len(after)] == after
    elif isinstance(before, dict):
        for name, item in after.items():
            if name in before:
                assert_same_form(before[name], item)
    else:
        assert after is None or after == before


@pytest.mark.parametrize(
    "fields",
    [{"message": "x" * 10**6}, {"rows": [[n, "abc"] for n in range(60_000)]}, {str(n): n for n in range(60_000)}],
    ids=["a text", "rows", "fields"],
)
def test_a_million_bytes_cost_a_few_readings(fields: dict[str, Any]) -> None:
    value = result(**fields)
    begun = process_time()
    for _ in range(5):
        size(value)
    reading = (process_time() - begun) / 5
    begun = process_time()
    within(value, MAX_XCOM_BYTES)
    assert process_time() - begun < 20 * reading + 0.02
