# SPDX-License-Identifier: Apache-2.0
"""Rows of a DLI query: the call that shows them, the Python values in them, and how an XCom holds those.

Sources: PreviewSqlJobResult (https://support.huaweicloud.com/intl/en-us/api-dli/dli_02_0312.html) and the vendor's SDK,
which have the schema as ``[{"city": "string"}, {"orders": "bigint"}]`` and the rows as lists of JSON values. How values
travel that JSON has no form for they do not say. Each is read in both ways there are: numbers and booleans as such and
as text, structures as JSON and as its text; dates and timestamps are ISO 8601 text. What its column's type does not
explain stays as it came.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from airflow_cloudjobs.jobs.request import ApiRequest, parameters, path_part

MOST = 1000
"""Rows that DLI shows of a result; there are no pages."""

QUERY = "QUERY"
"""The only type of job that has rows to show."""


class Column(NamedTuple):
    """A column of a result.

    :param name: its name, as the statement has it: several may have the same.
    :param type: its type in SQL, e.g. ``decimal(10,2)``.
    """

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Rows:
    """The first rows of a result.

    :param columns: its columns.
    :param rows: the values of each row, in the order of the columns.
    :param truncated: True if the result has more rows than these, or may have.
    """

    columns: Sequence[Column]
    rows: Sequence[tuple[Any, ...]]
    truncated: bool

    def as_result(self) -> dict[str, Any]:
        """The fields of a task's result, of JSON values only: a row is an object by its columns' names.

        Of several columns with one name the second is called ``name_2``, and so on, in ``columns`` too.
        """
        names = _different([column.name for column in self.columns])
        return {
            "columns": [{"name": name, "type": column.type} for name, column in zip(names, self.columns, strict=True)],
            "rows": [dict(zip(names, map(_plain, row), strict=True)) for row in self.rows],
            "truncated": self.truncated,
        }


def preview(key: str, queue_name: str = "", most: int = MOST) -> ApiRequest:
    """The call that shows the first rows of a query that has succeeded.

    :param key: the job.
    :param queue_name: the queue that reads them; empty for the cloud's default one.
    :param most: how many rows, 1 to 1,000.
    """
    return ApiRequest(
        "dli",
        "PreviewSqlJobResult",
        "GET",
        f"/v1.0/{{project_id}}/jobs/{path_part('key', key)}/preview",
        query=parameters(**{"page-size": most, "queue-name": queue_name or None}),
        idempotent=True,
        exact=True,
    )


def has_rows(record: Mapping[str, Any]) -> bool:
    """False for a job that its status says to be no query; what it does not say is not known before the preview.

    :param record: the job's status.
    """
    return record.get("job_type") in (None, "", QUERY)


def rows_in(answer: Mapping[str, Any], record: Mapping[str, Any], most: int = MOST) -> Rows:
    """The rows that a preview shows.

    :param answer: the preview.
    :param record: the job's status, which counts the rows too.
    :param most: how many to keep: the SDK does not know the parameter by which fewer are asked for.
    :raises ValueError: the answer has no rows, or not in the form that is documented.
    """
    found = answer.get("rows")
    if not isinstance(found, list) or not all(isinstance(row, list) for row in found):
        raise ValueError("the preview's answer has no list of rows")
    columns = list(_columns(answer.get("schema") or ()))
    width = max([len(columns), *map(len, found)])
    columns += [Column(f"column_{place}", "") for place in range(len(columns) + 1, width + 1)]
    rows = [
        tuple(
            read(column.type, value) for column, value in zip(columns, row + [None] * (width - len(row)), strict=True)
        )
        for row in found[:most]
    ]
    counts = [count for count in (answer.get("row_count"), record.get("result_count")) if isinstance(count, int)]
    truncated = max([len(found), *counts]) > len(rows) or (not counts and len(rows) == most)
    return Rows(columns, rows, truncated)


def _columns(schema: Sequence[Any]) -> Iterator[Column]:
    """The columns of ``[{"city": "string"}]``, or of ``[{"name": "city", "type": "string"}]``, as a status has them."""
    for column in schema:
        if not isinstance(column, Mapping) or not column:
            raise ValueError("the preview's answer has a schema that is none")
        name, kind = (
            (column["name"], column["type"]) if {"name", "type"} <= column.keys() else next(iter(column.items()))
        )
        yield Column(str(name), str(kind))


def _different(names: Sequence[str]) -> list[str]:
    """The names, made different from one another."""
    given: list[str] = []
    for name in names:
        number, other = 1, name
        while other in given or (number > 1 and other in names):
            number += 1
            other = f"{name}_{number}"
        given.append(other)
    return given


def read(kind: str, value: Any) -> Any:
    """A value as Python has it; as it came where it is not what its column's type says.

    :param kind: the column's type in SQL.
    :param value: the value, from JSON.
    """
    if value is None:
        return None
    name, inner = _parts(kind)
    try:
        if name in _STRUCTURES:
            return _STRUCTURES[name](inner, _structure(value))
        return _SIMPLE[name](value) if name in _SIMPLE else value
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return value


def _integer(value: Any) -> int:
    if isinstance(value, (bool, float)) or (isinstance(value, Decimal) and value % 1):
        raise ValueError
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError
    return float(value)


def _decimal(value: Any) -> Decimal:
    if isinstance(value, (bool, float)):
        raise ValueError
    return Decimal(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}[str(value).lower()]


def _array(inner: Sequence[str], value: Any) -> list[Any]:
    if not isinstance(value, list) or len(inner) != 1:
        raise ValueError
    return [read(inner[0], item) for item in value]


def _map(inner: Sequence[str], value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or len(inner) != 2:
        raise ValueError
    return {key: read(inner[1], item) for key, item in value.items()}


def _struct(inner: Sequence[str], value: Any) -> dict[str, Any]:
    kinds = {name.strip(): kind for name, _, kind in (field.partition(":") for field in inner)}
    if isinstance(value, list) and len(value) == len(kinds):
        value = dict(zip(kinds, value, strict=True))
    if not isinstance(value, Mapping):
        raise ValueError
    return {name: read(kinds.get(name, ""), item) for name, item in value.items()}


def _structure(value: Any) -> Any:
    return json.loads(value, parse_float=Decimal) if isinstance(value, str) else value


_SIMPLE: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("tinyint", "smallint", "int", "integer", "bigint", "byte", "short", "long"), _integer),
    **dict.fromkeys(("float", "real", "double"), _float),
    **dict.fromkeys(("decimal", "dec", "numeric"), _decimal),
    "boolean": _boolean,
    "date": date.fromisoformat,
    **dict.fromkeys(("timestamp", "timestamp_ntz", "timestamp_ltz"), datetime.fromisoformat),
}
_STRUCTURES: Mapping[str, Callable[[Sequence[str], Any], Any]] = {
    "array": _array,
    "map": _map,
    "struct": _struct,
}


def _parts(kind: str) -> tuple[str, list[str]]:
    """A type's name, and what stands in its brackets: ``map<string,array<int>>`` is ``map`` of two types."""
    text = kind.strip()
    begin = min((place for sign in "<(" if (place := text.find(sign)) >= 0), default=len(text))
    inner: list[str] = []
    depth = last = 0
    inside = text[begin + 1 : -1]
    for place, sign in enumerate(inside):
        depth += (sign in "<(") - (sign in ">)")
        if sign == "," and not depth:
            inner.append(inside[last:place].strip())
            last = place + 1
    return text[:begin].strip().lower(), [*inner, inside[last:].strip()] if inside else []


def _plain(value: Any) -> Any:
    """A value as JSON has it: what JSON has no form for as text, since an XCom of Airflow's would round a decimal."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):  # a datetime is one
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return value
