# SPDX-License-Identifier: Apache-2.0
"""Rows of a DLI query: what becomes of each kind of value, in Python and in an XCom."""

from __future__ import annotations

import json
import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from airflow_cloudjobs.huawei.rows import Column, preview, read, rows_in

#: type in SQL, value on the wire (as JSON text), value in Python, value in an XCom
VALUES: list[tuple[str, str, Any, Any]] = [
    ("int", "7", 7, 7),
    ("bigint", '"9007199254740993"', 9007199254740993, 9007199254740993),
    ("INTEGER", "null", None, None),
    ("int", "7.5", Decimal("7.5"), "7.5"),
    ("int", "true", True, True),
    ("double", "0.5", 0.5, 0.5),
    ("double", "3", 3.0, 3.0),
    ("float", '"-Infinity"', -math.inf, "-Infinity"),
    ("double", "Infinity", math.inf, "Infinity"),
    ("decimal(20,2)", "123456789012345678.10", Decimal("123456789012345678.10"), "123456789012345678.10"),
    ("decimal(3,0)", "5", Decimal(5), "5"),
    ("decimal(38,0)", '"1E+3"', Decimal(1000), "1000"),
    ("decimal(10,2)", '"n/a"', "n/a", "n/a"),
    ("boolean", "false", False, False),
    ("boolean", '"TRUE"', True, True),
    ("boolean", '"perhaps"', "perhaps", "perhaps"),
    ("date", '"2026-01-31"', date(2026, 1, 31), "2026-01-31"),
    ("date", '"31.01.2026"', "31.01.2026", "31.01.2026"),
    ("timestamp", '"2026-01-31 10:20:30.5"', datetime(2026, 1, 31, 10, 20, 30, 500000), "2026-01-31T10:20:30.500000"),
    ("timestamp", "1769854830000", 1769854830000, 1769854830000),
    ("string", '"北京 ü"', "北京 ü", "北京 ü"),
    ("string", '""', "", ""),
    ("varchar(3)", '"007"', "007", "007"),
    ("array<decimal(5,1)>", "[1.5, null]", [Decimal("1.5"), None], ["1.5", None]),
    ("array<date>", '"[\\"2026-01-31\\"]"', [date(2026, 1, 31)], ["2026-01-31"]),
    ("array<int>", '"1,2"', "1,2", "1,2"),
    ("map<string,array<double>>", '{"a": [1]}', {"a": [1.0]}, {"a": [1.0]}),
    (
        "struct<day:date,n:map<string,int>>",
        '["2026-01-31", {"x": "1"}]',
        {"day": date(2026, 1, 31), "n": {"x": 1}},
        None,
    ),
    (
        "struct<day:date>",
        '{"day": "2026-01-31", "more": 1.5}',
        {"day": date(2026, 1, 31), "more": Decimal("1.5")},
        None,
    ),
    ("interval", "2.50", Decimal("2.50"), "2.50"),
    ("", '{"a": 1.5}', {"a": Decimal("1.5")}, {"a": "1.5"}),
]


def answer(text: str) -> dict[str, Any]:
    """A preview as the transport reads it."""
    read_so: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return read_so


@pytest.mark.parametrize(("kind", "wire", "value", "stored"), VALUES)
def test_a_value(kind: str, wire: str, value: Any, stored: Any) -> None:
    found = rows_in(answer(f'{{"schema": [{{"c": "{kind}"}}], "rows": [[{wire}]]}}'), {})
    assert found.rows == [(value,)]
    assert type(found.rows[0][0]) is type(value)
    xcom = found.as_result()
    assert json.loads(json.dumps(xcom, allow_nan=False)) == xcom
    if stored is not None:
        assert xcom["rows"] == [{"c": stored}]


def test_no_number_is_not_one() -> None:
    assert math.isnan(read("double", "NaN"))
    assert rows_in({"schema": [{"c": "double"}], "rows": [["NaN"]]}, {}).as_result()["rows"] == [{"c": "NaN"}]


def test_columns_of_one_name_lose_no_value() -> None:
    schema = [{"id": "int"}, {"id": "string"}, {"id_2": "int"}, {"id": "int"}]
    found = rows_in({"schema": schema, "rows": [[1, "a", 2, 3]]}, {})
    assert found.columns == [Column("id", "int"), Column("id", "string"), Column("id_2", "int"), Column("id", "int")]
    result = found.as_result()
    assert result["rows"] == [{"id": 1, "id_3": "a", "id_2": 2, "id_4": 3}]
    assert [column["name"] for column in result["columns"]] == ["id", "id_3", "id_2", "id_4"]


def test_the_other_form_of_a_schema_and_a_schema_that_is_too_short() -> None:
    found = rows_in({"schema": [{"name": "type", "type": "string"}], "rows": [["a", 1], ["b"]]}, {})
    assert found.as_result() == {
        "columns": [{"name": "type", "type": "string"}, {"name": "column_2", "type": ""}],
        "rows": [{"type": "a", "column_2": 1}, {"type": "b", "column_2": None}],
        "truncated": False,
    }


@pytest.mark.parametrize(
    ("rows", "counts", "kept", "truncated"),
    [
        (3, {}, 3, False),
        (3, {"row_count": 3}, 3, False),
        (3, {"row_count": 9}, 3, True),
        (3, {"result_count": 9, "row_count": 3}, 3, True),
        (5, {"row_count": 5}, 5, False),
        (5, {}, 5, True),  # as many as were asked for, and nothing says that there are no more
        (7, {"row_count": 7}, 5, True),  # more than were asked for
        (0, {"row_count": 0}, 0, False),
    ],
)
def test_whether_there_are_more(rows: int, counts: dict[str, int], kept: int, truncated: bool) -> None:
    preview = {"schema": [{"c": "int"}], "rows": [[1]] * rows, **counts}
    found = rows_in(preview, counts, 5)
    assert (len(found.rows), found.truncated) == (kept, truncated)


@pytest.mark.parametrize("broken", [{}, {"rows": None}, {"rows": [1]}, {"rows": [[1]], "schema": ["c"]}])
def test_what_is_no_preview(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the preview's answer has"):
        rows_in(broken, {})


def test_the_call() -> None:
    call = preview("a/b", "etl", 10)
    assert (call.path, dict(call.query)) == (
        "/v1.0/{project_id}/jobs/a%2Fb/preview",
        {"page-size": "10", "queue-name": "etl"},
    )
    assert call.idempotent
    assert "queue-name" not in preview("k").query
